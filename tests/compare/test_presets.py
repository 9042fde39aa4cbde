"""How many images a run classifies, and how many a task has."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.options import PresetName
from compare.presets import BATCH_S, CHUNK, FEWEST_TASKS, MOST_IMAGES, batch

_presets = st.sampled_from(PresetName)
_image_s = st.floats(0.001, 10.0)
_workers = st.integers(1, 64)


@given(_presets, _image_s, _workers)
def test_a_batch_takes_about_as_long_as_wanted_on_any_machine(
    preset: PresetName, image_s: float, workers: int
) -> None:
    images, chunk = batch(preset, image_s, workers)
    ratio = images * image_s / workers / BATCH_S.of(preset)
    fewest = images == FEWEST_TASKS * chunk * workers
    # Half of 15 images are 7.
    assert ratio > 0.65 or images >= MOST_IMAGES
    assert ratio < math.sqrt(2) + 0.01 or (fewest and chunk == 1)


@given(_presets, _image_s, _workers)
def test_all_workers_get_equally_many_tasks_and_enough_of_them(
    preset: PresetName, image_s: float, workers: int
) -> None:
    images, chunk = batch(preset, image_s, workers)
    assert images >= FEWEST_TASKS * chunk * workers
    assert images % (chunk * workers) == 0 or images >= MOST_IMAGES


@given(_presets, _image_s, _workers, st.integers(1, 60))
def test_the_images_per_task_that_a_user_gives_are_kept(
    preset: PresetName, image_s: float, workers: int, chunk: int
) -> None:
    assert batch(preset, image_s, workers, chunk)[1] == chunk


@pytest.mark.parametrize(
    ("image_s", "expected"), [(0.07, (64, 2)), (0.4, (16, 2)), (0.65, (8, 1)), (3.0, (8, 1))]
)
def test_where_an_image_takes_long_a_task_has_fewer(
    image_s: float, expected: tuple[int, int]
) -> None:
    assert CHUNK.of(PresetName.STANDARD) == 2
    assert batch(PresetName.STANDARD, image_s, 2) == expected
