"""The scenario in which an engine ships code and packages to its workers."""

import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from compare.measure.parcels import Copy, new_copy, write_code, write_wheel
from engines.interface import Capability, Engine
from engines.parcel import Code, Package, Run, Wheel
from tests.engines import tasks

TASKS = 6


def ships(engine: Engine) -> dict[str, object]:
    """Ship code, a second version of it, and a wheel; or nothing, if the engine cannot."""
    with tempfile.TemporaryDirectory(prefix="ec-parcel-") as name:
        folder = Path(name)
        code, wheel = new_copy(), new_copy()
        other = Copy(code.name, new_copy().mark)
        try:
            run = engine.ship(_code(code, folder / "first"))
        except NotImplementedError:
            return {"marks": None}
        marks = {"code": _answers(run, code.name)}
        second = engine.ship(_code(other, folder / "second"))
        marks["second version"] = _answers(second, code.name)
        marks["first version"] = _answers(run, code.name)
        run = engine.ship(Wheel(file=write_wheel(wheel, folder)))
        marks["wheel"] = _answers(run, wheel.name)
        return {
            "marks": marks,
            "sent": {"code": code.mark, "other": other.mark, "wheel": wheel.mark},
            "unshipped": _answers(engine.run, wheel.name),
        }


def installs(engine: Engine) -> dict[str, object]:
    """Let the engine install a package by its name, if it can."""
    if Capability.INSTALLS not in engine.capabilities:
        return {"marks": None}
    with tempfile.TemporaryDirectory(prefix="ec-parcel-") as name:
        copy = new_copy()
        write_wheel(copy, Path(name))
        marks = _answers(engine.ship(Package(name=copy.name, wheels=Path(name))), copy.name)
    here = Path(sysconfig.get_paths()["purelib"])
    return {
        "marks": marks,
        "sent": copy.mark,
        "changed": [path.name for path in here.iterdir() if path.name.startswith(copy.name)],
    }


def _code(copy: Copy, folder: Path) -> Code:
    folder.mkdir()
    return Code(folder=write_code(copy, folder))


def _answers(run: Run, package: str) -> Sequence[str]:
    return [answer for _, answer in run(tasks.answer_of, [package] * TASKS)]
