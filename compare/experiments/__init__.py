"""The experiments, by the name the command line knows, each in a module of its own."""

from compare.experiments.base import Experiment
from compare.experiments.dependencies import Dependencies
from compare.experiments.fractional import Fractional, Matrix
from compare.experiments.granularity import Granularity
from compare.experiments.hybrid import Hybrid
from compare.experiments.imbalance import Imbalance
from compare.experiments.lying import Lying
from compare.experiments.overhead import Overhead
from compare.experiments.payload import Payload
from compare.experiments.residency import Residency
from compare.experiments.scaling import Scaling
from compare.experiments.submission import Submission
from compare.experiments.throughput import Throughput
from compare.experiments.timeline import Timeline

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Throughput(),
        Overhead(),
        Submission(),
        Fractional(),
        Matrix(),
        Lying(),
        Hybrid(),
        Granularity(),
        Residency(),
        Scaling(),
        Imbalance(),
        Payload(),
        Timeline(),
        Dependencies(),
    )
}
