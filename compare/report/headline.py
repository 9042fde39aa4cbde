"""The first lines of the report: the answers of the experiments, or what was asked.

Every sentence has its numbers and says which differences were not shown.  Nothing is extrapolated
to other machines.
"""

from compare.analysis.analysis import Analysis
from compare.formatting import enumeration


def headline(analysis: Analysis) -> tuple[str, ...]:
    """A sentence for each experiment of the plan that answers in one; else what was asked."""
    if analysis.headline:
        return analysis.headline
    experiments = enumeration([f"`{name}`" for name in analysis.plan.experiments])
    engines = enumeration([f"`{name}`" for name in analysis.plan.engines])
    return (f"This run measured {experiments} on {engines}; the tables below answer.",)
