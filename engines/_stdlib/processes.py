"""What the pools of processes have in common."""

SPAWN_REASON = (
    "a forked process (the default on Linux before Python 3.14) has torch's locks but not its "
    "threads, and may hang; spawned workers start clean, as those of other engines do"
)
