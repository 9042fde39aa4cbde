"""The error that the user can correct."""


class UsageError(Exception):
    """A mistake of the user, in one sentence: thing, cause and next step; exit code 2."""
