"""Notes for the user as warnings of Python."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from types import FrameType

from nncodec._support.text import count_of
from nncodec.errors import NncWarning

# Packages between the user's line and the code that has something to note.
_OURS = ("nncodec", "PIL")


def warn_of(notes: Iterable[str]) -> None:
    """Warn of each note with an `NncWarning` that names the line which called this package."""
    level = _level_of_caller()
    for note in notes:
        warnings.warn(note, NncWarning, stacklevel=level)


def larger_than_input(before: int, after: int) -> tuple[str, ...]:
    """Return a note if a result of so many bytes is larger than the file that it was made from."""
    if after <= before:
        return ()
    return (f"the result is larger than the input: {before:,} -> {count_of(after, 'byte')}",)


def _level_of_caller() -> int:
    """Return the stack level, as `warn_of` counts it, of the nearest frame outside of the packages."""
    level, frame = 2, sys._getframe(2)
    while _is_ours(frame) and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package.partition("_")[0] in _OURS  # packages of formats and plugins are called nncodec_*
