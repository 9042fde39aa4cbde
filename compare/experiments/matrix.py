"""The remaining shares of a core, and all shares of a resource other than cores."""

from typing_extensions import override

from compare.experiments.experiment import Facts, Scope
from compare.experiments.fractional import NAP_S, SHARES, Fractional
from compare.experiments.section import Section
from compare.experiments.share_rows import CPUS, SLOTS, share_table
from compare.records.plan import Case

MORE_SHARES = (1.5, 0.7, 0.3)

_CORES = Section(
    title="More shares of a core",
    explanation="""As under *Shares of a core*, with shares that do not divide a core, and with more
than one core.""",
    table=share_table(CPUS),
)
_SLOTS = Section(
    title="Shares of a resource that is no core",
    explanation="""The same for a resource called *slot*; there is one slot for each worker.""",
    table=share_table(SLOTS),
)


class Matrix(Fractional):
    """Measured and evaluated like ``fractional``."""

    name = "matrix"
    sections = (_CORES, _SLOTS)

    @override
    def cases(self, scope: Scope) -> tuple[Case, ...]:
        everything = sorted((*SHARES, *MORE_SHARES), reverse=True)
        nap_s = NAP_S.of(scope.preset) / 2
        return (
            *(self.case(CPUS, share, nap_s) for share in MORE_SHARES),
            *(self.case(SLOTS, share, nap_s) for share in everything),
        )

    @override
    def answer(self, facts: Facts) -> str | None:
        return None
