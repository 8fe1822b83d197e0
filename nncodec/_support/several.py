"""Arguments that hold many things: a single one in their place is told, rather than taken apart."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from nncodec.errors import InvalidOption

_T = TypeVar("_T")


def several(option: str, given: Iterable[_T]) -> list[_T]:
    """Return a list of what a caller gave to a function that takes many; a generator is used up.

    Raises:
        InvalidOption: it is a single path, picture, file or stream. Some of these are sequences, too: of letters, of
            numbers or of lines.
    """
    is_single = isinstance(given, str | bytes | bytearray | memoryview | os.PathLike) or hasattr(given, "read")
    if is_single or not (hasattr(given, "__iter__") or hasattr(given, "__getitem__")):
        reason = f"a sequence is needed, got {type(given).__name__}; put a single one into a list"
        raise InvalidOption(option=option, reason=reason)
    return list(given)
