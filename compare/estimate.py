"""About how long an image takes here, so that the plan can say how long the run will take."""

import json
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from compare.environment import cpu_flags
from compare.records import Workload

_SIZE = 1024
_EFFICIENCY = 0.9
"""Of the speed of a large matrix product; a ViT is little else."""
_BFLOAT16_GAIN = 2.0
_DECODE_S = 0.004


def image_s(workload: Workload | None) -> float:
    """Seconds for one image on one core; 0.0 without a workload.  Takes a tenth of a second.

    Operations of a transformer: 2 per weight and token (Kaplan et al. 2020,
    https://arxiv.org/abs/2001.08361, section 2.1), attention left out.
    """
    if workload is None:
        return 0.0
    folder = Path(workload.model_folder)
    config = json.loads((folder / "config.json").read_text())
    tokens = (config.get("image_size", 224) // config.get("patch_size", 16)) ** 2 + 1
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 4
    native = {"avx512_bf16", "amx_bf16"} & cpu_flags()
    gain = _BFLOAT16_GAIN if workload.dtype == "bfloat16" and native else 1.0
    return float(_DECODE_S + 2 * weights * tokens / (_flops_per_s() * gain * _EFFICIENCY))


def _flops_per_s() -> float:
    """Of one core, in float32."""
    matrix = np.ones((_SIZE, _SIZE), dtype=np.float32)
    with threadpool_limits(limits=1):
        matrix @ matrix
        started_s = time.perf_counter()
        matrix @ matrix
        return float(2 * _SIZE**3 / (time.perf_counter() - started_s))
