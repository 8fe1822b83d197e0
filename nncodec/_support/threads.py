"""Work in threads of this process, for code that releases the interpreter's lock."""

from __future__ import annotations

import collections
import concurrent.futures
import contextvars
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from nncodec._support.forking import note_thread

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Start = Callable[[int, int], concurrent.futures.ThreadPoolExecutor]

# `count` of a thread of `Threads`: its share of the computing threads.
_SHARE = threading.local()


def allowed_threads() -> int:
    """Return how many computing threads the calling thread may use: OMP_NUM_THREADS, at most the process's processors.

    Those of `Threads` share them.
    """
    if share := getattr(_SHARE, "count", None):
        return int(share)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(given)) if given.isdigit() and int(given) else processors


class Threads:
    """Threads that work on items; a context manager.

    Args:
        count: of pieces of work; a single one, or a single allowed thread, is left to the calling thread.
        start: starts that many threads, each with that share of the computing threads; by default `started`.
        computing: how many computing threads they share; by default the allowed ones. If it is fewer, a single piece of
            work gets a thread, too.
    """

    def __init__(self, count: int, start: _Start | None = None, computing: int | None = None) -> None:
        allowed = allowed_threads()
        computing = min(computing or allowed, allowed)
        self._count = max(1, min(allowed, count))
        is_left = self._count == 1 and computing == allowed
        self._pool = None if is_left else (start or started)(self._count, max(1, computing // self._count))

    @property
    def is_one(self) -> bool:
        """Whether the calling thread does all work, one item after another."""
        return self._pool is None

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Yield the results of `work` in the order of the items.

        At most a few items more than there are threads are taken ahead of the results that were yielded, which bounds
        the memory.

        Args:
            work: exceptions that it raises are raised here; it sees the caller's context variables.
            items: taken by the calling thread, so they may come from what only one thread may use.
        """
        if self._pool is None:
            yield from map(work, items)
            return
        pending: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
        for item in items:
            pending.append(self._pool.submit(contextvars.copy_context().run, work, item))
            if len(pending) > self._count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item], count: int) -> Iterator[_Result]:
    """Yield the results of `work` in the order of the items; see `Threads`."""
    with Threads(count) as threads:
        yield from threads.map(work, items)


def started(threads: int, share: int) -> concurrent.futures.ThreadPoolExecutor:
    """Return threads that may each use a share of the computing threads."""
    return concurrent.futures.ThreadPoolExecutor(threads, initializer=_take_share, initargs=(share,))


def _take_share(count: int) -> None:
    note_thread()
    _SHARE.count = count
