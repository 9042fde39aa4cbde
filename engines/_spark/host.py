"""What Spark needs of this host, beside its package."""

import os
import pwd
import shutil
from collections.abc import Iterator

from engines._spark.settings import JAVA_OPTIONS
from engines.environment import folder_obstacle
from engines.java import FOREIGN_VARIABLES, java_obstacle

FOREIGN = (*FOREIGN_VARIABLES, "BASH_ENV", "CDPATH")
"""Variables for other programs that a session removes: options of Java, and what changes what bash
does and prints in Spark's scripts."""


def obstacles() -> Iterator[str]:
    """Why Spark cannot start here; each sentence ends with the remedy."""
    yield from folder_obstacle()
    yield from java_obstacle(*JAVA_OPTIONS)
    if shutil.which("bash") is None:
        yield "Spark's scripts need bash, which is not on PATH: apt-get install bash"
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        yield (
            f"user {os.getuid()} has no name, and Java cannot log in without one: add the user to "
            "/etc/passwd, or start the container as a user of its image"
        )
