"""Train ``vit-digits`` again: ``python -m workload.train_digits``.

The model is a ViT in the model hub's own format, small enough to be stored with the code.  It is
trained on all of scikit-learn's handwritten digits except those that ``workload.digits`` holds out.
Training is seeded and uses one thread: the same versions on the same kind of machine write the same
bytes.
"""

import argparse
import math
from pathlib import Path

import torch
from PIL import Image
from transformers.models.vit.configuration_vit import ViTConfig
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.models.vit.modeling_vit import ViTForImageClassification
from transformers.utils.logging import disable_progress_bar

from workload.digits import Digits, split

FOLDER = Path(__file__).with_name("vit_digits")
EPOCHS = 100
_BATCH = 64
_PEAK_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 0.05
_LARGEST_SHIFT = 4
"""In pixels of the resized image: one pixel of the 8 by 8 scan."""
_SEED = 0


def train(epochs: int, folder: Path) -> float:
    """Train from scratch, write the model to ``folder`` and return its held-out accuracy."""
    disable_progress_bar()
    torch.set_num_threads(1)  # so that the order of summation is fixed
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(_SEED)
    train_set, held_out = split()
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    model = ViTForImageClassification(_config())
    _fit(model, _pixels(processor, train_set), torch.from_numpy(train_set.labels), epochs)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    return _accuracy(model, _pixels(processor, held_out), torch.from_numpy(held_out.labels))


def _config() -> ViTConfig:
    names = [str(digit) for digit in range(10)]
    return ViTConfig(
        image_size=32,
        patch_size=8,
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=128,
        hidden_dropout_prob=0.1,
        initializer_range=0.1,  # about 1 / sqrt(hidden_size); the default is for 768
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )


def _fit(
    model: ViTForImageClassification, pixels: torch.Tensor, labels: torch.Tensor, epochs: int
) -> None:
    """Train with AdamW, a warm-up and a cosine decay, on slightly shifted images."""
    batches = math.ceil(len(pixels) / _BATCH)
    steps = epochs * batches
    warm_up = steps // 10 + 1
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=_PEAK_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm_up, (1 + math.cos(math.pi * step / steps)) / 2),
    )
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(pixels)).tensor_split(batches):
            logits = model(pixel_values=_shifted(pixels[chosen])).logits  # (B, 10)
            loss = torch.nn.functional.cross_entropy(logits, labels[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    model.eval()


def _shifted(pixels: torch.Tensor) -> torch.Tensor:
    """Shift each image by a random whole number of pixels; fill the edges with paper colour."""
    size = pixels.shape[-1]
    # -1 is the colour of paper after normalization.
    padded = torch.nn.functional.pad(pixels, [_LARGEST_SHIFT] * 4, value=-1.0)
    corners = torch.randint(0, 2 * _LARGEST_SHIFT + 1, (len(pixels), 2)).tolist()
    return torch.stack(
        [
            image[:, top : top + size, left : left + size]
            for image, (top, left) in zip(padded, corners, strict=True)
        ]
    )


def _pixels(processor: ViTImageProcessorPil, digits: Digits) -> torch.Tensor:
    images = [Image.fromarray(image).convert("RGB") for image in digits.images]
    pixels: torch.Tensor = processor(images, return_tensors="pt")["pixel_values"]
    return pixels  # (count, 3, 32, 32)


def _accuracy(
    model: ViTForImageClassification, pixels: torch.Tensor, labels: torch.Tensor
) -> float:
    with torch.inference_mode():
        answers = model(pixel_values=pixels).logits.argmax(dim=1)  # (count,)
    return float((answers == labels).float().mean())


def main() -> None:
    """Train the model and print its accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    accuracy = train(given.epochs, given.folder)
    print(f"{accuracy:.2%} of the held-out digits are classified correctly")  # noqa: T201 - the result


if __name__ == "__main__":
    main()
