"""Estimates how long a session will take, before it is measured."""

import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from compare.experiments.experiment import Pace
from compare.experiments.registry import load_experiment
from compare.measure.adapters import adapter_of, capabilities
from compare.measure.machine import cpu_flags
from compare.records.plan import Plan, Session, Workload, workers_of
from workload.model_folder import tokens, used_files

# Seconds of a session without its cases: it starts processes, imports frameworks and torch, loads
# the model and closes everything.  Measured on a 2-core server; used for the estimate only.
_SESSION_S = 5.0
_MODEL_S = 4.5
_CLUSTER_S = 25.0
"""Additional seconds for containers that are started and removed."""

_SIZE = 1024
_EFFICIENCY = 0.9
"""Speed of a ViT, relative to a large matrix product, which is most of its work."""
_BFLOAT16_GAIN = 2.0
_DECODE_S = 0.004


def expected_s(plan: Plan, session: Session, image_s: float) -> float:
    """Approximate seconds of a session when one core needs ``image_s`` for an image."""
    pace = Pace(
        workers=workers_of(session.engine, session.workers),
        image_s=image_s,
        fixed_s=adapter_of(session.engine).fixed_s,
    )
    experiments = [load_experiment(case.experiment) for case in session.cases]
    site = plan.site_of(session.engine)
    classifies = any(experiment.classifies for experiment in experiments)
    return (
        _SESSION_S
        + (_CLUSTER_S if plan.options.composed else 0.0)
        + (_MODEL_S if classifies else 0.0)
        + sum(
            experiment.expected_s(plan, case, pace)
            for experiment, case in zip(experiments, session.cases, strict=True)
            if experiment.needs(case) <= capabilities(session.engine)
            and experiment.inapplicable(case, site) is None
        )
    )


def workload_image_s(workload: Workload | None) -> float:
    """Seconds of one image of a workload on one core; 0.0 without a workload."""
    return 0.0 if workload is None else image_s(Path(workload.model_folder), workload.dtype)


def image_s(model_folder: Path, dtype: str) -> float:
    """Seconds of one image on one core.  The call takes 0.1 s.

    A transformer needs 2 operations per weight and token (Kaplan et al. 2020,
    https://arxiv.org/abs/2001.08361, section 2.1); attention is left out.
    """
    weights = sum(path.stat().st_size for path in used_files(model_folder)) / 4
    native = {"avx512_bf16", "amx_bf16"} & cpu_flags()
    gain = _BFLOAT16_GAIN if dtype == "bfloat16" and native else 1.0
    return float(
        _DECODE_S + 2 * weights * tokens(model_folder) / (_flops_per_s() * gain * _EFFICIENCY)
    )


def _flops_per_s() -> float:
    """Floating-point operations per second of one core, in float32."""
    matrix = np.ones((_SIZE, _SIZE), dtype=np.float32)
    with threadpool_limits(limits=1):
        matrix @ matrix
        started_s = time.perf_counter()
        matrix @ matrix
        return float(2 * _SIZE**3 / (time.perf_counter() - started_s))
