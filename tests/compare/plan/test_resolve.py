"""What a plan says of the batch of images."""

from pathlib import Path

import pytest

from compare.options import Options
from compare.plan import resolve


@pytest.mark.parametrize(
    ("said", "images", "chunk"),
    [({}, 8, 1), ({"chunk": 2}, 16, 2), ({"n_images": 12}, 12, 2)],
    ids=["nothing is said", "images per task", "images"],
)
def test_a_slow_machine_gets_smaller_tasks_unless_the_user_says_how_many_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: dict[str, int], images: int, chunk: int
) -> None:
    monkeypatch.setattr(resolve, "image_s", lambda *_: 0.7)
    asked = Options(
        engines="serial",
        experiments="throughput",
        model="vit-digits",
        workers=2,
        out=tmp_path,
        **said,  # type: ignore[arg-type]
    )
    plan = resolve.prepare(asked)
    assert plan.workload is not None
    assert (len(plan.workload.images), plan.workload.chunk) == (images, chunk)
    # The plan names them, so that a run with the same options can be planned elsewhere.
    assert (plan.options.n_images, plan.options.chunk) == (images, chunk)
