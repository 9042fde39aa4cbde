"""The first lines of the report: the answers of the experiments, or what was measured.

Every sentence has its numbers and says which differences were not shown.  Nothing is extrapolated
to other machines.
"""

from compare.analysis.analysis import Analysis
from compare.formatting import enumeration


def headline(analysis: Analysis) -> tuple[str, ...]:
    """One sentence for each experiment that has an answer; if none has, what was measured."""
    if analysis.headline:
        return analysis.headline
    experiments = enumeration([f"`{name}`" for name in analysis.plan.experiments])
    engines = enumeration([f"`{name}`" for name in analysis.plan.engines])
    return (f"This run measured {experiments} on {engines}; the tables below have the results.",)
