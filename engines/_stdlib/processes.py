"""What the pools of processes in the standard library have in common."""

from engines.errors import CpusRejectedError

SPAWN_REASON = (
    "a forked process (the default on Linux before Python 3.14) has torch's locks but not its "
    "threads, and may hang; spawned workers start clean, as those of other engines do"
)


def refuse_shares(who: str, cpus: float, slots: float | None) -> None:
    """Refuse whatever is not one whole process for each task.

    Raises:
        CpusRejectedError: the tasks request a share of a core, or of another resource.
    """
    if slots is not None:
        raise CpusRejectedError(f"{who} has no resources that a task could request")
    if cpus != 1.0:
        raise CpusRejectedError(
            f"{who} gives every task one process, regardless of its needs; a task cannot request "
            f"{cpus:g} cores"
        )
