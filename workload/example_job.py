"""A job for engine-compare: it counts the words of some texts.

Change it to your own work, then compare the engines on it:

    python -m compare --job FILE

Only inputs() and run() are needed.  Every worker process imports this file, so put what is slow
into load().  The outputs of all engines must be equal; if they may differ a little, as sums of
floats do, add a function same(a, b) that returns whether two outputs agree.
"""

import re
from collections import Counter

label = "word counts"  # the name in the report


def inputs() -> list[int]:
    """One input for each task; every input must be a value that can be pickled.

    Every engine gets the same inputs, so do not use chance, the time or the process here.  Small
    inputs are best: paths, numbers, ranges.  A relative path starts at the folder of this file.
    """
    return list(range(200))


def load() -> re.Pattern[str]:
    """Called once in each worker process; run() gets what it returns.  Leave it out if you can.

    A model, a connection to a database or an open file belongs here.
    """
    return re.compile(r"[a-z]+")


def run(number: int, words: re.Pattern[str]) -> dict[str, int]:
    """The work of one task; without load() it takes the input alone.

    It must not change its input, and must give the same output for the same input.
    """
    text = " ".join(f"the task {number} has line {line} of many" for line in range(5000))
    return dict(Counter(words.findall(text)))
