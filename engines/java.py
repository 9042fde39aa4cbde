"""Finds the Java that Spark's scripts would start, and asks it as a session will start it."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST_JAVA = 17
FOREIGN_VARIABLES = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")
"""Variables with options for other programs; a session removes them."""
_INSTALL = "apt-get install openjdk-17-jre-headless"
_ANSWER_S = 30
_VERSION = re.compile(r'[\w.-]+ version "(?:1\.)?(\d+)')
"""Java 9 and later print a version like "17.0.15", older ones like "1.8.0_402"."""


def java_text(*options: str) -> str | None:
    """The line with the version that Java prints; ``None`` if it cannot be started with these."""
    java = _java()
    lines = () if java is None else _answer(java, options)[1]
    return next((line for line in lines if _VERSION.match(line)), None)


def java_obstacle(*options: str) -> Iterator[str]:
    """Why no Java that is new enough starts with these options; nothing if one does."""
    home = os.environ.get("JAVA_HOME")
    remedy = (
        f"set JAVA_HOME to a Java {OLDEST_JAVA} or newer, or unset it to take the one on PATH"
        if home
        else _INSTALL
    )
    java = _java()
    if java is None:
        yield (
            f"JAVA_HOME is {home}, which has no program bin/java: {remedy}"
            if home
            else f"it needs Java {OLDEST_JAVA} or newer, found none on PATH or in JAVA_HOME: "
            f"{remedy}"
        )
        return
    started, lines = _answer(java, options)
    version = java_major(java_text(*options))
    if not started or not version:
        words = " ".join(lines[:2]) or "it says nothing"
        yield f"{java} cannot be started ({words}): {remedy}"
    elif version < OLDEST_JAVA:
        yield f"it needs Java {OLDEST_JAVA} or newer, found {version} in {java}: {remedy}"


def java_major(text: str | None) -> int:
    """The major version in a line of ``java -version``; 0 if there is none."""
    found = _VERSION.match(text or "")
    return int(found.group(1)) if found else 0


def _java() -> str | None:
    """The program, found as Spark's scripts find it: in JAVA_HOME, else on PATH."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    return java if java is not None and os.access(java, os.X_OK) else None


@functools.cache
def _answer(java: str, options: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """Whether this Java starts with these options, and the lines that it prints."""
    environment = {
        name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES
    }
    try:
        done = subprocess.run(
            [java, *options, "-version"],
            env=environment,
            stdout=subprocess.PIPE,
            # Some failures of the JVM are printed to standard output.
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_ANSWER_S,
            check=False,
        )
    except OSError as error:  # a program for another processor
        return False, (error.strerror or str(error),)
    except subprocess.TimeoutExpired:
        return False, (f"no answer within {_ANSWER_S} s",)
    return done.returncode == 0, tuple(filter(None, map(str.strip, done.stdout.splitlines())))
