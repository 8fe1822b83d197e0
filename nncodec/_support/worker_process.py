"""A worker process with a pipe to it, which ends with its parent, and whose end its parent can explain."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

MOST_WORKERS = 61
"""Windows cannot wait for more."""
_PATIENCE_S = 5


class WorkerProcess:
    """A worker process as its parent sees it.

    Args:
        serve: runs in it until the pipe closes, with its end of the pipe and further arguments, all picklable.
        arguments: further ones.
        threads: computing threads of torch.

    Attributes:
        connection: has something to read when the worker has sent something, or is dead.
    """

    def __init__(self, serve: Callable[..., object], *arguments: object, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a forked torch can hang
        self.connection, inner = context.Pipe()
        self._process = context.Process(target=_run, args=(serve, inner, arguments, threads), daemon=True)
        with interrupts_held():
            self._process.start()
        inner.close()

    def send(self, message: object) -> None:
        """Send it something."""
        with contextlib.suppress(OSError):  # it is dead, which its pipe will say
            self.connection.send(message)

    def dismiss(self) -> None:
        """Let it end by itself."""
        self.connection.close()
        self._process.join(_PATIENCE_S)
        self.kill()

    def kill(self) -> None:
        """End it at once; files that it has written under their names are whole."""
        self._process.kill()
        self.connection.close()
        self._process.join(_PATIENCE_S)

    def bury(self) -> str:
        """Return how it ended, after its pipe has: `exit status 3`, `SIGKILL`."""
        self.connection.close()
        self._process.join(_PATIENCE_S)
        code = self._process.exitcode
        self._process.kill()
        if code is None or code >= 0:
            return f"exit status {code}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"


def _run(serve: Callable[..., object], connection: Connection, arguments: tuple[Any, ...], threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent handles it
    sys.stdout = sys.stderr  # the parent's may be the file that it writes
    use_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        serve(connection, *arguments)


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, by whatever signal, also in the middle of an item."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def use_threads(threads: int) -> None:
    """Set how many threads torch computes with, whether it is imported yet or not."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when torch is first imported
        os.environ[name] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block; a process started in it inherits the mask and never sees Ctrl-C."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
