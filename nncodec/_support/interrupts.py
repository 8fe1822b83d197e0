"""Ctrl-C while the command line is still starting: one line and exit status 130 instead of a traceback.

`nncodec/__init__.py` imports this module before anything else. If the process is the command line, Ctrl-C ends it at
once until a command runs: nothing needs cleaning up yet, and KeyboardInterrupt would print a traceback from inside
some import, or be swallowed by an extension module. Other programs that import nncodec are left alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

INTERRUPTED = 130
"""Exit status that shells report for a program that Ctrl-C ended."""

_PROGRAM = "nncodec"


def raise_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from now on, as usual, and so in the command line what else ends a program."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # torchrun ends its processes by SIGTERM; one that waits for the others would not hear it.
    if not _IS_COMMAND_LINE or "WORLD_SIZE" in os.environ:
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, signal.default_int_handler)


def _leave(_: int, __: FrameType | None) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{_PROGRAM}: interrupted\n".encode())
    os._exit(INTERRUPTED)


def _is_command_line() -> bool:
    """Whether this process runs the script `nncodec` or `python -m nncodec`."""
    program = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119 (pathlib takes long to import)
    if program == "-m":  # what Python puts there while it imports the package
        return _PROGRAM in sys.orig_argv
    return program.removesuffix(".exe") == _PROGRAM


_IS_COMMAND_LINE = _is_command_line() and threading.current_thread() is threading.main_thread()
if (
    _IS_COMMAND_LINE
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where the caller ignores Ctrl-C
):
    signal.signal(signal.SIGINT, _leave)
