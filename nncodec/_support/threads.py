"""Work in threads of this process, for code that releases the interpreter's lock."""

from __future__ import annotations

import collections
import concurrent.futures
import contextvars
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


# `count` of a thread of `in_threads`: its share of the computing threads.
_SHARE = threading.local()


def allowed_threads() -> int:
    """Return how many computing threads the calling thread may use: OMP_NUM_THREADS, at most the process's processors.

    The threads of `in_threads` share them.
    """
    if share := getattr(_SHARE, "count", None):
        return int(share)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(given)) if given.isdigit() and int(given) else processors


def in_threads(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    count: int,
    start: Callable[[int, int], concurrent.futures.ThreadPoolExecutor] | None = None,
) -> Iterator[_Result]:
    """Yield the results of `work` in the order of the items.

    At most a few items more than there are threads are taken ahead of the results that were yielded, which bounds the
    memory.

    Args:
        work: exceptions that it raises are raised here; it sees the caller's context variables.
        items: taken by the calling thread, so they may come from what only one thread may use.
        count: of the items; a single one, or a single allowed thread, needs no further threads.
        start: starts that many threads, each with that share of the computing threads; by default `started`.
    """
    allowed = allowed_threads()
    threads = min(allowed, count)
    if threads <= 1:
        yield from map(work, items)
        return
    pool = (start or started)(threads, allowed // threads)
    pending: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
    try:
        for item in items:
            pending.append(pool.submit(contextvars.copy_context().run, work, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def started(threads: int, share: int) -> concurrent.futures.ThreadPoolExecutor:
    """Return threads that may each use a share of the computing threads."""
    return concurrent.futures.ThreadPoolExecutor(threads, initializer=_take_share, initargs=(share,))


def _take_share(count: int) -> None:
    _SHARE.count = count
