"""An actor class for frameworks with actors: its calls run as coroutines on one event loop."""

from collections.abc import Awaitable, Callable

from engines.interface import Input, Output


class Awaiter:
    """An actor that awaits coroutine functions."""

    async def call(self, function: Callable[[Input], Awaitable[Output]], value: Input) -> Output:
        """Run one task."""
        return await function(value)
