"""What processes that work on pictures side by side have in common."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator


def start_worker(threads: int) -> None:
    """Prepare a new process: computing threads as given, and Ctrl-C left to the parent, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    use_threads(threads)


def use_threads(threads: int) -> None:
    """Let torch compute with so many threads, whether it is imported yet or not."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when torch is first imported
        os.environ[name] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C until the end of the block; a process started in it inherits that and never sees one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
