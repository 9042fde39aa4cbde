"""What engines have in common that give every task a whole process."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from typing_extensions import override

from engines.errors import CpusRejectedError
from engines.interface import Engine, Input, Output


class WithoutShares(Engine):
    """Refuses shares of a core, and of other resources, before it runs any task."""

    taker: ClassVar[str]
    """What takes the tasks, in the words of the refusal: ``an actor``."""

    @override
    def run(
        self,
        function: Callable[[Input], Output],
        inputs: Sequence[Input],
        *,
        cpus: float = 1.0,
        slots: float | None = None,
    ) -> Iterator[tuple[int, Output]]:
        if slots is not None:
            raise CpusRejectedError(f"{self.taker} has no resources that a task could request")
        if cpus != 1.0:
            raise CpusRejectedError(
                f"{self.taker} gives every task one process, regardless of its needs; a task "
                f"cannot request {cpus:g} cores"
            )
        return self._results(function, inputs)

    @abstractmethod
    def _results(
        self, function: Callable[[Input], Output], inputs: Sequence[Input]
    ) -> Iterator[tuple[int, Output]]:
        """Run the tasks, each as soon as a process is free; yield as ``run`` does."""
