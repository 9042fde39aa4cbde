"""What the user has to change."""


class UsageError(Exception):
    """One sentence that names the thing, the cause and the next step; exit code 2."""
