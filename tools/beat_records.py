"""What ``tools.autoscaler_beat`` has measured: its file, and its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter

from compare.formatting import seconds
from tools.page_tables import table

PUBLISHED = Path(__file__).parents[1] / "docs/example/autoscaler-beat.json"
_HEAD = (
    "nodes",
    "nodes wanted",
    "asked for after",
    "an update takes",
    "autoscaler (cores)",
    "GCS (cores)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One kind of demand on a cluster of one size."""

    nodes: int
    """That are registered, all of them with a task on their only core."""
    wanted: int
    """Tasks that wait, of one core each."""
    decisions_s: tuple[float, ...] = ()
    """Seconds from the submission of the tasks until the provider was asked for a node."""
    updates_s: tuple[float, ...] = ()
    """Seconds of the updates that asked, without the pause after them; of many tasks, two more."""
    autoscaler_cores: float | None = None
    """CPU seconds of the autoscaler's process a second."""
    gcs_cores: float | None = None
    """The same of Ray's control store."""
    refusal: str | None = None
    """Why there is no decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beats:
    """All lines of a run, and where they were measured."""

    pause_s: float
    """Seconds that the autoscaler sleeps after each update."""
    facts: dict[str, object]
    """About the machine, without its name."""
    lines: tuple[Line, ...]


_BEATS = TypeAdapter(Beats)


def read(file: Path) -> Beats:
    """The run in a file."""
    return _BEATS.validate_json(file.read_bytes())


def write(beats: Beats, file: Path) -> None:
    """Put a run into a file."""
    file.write_bytes(_BEATS.dump_json(beats, indent=1) + b"\n")


def beat_table(beats: Beats) -> str:
    """The table of a run in Markdown: medians, in parentheses the lowest and the highest value."""
    return table(_HEAD, [_cells(line) for line in beats.lines])


def _cells(line: Line) -> list[str]:
    decision = f"no number: {line.refusal}" if line.refusal else _spread(line.decisions_s)
    cores = (line.autoscaler_cores, line.gcs_cores)
    return [
        f"{line.nodes:,}",
        f"{line.wanted:,}",
        decision,
        _spread(line.updates_s),
        *("–" if one is None else f"{one:.2f}" for one in cores),
    ]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    middle = seconds(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({' to '.join(seconds(end(values), digits=2) for end in (min, max))})"
