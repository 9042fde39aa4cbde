"""Refuses shares of a core on behalf of engines that give every task a whole process."""

from engines.errors import CpusRejectedError


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
