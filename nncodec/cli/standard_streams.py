"""Standard streams: closed ones, as daemons and `2>&-` leave them, full ones, and stdout without what plugins print."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

from nncodec.plugin.guard import is_in_plugin


def open_closed_streams() -> None:
    """Give messages a place where stderr is closed, and let no other file take the number of a closed stream.

    The next file to be opened would: a picture that is being written would hold what a library prints. stdin and stdout
    stay closed for Python, so that a command that needs them says so.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # as long as the process lives


def drop_unwritten() -> None:
    """Drop what stdout does not take: the interpreter would try again when it ends, and fail with its own status."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Let what plugins print go to stderr: stdout may be the file that is being written, or JSON."""
    before = sys.stdout
    if before is not None:
        sys.stdout = cast(TextIO, _Results(before))
    try:
        yield
    finally:
        sys.stdout = before


class _Results:
    """A stream without what plugins print; threads and their plugins may come and go while it is there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if is_in_plugin() else self._stream, name)

    def write(self, text: str) -> int:
        """Write a text to the stream, or to stderr."""
        return (sys.stderr if is_in_plugin() else self._stream).write(text)
