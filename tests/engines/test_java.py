"""The Java that Spark would start is asked as a session starts it."""

from pathlib import Path

import pytest

from engines.java import java_major, java_obstacle, java_text

BOOT = "--add-modules=jdk.incubator.vector"


def java(folder: Path, script: str) -> str:
    """A JAVA_HOME whose Java is this shell script."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        (None, 0),
    ],
)
def test_the_version_is_parsed_from_the_line_that_java_prints(
    text: str | None, version: int
) -> None:
    assert java_major(text) == version


def test_without_java_the_remedy_is_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (obstacle,) = java_obstacle()
    assert "found none on PATH" in obstacle
    assert "apt-get install openjdk-17" in obstacle


def test_a_java_home_that_is_gone_is_named_and_nothing_has_to_be_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nonexistent")
    (obstacle,) = java_obstacle()
    assert obstacle.startswith("JAVA_HOME is /nonexistent, which has no program bin/java")
    assert "unset it" in obstacle
    assert "apt-get" not in obstacle


def test_options_for_other_programs_do_not_hide_the_java_that_a_session_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Java prints them, and an agent that is gone ends it; a session removes the variables."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-javaagent:/gone/agent.jar -Dversion=1")
    monkeypatch.setenv("_JAVA_OPTIONS", "-XX:NoSuchOption")
    assert list(java_obstacle(BOOT)) == []
    assert java_major(java_text()) >= 17


def test_a_java_for_another_processor_is_told_by_the_words_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = java(tmp_path, "")
    (tmp_path / "bin" / "java").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(64))
    monkeypatch.setenv("JAVA_HOME", home)
    (obstacle,) = java_obstacle()
    assert "Exec format error" in obstacle
    assert java_text() is None


def test_a_java_that_lacks_what_spark_needs_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "java.lang.module.FindException: Module jdk.incubator.vector not found"
    script = (
        f"[ \"$1\" = -version ] && echo 'openjdk version \"25\"' && exit; echo '{words}'; exit 1"
    )
    monkeypatch.setenv("JAVA_HOME", java(tmp_path, script))
    assert list(java_obstacle()) == []
    (obstacle,) = java_obstacle(BOOT)
    assert words in obstacle
    assert "set JAVA_HOME" in obstacle


def test_a_java_that_is_too_old_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "echo 'java version \"1.8.0_402\"' >&2"
    monkeypatch.setenv("JAVA_HOME", java(tmp_path, script))
    (obstacle,) = java_obstacle()
    assert f"found 8 in {tmp_path}/bin/java" in obstacle
