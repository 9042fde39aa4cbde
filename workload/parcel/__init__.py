"""A small package that workers can import already; copies of it with another mark are shipped.

Only tasks import it: a worker that forked from a process with it would have it for nothing.
"""

from .answer import answer

__all__ = ["answer"]
