"""What the other forms of Ray have in common: they run on the same private node."""

from collections.abc import Iterator
from typing import ClassVar

from typing_extensions import override

from engines._ray.host import hindrances
from engines._ray.opening import cores
from engines.environment import Framework, folder_obstacle
from engines.shares import WithoutShares


class RayForm(WithoutShares):
    """Another form of Ray."""

    plain: ClassVar[str | None] = "ray"
    _ray: Framework

    @override
    @classmethod
    def obstacles(cls) -> Iterator[str]:
        return folder_obstacle()

    @override
    @classmethod
    def hindrances(cls) -> Iterator[str]:
        return hindrances()

    @override
    def workers(self) -> int:
        # Actors hold one core each, as tasks do.
        return cores(self._ray)
