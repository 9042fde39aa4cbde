"""The registry finds the engines of other packages by their entry points."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import registry
from engines.registry import ENTRY_POINT_GROUP, engine_names, load_engine


@pytest.fixture
def toy_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "toy_engine.py").write_text(
        "from engines._stdlib.loop import SerialEngine as ToyEngine\n"
    )
    about = tmp_path / "toy_engine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\ntoy = toy_engine:ToyEngine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._paths.cache_clear()  # noqa: SLF001 - cached for the process, but this test changes it
    yield
    registry._paths.cache_clear()  # noqa: SLF001


@pytest.mark.usefixtures("toy_package")
def test_an_engine_of_another_package_is_listed_last_and_can_be_loaded() -> None:
    assert engine_names()[-1] == "toy"
    assert load_engine("toy").__module__ == "engines._stdlib.loop"
