"""Engines on hosts that are set up for something else; the failure carries its cause."""

import shutil
from pathlib import Path

import pytest

from engines.java import java_text
from tests.compare.command_line import REPOSITORY, command, run_folder, small_run
from tests.hosts.anyone import as_anyone, open_folder
from tests.hosts.namespace import in_namespace

pytestmark = [pytest.mark.compares, pytest.mark.timeout(360)]

_QUICKLY = ("--experiments", "timeline")


def test_spark_that_does_not_start_tells_java_s_own_words_and_the_log(tmp_path: Path) -> None:
    # https://github.com/jupyter/jupyter/issues/248: nobody sees more than "gateway exited"
    real = shutil.which("java")
    if real is None or java_text() is None:
        pytest.skip("there is no Java")
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *-version) exec {real} "$@";; esac\n'
        "echo 'Error: the moon is in the way' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    asked = ("--engines", "spark", *_QUICKLY)
    done = small_run(tmp_path / "out", *asked, environment={"JAVA_HOME": str(home)})
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "FAILED" in line)
    assert "JAVA_GATEWAY_EXITED" in line
    assert "the moon is in the way" in line
    log = line.split("its log is ")[1].split(",")[0]
    assert (run_folder(tmp_path / "out") / log).is_file()


def test_spark_starts_where_the_name_of_the_host_leads_nowhere(tmp_path: Path) -> None:
    # https://github.com/sparklyr/sparklyr/issues/2045
    small = ("--model", "vit-digits", "--preset", "quick", "--blocks", "1", "--n-images", "24")
    asked = ("--engines", "spark", *_QUICKLY, "--out", tmp_path)
    line = f"hostname nowhere-at-all && {' '.join(command(*small, *asked))}"
    done = in_namespace(line, "--uts")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_warning_of_a_library_is_no_error_in_a_shell_for_tests(tmp_path: Path) -> None:
    done = small_run(
        tmp_path, "--engines", "spark", "--dry-run", environment={"PYTHONWARNINGS": "error"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_all_engines_but_spark_run_for_a_user_whom_nobody_has_prepared_anything_for() -> None:
    """No name, no home, a folder that cannot be written, one core, a long TMPDIR, and a proxy that
    cannot be reached.
    """
    # https://github.com/ray-project/ray/issues/14350
    # https://github.com/ray-project/ray/issues/37757
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy")
    proxies = dict.fromkeys(names, "http://127.0.0.1:9")
    with open_folder() as folder:
        scratch = folder / ("t" * 90)
        scratch.mkdir()
        scratch.chmod(0o777)
        small = ("--model", "vit-digits", "--preset", "quick", "--blocks", "1", "--n-images", "8")
        asked = ("--engines", "ray,spark", *_QUICKLY, "--out", folder / "out")
        done = as_anyone(
            ["taskset", "-c", "0", *command(*small, *asked)],
            within="/proc",
            PYTHONPATH=str(REPOSITORY),
            TMPDIR=str(scratch),
            **proxies,
        )
        summary = (folder / "out" / "summary.md").read_text()
    assert done.returncode == 2, done.stdout + done.stderr
    assert "spark will not be measured: engine 'spark' cannot start here: user" in done.stdout
    assert "FAILED" not in done.stdout
    assert "/etc/passwd" in summary
