"""Python's filters of warnings, changed for a moment by one thread at a time.

`warnings.catch_warnings` puts back the filters that it found. They are the process's: of two threads that change them
in turn, the one that ends last puts back those of the other, for good, and each catches what was meant for the other.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Literal

from nncodec._support.process_lock import ProcessLock

_changing = ProcessLock()


@contextlib.contextmanager
def filtered_warnings(action: Literal["ignore", "error"], message: str = "") -> Iterator[None]:
    """Ignore warnings within the block, or raise them.

    Args:
        action: what to do.
        message: with which only those begin that are meant, as a regular expression; by default all are.
    """
    with _changing, warnings.catch_warnings():
        warnings.filterwarnings(action, message)
        yield


@contextlib.contextmanager
def recorded_warnings(but: type[Warning]) -> Iterator[list[warnings.WarningMessage]]:
    """Collect what is warned of within the block.

    Args:
        but: a kind that is ignored.
    """
    with _changing, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", but)
        yield caught
