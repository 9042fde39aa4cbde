"""The installation on hosts with settings for other installations; nothing is installed here."""

import os
import re
import subprocess

import pytest

from tests.compare.command_line import REPOSITORY

SCRIPT = (REPOSITORY / "install.sh").read_text()


def function(name: str) -> str:
    """The source of a function of the script."""
    found = re.search(rf"^{name}\(\) \{{.*?^\}}$", SCRIPT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(0)


@pytest.mark.parametrize("program", ["/bin/false", "/bin/true", "/no/python"])
def test_a_python_that_is_none_is_told_and_another_one_is_found(program: str) -> None:
    done = subprocess.run(
        ["bash", "-c", "\n".join([function("say"), function("find_python"), "find_python"])],
        env={**os.environ, "PYTHON": program},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("python3")
    assert f"PYTHON={program} is no Python 3.11 or newer" in done.stderr


def test_settings_of_the_user_for_pip_do_not_reach_the_environment() -> None:
    """``PIP_USER=1``: "Can not perform a '--user' install"."""
    before_pip = SCRIPT[: SCRIPT.index("-m pip")]
    assert "export PIP_USER=0" in before_pip
    assert "unset PIP_TARGET PIP_PREFIX" in before_pip
