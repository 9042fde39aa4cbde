"""Scikit-learn's handwritten digits, and which of them the model has never seen.

Only this module defines the split: the training script uses the first part, and the images to
classify come from the second.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

HELD_OUT = 360
"""One fifth of the 1797 digits, with every class in proportion."""


class Digits(NamedTuple):
    """Images of digits and their labels."""

    images: npt.NDArray[np.uint8]
    """Shape ``(count, 8, 8)``; ink is bright."""
    labels: npt.NDArray[np.int64]
    """Shape ``(count,)``; values 0 … 9 in no particular order."""


def split() -> tuple[Digits, Digits]:
    """The training digits and the ``HELD_OUT`` others; the split is always the same."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    # Stored values are 0 … 16: the number of dark pixels in a 4 by 4 square of the scan.
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)  # (1797, 8, 8)
    train, held_out, train_labels, held_out_labels = train_test_split(
        images, data.target, test_size=HELD_OUT, stratify=data.target, random_state=0
    )
    return Digits(train, train_labels), Digits(held_out, held_out_labels)
