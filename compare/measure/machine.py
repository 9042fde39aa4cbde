"""Facts about the machine: host, limits, load, versions, commit.  Read once before a run."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pyperf

from compare.measure.cgroup import quota_cores
from compare.records.plan import original_of
from engines.java import java_text
from engines.registry import load_engine

_PACKAGES = ("engine-compare", "torch", "transformers", "pillow", "numpy", "scipy")
_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Instructions that decide how fast a ViT is in float32 and in bfloat16."""


PASSING = frozenset({"load_average", "started_at"})
"""Facts that change while a run goes on; all others must be the same when it is resumed."""


def collect(engines: Iterable[str]) -> dict[str, object]:
    """Facts with units in their names; facts that cannot be read are left out."""
    perf = pyperf.Run([1.0], collect_metadata=True).get_metadata()
    facts: dict[str, object] = {
        "cpu_model": perf.get("cpu_model_name") or platform.processor(),
        "cpu_flags": [flag for flag in _CPU_FLAGS if flag in cpu_flags()],
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "swap_bytes": psutil.swap_memory().total,
        "dev_shm_bytes": _shared_memory_bytes(),
        "cgroup_cpu_max": _read("/sys/fs/cgroup/cpu.max"),
        "cgroup_memory_max": _read("/sys/fs/cgroup/memory.max"),
        "load_average": os.getloadavg()[0],
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "hostname": perf.get("hostname"),
        "platform": perf.get("platform"),
        "cpu_config": perf.get("cpu_config"),
        "python": perf.get("python_version"),
        "java": java_text(),
        "commit": _commit(),
        "versions": _versions(engines),
    }
    return {name: value for name, value in facts.items() if value is not None}


def usable_cores() -> int:
    """Whole cores that this process may keep busy: ``cores`` within the CPU quota."""
    quota = quota_cores()
    return cores() if quota is None else max(1, min(cores(), int(quota)))


def cores() -> int:
    """Number of cores that this process may use; a container or taskset may reduce it."""
    return len(os.sched_getaffinity(0))


def _versions(engines: Iterable[str]) -> dict[str, str]:
    needed = [
        requirement.distribution
        for engine in engines
        for requirement in load_engine(original_of(engine)).requirements
    ]
    versions = {}
    for package in (*_PACKAGES, *needed):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _commit() -> str | None:
    """The checkout's commit, with ``-dirty`` if files differ from it; ``None`` if installed."""
    root = Path(__file__).parents[2]
    described = (
        subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=False,
        )
        if shutil.which("git") and (root / ".git").exists()
        else None
    )
    return described.stdout.strip() if described is not None and described.returncode == 0 else None


def cpu_flags() -> set[str]:
    """Instruction sets of the first core."""
    text = _read("/proc/cpuinfo") or ""
    return set(next((line for line in text.splitlines() if line.startswith("flags")), "").split())


def _shared_memory_bytes() -> int | None:
    try:
        return shutil.disk_usage("/dev/shm").total  # noqa: S108 - Ray's object store
    except OSError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None
