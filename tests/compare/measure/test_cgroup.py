"""What the kernel tells, from files like its own."""

from pathlib import Path

import pytest

from compare.measure.cgroup import Counters, counters, memory_room_bytes, oom_kills, quota_cores

GIB = 2**30
VMSTAT = "pgfault 17\npswpin 3\npswpout 4\noom_kill 9\n"
MEMINFO = f"MemTotal: {32 * GIB // 1024} kB\nMemAvailable: {20 * GIB // 1024} kB\n"


def host(root: Path, files: dict[str, str]) -> Path:
    files = {"proc/vmstat": VMSTAT, "proc/meminfo": MEMINFO, **files}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def bare(root: Path) -> Path:
    return host(root, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.stat": "usage_usec 1\n"})


def version_2(root: Path) -> Path:
    """Limits on the group above that of the process."""
    above, own = "sys/fs/cgroup/box", "sys/fs/cgroup/box/leaf"
    return host(
        root,
        {
            "proc/self/cgroup": "0::/box/leaf\n",
            f"{above}/cpu.stat": "usage_usec 7\nnr_throttled 5\nthrottled_usec 2500000\n",
            f"{own}/cpu.stat": "usage_usec 7\nnr_throttled 0\nthrottled_usec 0\n",
            f"{own}/memory.events": "low 0\noom 1\noom_kill 2\n",
            f"{own}/memory.max": "max\n",
            f"{own}/memory.current": f"{GIB}\n",
            f"{above}/memory.max": f"{4 * GIB}\n",
            f"{above}/memory.current": f"{3 * GIB}\n",
            f"{above}/memory.stat": f"anon 5\ninactive_file {GIB}\n",
        },
    )


def version_1(root: Path) -> Path:
    """As in a container that sees the host's path, and its own group where the top is."""
    cpu, memory = "sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory"
    return host(
        root,
        {
            "proc/self/cgroup": "4:memory:/docker/1a\n2:cpu,cpuacct:/docker/1a\n0::/docker/1a\n",
            f"{cpu}/cpu.stat": "nr_periods 9\nnr_throttled 5\nthrottled_time 2500000000\n",
            f"{memory}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            f"{memory}/memory.limit_in_bytes": f"{4 * GIB}\n",
            f"{memory}/memory.usage_in_bytes": f"{3 * GIB}\n",
            f"{memory}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\n",
        },
    )


@pytest.mark.parametrize("version", [version_1, version_2])
def test_a_control_group_tells_of_throttling_of_kills_and_of_the_room_it_leaves(
    tmp_path: Path, version: object
) -> None:
    assert callable(version)
    root = version(tmp_path)
    told = counters(root)
    assert (told.throttled_periods, told.throttled_s) == (5, 2.5)
    assert oom_kills(root) == 2
    # 4 GiB of limit, 3 GiB in use; 1 GiB of these is a cache, and so much is one's own.
    assert memory_room_bytes(GIB // 2, root) == 2.5 * GIB


def test_without_limits_there_is_what_the_host_has_available(tmp_path: Path) -> None:
    root = bare(tmp_path)
    assert memory_room_bytes(GIB, root) == 21 * GIB
    assert oom_kills(root) == 9
    assert (counters(root).throttled_periods, counters(root).throttled_s) == (None, None)


def test_a_limit_of_version_1_that_is_none_is_not_taken_for_one(tmp_path: Path) -> None:
    root = version_1(tmp_path)
    (root / "sys/fs/cgroup/memory/memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert memory_room_bytes(0, root) == 20 * GIB


def test_swapping_is_counted_in_both_directions(tmp_path: Path) -> None:
    before = counters(bare(tmp_path)).swapped_bytes
    (tmp_path / "proc/vmstat").write_text("pswpin 4\npswpout 6\n")
    after = counters(tmp_path).swapped_bytes
    assert before is not None
    assert after is not None
    assert after - before == 3 * 4096


def test_what_the_kernel_does_not_tell_is_none(tmp_path: Path) -> None:
    assert counters(tmp_path) == Counters(
        throttled_periods=None, throttled_s=None, swapped_bytes=None
    )
    assert oom_kills(tmp_path) is None
    assert memory_room_bytes(1, tmp_path) is None


def test_this_machine_tells_how_much_room_there_is() -> None:
    room = memory_room_bytes(0)
    assert room is not None
    assert room > 0


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/box/leaf\n",
                "sys/fs/cgroup/box/leaf/cpu.max": "max 100000\n",
                "sys/fs/cgroup/box/cpu.max": "50000 100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu,cpuacct:/docker/1a\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu,cpuacct:/docker/1a\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
    ids=["no quota", "one and a half", "of the group above", "version 1", "version 1, none"],
)
def test_the_smallest_cpu_quota_of_all_levels_counts(
    tmp_path: Path, files: dict[str, str], cores: float | None
) -> None:
    assert quota_cores(host(tmp_path, files)) == cores
