"""What a host lacks is said before anything is measured, with the way out."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from compare.errors import UsageError
from compare.run import preflight
from compare.run.preflight import Finding
from tests.compare import fakes
from tests.compare.command_line import REPOSITORY, command, compare, small_run
from tests.compare.test_bad_input import said
from tests.hosts.anyone import UID, as_anyone, open_folder
from tests.hosts.namespace import in_namespace

DRY = ("--model", "vit-digits", "--preset", "quick", "--engines", "serial", "--dry-run")


def spelled(*arguments: object) -> str:
    return " ".join(command(*arguments))


@pytest.mark.parametrize(("mebibytes", "code"), [(150, 0), (10, 2)])
def test_a_disk_that_is_nearly_full_is_told_and_a_full_one_ends_the_run(
    mebibytes: int, code: int
) -> None:
    done = in_namespace(
        f"mount -t tmpfs -o size={mebibytes}m none /mnt && {spelled(*DRY, '--out', '/mnt/out')}"
    )
    assert done.returncode == code, done.stderr
    assert f"{mebibytes} MiB of disk left" in (done.stderr if code else done.stdout)
    assert "choose another --out" in done.stdout + done.stderr


def test_a_disk_without_a_free_byte_is_told_at_the_start() -> None:
    done = in_namespace(
        "mount -t tmpfs -o size=64k none /mnt; head -c 100k /dev/zero > /mnt/filled 2> /dev/null; "
        f"{spelled(*DRY, '--out', '/mnt')}"
    )
    assert "cannot write to /mnt: No space left on device" in said(done)


def test_a_container_with_little_shared_memory_is_told_for_the_engine_that_uses_it() -> None:
    # https://github.com/ray-project/ray/issues/14616
    small = "mount -t tmpfs -o size=64m none /dev/shm && "
    sentence = "ray: /dev/shm has 64 MiB free and Ray wants 512 for its objects"
    engines = ("--engines", "ray")
    asked = ("--model", "vit-digits", "--preset", "quick", *engines, "--dry-run", "--out", "/mnt")
    planned = in_namespace(small + spelled(*asked))
    assert planned.returncode == 0, planned.stderr
    assert sentence in planned.stdout
    assert sentence in in_namespace(small + spelled("engines")).stdout


def test_a_disk_that_ray_would_put_nothing_on_is_told() -> None:
    # https://github.com/ray-project/ray/issues/36959
    # https://github.com/InternLM/lmdeploy/issues/3457
    done = in_namespace(
        "mount -t tmpfs -o size=100m none /mnt; head -c 97M /dev/zero > /mnt/filled; "
        f"TMPDIR=/mnt {spelled('engines')}"
    )
    assert "ray: the disk of /mnt is 97% full, and above 95% Ray refuses objects" in done.stdout


def test_a_host_without_semaphores_ends_the_run() -> None:
    # https://github.com/numba/numba/issues/3344 (AWS Lambda)
    # https://github.com/celery/celery/issues/185 (a virtual server)
    done = in_namespace(f"mount -t tmpfs -o ro none /dev/shm && {spelled(*DRY, '--out', '/mnt')}")
    sentence = said(done)
    assert "gives no semaphores" in sentence
    assert "mount /dev/shm" in sentence


def test_a_host_where_nothing_can_connect_to_loopback_ends_the_run() -> None:
    done = in_namespace(spelled(*DRY, "--out", "/mnt"), "--net")
    assert "ip link set lo up" in said(done)


def test_where_no_folder_allows_programs_the_engines_that_need_one_are_left_out() -> None:
    folders = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - mounted for this test alone
    mounts = " && ".join(f"mount -t tmpfs -o noexec none {folder}" for folder in folders)
    asked = ("--model", "vit-digits", "--preset", "quick", "--engines", "ray", "--dry-run")
    # The repository may lie in one of these folders.
    at = f"mount --bind {REPOSITORY} /mnt && {mounts} && cd /mnt"
    cache = f"ENGINE_COMPARE_CACHE={folders[-1]}/cache"
    done = in_namespace(f"{at} && {cache} {spelled(*asked, '--out', f'{folders[-1]}/out')}")
    if "No such file" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("Python itself lies in a folder for temporary files")
    assert done.returncode == 0, done.stderr
    assert "ray will not be measured: engine 'ray' cannot start here: no folder" in done.stdout
    assert "set TMPDIR" in done.stdout


def test_a_process_bound_to_one_core_plans_for_it_and_says_so(tmp_path: Path) -> None:
    if os.cpu_count() == 1:
        pytest.skip("this machine has one core")
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        ["taskset", "-c", str(core), *command(*DRY, "--out", tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"may use 1 of the {os.cpu_count()} cores (it is bound to them)" in done.stdout
    assert "1 worker ×" in done.stdout


def test_few_open_files_are_told(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 128 && {spelled(*DRY, '--out', tmp_path)}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "allows 128 open files" in done.stdout
    assert "ulimit -n 1024" in done.stdout


@pytest.mark.parametrize(("limit", "code"), [(250, 0), (50, 2)])
def test_a_limit_of_processes_is_told_and_one_that_nothing_can_run_in_ends_the_run(
    limit: int, code: int
) -> None:
    # https://github.com/ray-project/ray/issues/8546
    # https://github.com/ray-project/ray/issues/54225
    with open_folder() as folder:
        limited = ["prlimit", f"--nproc={limit}", *command(*DRY, "--out", folder / "out")]
        done = as_anyone(limited, ENGINE_COMPARE_CACHE=str(folder / "cache"))
    assert done.returncode == code, done.stdout + done.stderr
    assert "ulimit -u leaves room for" in (done.stderr if code else done.stdout)
    assert "Traceback" not in done.stderr


def test_another_run_is_told_by_a_dry_run_and_ends_a_real_one(tmp_path: Path) -> None:
    with Path(f"/tmp/engine-compare-{os.getuid()}.lock").open("a+") as lock:  # noqa: S108
        fcntl.flock(lock, fcntl.LOCK_EX)
        dry = small_run(tmp_path, "--engines", "serial", "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert "another comparison runs on this machine" in dry.stdout
        real = small_run(tmp_path, "--engines", "serial", environment={"TMPDIR": str(tmp_path)})
        assert "another comparison runs on this machine" in said(real)


def test_a_user_without_a_name_measures_all_but_spark() -> None:
    """``docker run --user 12345``: Java cannot log in."""
    # https://github.com/bitnami/containers/issues/52698
    # https://github.com/jaegertracing/spark-dependencies/pull/66
    asked = ("--model", "vit-digits", "--preset", "quick", "--dry-run")
    with open_folder() as folder:
        cache = str(folder / "cache")
        done = as_anyone(command(*asked, "--out", folder / "out"), ENGINE_COMPARE_CACHE=cache)
        assert done.returncode == 0, done.stderr
        assert (
            f"spark will not be measured: engine 'spark' cannot start here: user {UID} has no"
            in (done.stdout)
        )
        assert "/etc/passwd" in done.stdout
        assert "on serial, multiprocessing, ray, dask, spark" in done.stdout
        listed = as_anyone(command("engines"))
    assert f"engine 'spark' cannot start here: user {UID}" in listed.stdout


@pytest.mark.parametrize("content", ["just words", "[loggers]\nkeys=root\n"])
def test_a_configuration_that_dask_cannot_read_leaves_dask_out_by_name(
    tmp_path: Path, content: str
) -> None:
    # https://github.com/dask/dask/issues/8799
    # https://github.com/dask/dask/issues/3913
    path = tmp_path / ".config" / "dask" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    home = {"HOME": str(tmp_path)}
    done = small_run(tmp_path / "out", "--engines", "dask", "--dry-run", environment=home)
    assert done.returncode == 0, done.stderr
    assert "dask will not be measured" in done.stdout
    assert f"cannot read its configuration {path}" in done.stdout
    assert "mend or remove that file" in compare("engines", environment=home).stdout


def test_java_home_is_named_where_it_leads_nowhere_and_the_others_are_planned(
    tmp_path: Path,
) -> None:
    # https://github.com/jupyter/notebook/issues/743
    gone = {"JAVA_HOME": "/usr/lib/jvm/removed"}
    done = small_run(tmp_path, "--engines", "spark", "--dry-run", environment=gone)
    assert done.returncode == 0, done.stderr
    assert "JAVA_HOME is /usr/lib/jvm/removed, which has no program bin/java" in done.stdout


def test_options_for_other_java_programs_do_not_leave_spark_out(tmp_path: Path) -> None:
    options = {"JAVA_TOOL_OPTIONS": "-Dversion=1 -javaagent:/gone.jar", "_JAVA_OPTIONS": "-Xno"}
    done = small_run(tmp_path, "--engines", "spark", "--dry-run", environment=options)
    assert done.returncode == 0, done.stderr
    assert "will not be measured" not in done.stdout


def test_a_limit_of_address_space_leaves_spark_out_in_java_s_own_words(tmp_path: Path) -> None:
    """``ulimit -v``, as on login nodes and under ``h_vmem``."""
    # https://github.com/riboviz/riboviz/issues/355
    asked = ("--model", "vit-digits", "--preset", "quick", "--engines", "spark", "--dry-run")
    done = subprocess.run(
        ["prlimit", f"--as={4 * 2**30}", *command(*asked, "--out", tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "spark will not be measured" in done.stdout
    assert "cannot be started (Error occurred during initialization of VM Could not" in done.stdout


def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room_bytes: int) -> list[Finding]:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"")
    os.truncate(model / "model.safetensors", 346_000_000)  # a sparse file: it takes no disk
    plan = fakes.plan(workload=fakes.workload(model_folder=str(model)))
    monkeypatch.setattr(preflight, "memory_room_bytes", lambda _: room_bytes)
    return [one for one in preflight.preflight(plan, tmp_path) if "of memory" in one.sentence]


def test_memory_for_all_workers_is_no_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found(monkeypatch, tmp_path, 4 * 2**30) == []


def test_too_little_memory_is_told_with_the_workers_that_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (finding,) = found(monkeypatch, tmp_path, 1_700_000_000)
    assert "2 workers need about 1.9 GB" in finding.sentence
    assert "use --workers 1" in finding.sentence


def test_memory_that_one_model_does_not_fit_in_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="free some memory"):
        found(monkeypatch, tmp_path, 400_000_000)


def test_without_any_folder_for_temporary_files_the_run_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preflight, "temporary_folder", lambda: None)
    with pytest.raises(UsageError, match="set TMPDIR to one that is"):
        preflight.check_host()
