"""Threads that share the work of torch on one picture: each computes with one thread of its own.

Torch divides every single operation among its threads. Small networks have many short operations, for which the threads
wait longer than they compute. It is faster to give each thread whole pieces of the picture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

import torch

from nncodec._support.process_lock import ProcessLock
from nncodec._support.threads import allowed_threads, started

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


# The number of torch's threads is the process's: one pool at a time changes it, for a moment.
_changing_number = ProcessLock()


def thread_count() -> int:
    """Return how many threads torch uses in the calling thread."""
    with _changing_number:  # in a thread's first call, torch takes over what the process has at that moment
        return torch.get_num_threads()


class Team:
    """Threads without gradients and autocast; a context manager.

    Args:
        most: how many threads the work is worth. There are no more than torch uses and than the process may use. If it
            is worth one, no thread is started, and the calling thread computes.

    Attributes:
        size: how many threads there are, at least 1.

    Example:
        >>> with Team(4) as team:
        ...     team.run(lambda: [team.each(work, parts) for parts in stages])
    """

    def __init__(self, most: int) -> None:
        computing = thread_count()
        self.size = max(1, min(most, computing, allowed_threads()))
        self._pool = None if most <= 1 or computing <= 1 else threads_of_torch(self.size)
        self._stopped = False

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True  # an interrupted caller does not wait for the rest of the work
        if self._pool:
            self._pool.shutdown()

    def run(self, work: Callable[[], _Result]) -> _Result:
        """Return the result of `work`, which one of the threads does; it may call `each`."""
        return _exactly(work) if self._pool is None else self._pool.submit(_exactly, work).result()

    def each(self, work: Callable[[_Item], object], items: Sequence[_Item]) -> None:
        """Do the work on all items; its order is not defined, and exceptions are raised here.

        Raises:
            CancelledError: the caller of `run` was interrupted.
        """
        if self._stopped:
            raise CancelledError
        left = iter(items)

        def do_some() -> None:
            for item in left:
                work(item)

        others: list[Future[Any]] = []
        if self._pool:
            helpers = min(self.size, len(items)) - 1
            others = [self._pool.submit(_exactly, do_some) for _ in range(helpers)]
        do_some()
        for other in others:
            other.result()


def _exactly(work: Callable[[], _Result]) -> _Result:
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        return work()


def threads_of_torch(count: int, share: int = 1) -> ThreadPoolExecutor:
    """Start threads in which torch computes with a share of its threads; everywhere else it keeps their number."""
    with _changing_number:
        return _started(count, share, torch.get_num_threads())


def _started(count: int, share: int, before: int) -> ThreadPoolExecutor:
    own = max(1, min(share, before // count))
    begun = threading.Barrier(count + 1)

    def start() -> None:
        torch.get_num_threads()  # a thread's first call takes over the number of the process
        torch.set_num_threads(own)  # of this thread, and of the process
        begun.wait()

    pool = started(count, share)
    try:
        for _ in range(count):
            pool.submit(start)
        begun.wait()
    finally:
        begun.abort()  # frees those that wait for a thread that could not be started
        torch.set_num_threads(before)
    return pool
