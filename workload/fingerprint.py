"""A short text for a value: equal values have equal texts, in every process and on every host.

Pickles do not have that property: the order of a set depends on the process, and an object that
occurs twice is stored once.
"""

import dataclasses
import hashlib
import pickle
from collections.abc import Iterator
from typing import Any

_CHARACTERS = 16


def fingerprint(value: object) -> str:
    """Sixteen characters.

    Containers, dataclasses and arrays of numpy are equal if their contents are; floats are compared
    to the last bit, and a NaN equals a NaN.  Of other objects the pickle is taken.
    """
    digest = hashlib.sha256()
    try:
        for part in _parts(value):
            digest.update(part)
    except RecursionError:  # the value contains itself
        digest = hashlib.sha256(pickle.dumps(value))
    return digest.hexdigest()[:_CHARACTERS]


def _parts(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - any value of the user
    """The content as bytes; with types and lengths, so that no two values run together."""
    kind = type(value)
    yield f"{kind.__module__}.{kind.__qualname__}:".encode()
    if kind in (type(None), bool, int, float, complex):
        yield repr(value).encode() + b";"
    elif kind in (str, bytes):
        content = value.encode("utf-8", "surrogatepass") if kind is str else value
        yield f"{len(content)}:".encode() + content
    elif kind in (list, tuple):
        yield f"{len(value)}:".encode()
        for item in value:
            yield from _parts(item)
    elif kind in (set, frozenset):
        yield from _sorted(b"".join(_parts(item)) for item in value)
    elif kind is dict:
        yield from _sorted(b"".join(_parts(pair)) for pair in value.items())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _parts((field.name, getattr(value, field.name)))
    elif kind.__module__ == "numpy" and hasattr(value, "dtype") and not value.dtype.hasobject:
        yield from _parts((value.dtype.str, tuple(value.shape), value.tobytes()))
    else:
        content = pickle.dumps(value)
        yield f"{len(content)}:".encode() + content


def _sorted(items: Iterator[bytes]) -> Iterator[bytes]:
    ordered = sorted(items)
    yield f"{len(ordered)}:".encode()
    yield from ordered
