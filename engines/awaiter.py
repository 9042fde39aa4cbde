"""For the frameworks with actors: one that runs all its calls as coroutines of one event loop."""

from collections.abc import Awaitable, Callable

from engines.interface import Input, Output


class Awaiter:
    """Awaits coroutine functions."""

    async def call(self, function: Callable[[Input], Awaitable[Output]], value: Input) -> Output:
        """One task."""
        return await function(value)
