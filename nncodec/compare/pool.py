"""Work on many things, one after another or in several processes, that Ctrl-C and exceptions can stop at any moment."""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from nncodec._support.workers import interrupts_held, start_worker
from nncodec.errors import NncError

MOST_WORKERS = 61
"""More than Windows can wait for."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(work: Callable[[_Item], _Result], items: Sequence[_Item], jobs: int) -> Generator[tuple[int, _Result]]:
    """Yield the number of each item and its result from worker processes, in the order in which they are done.

    Closing the generator ends the workers.

    Args:
        work: picklable; exceptions it raises are raised here.
        jobs: processes, which share the processors.

    Raises:
        NncError: a worker died.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a forked torch can hang
    pool = concurrent.futures.ProcessPoolExecutor(min(jobs, MOST_WORKERS), context, start_worker, (threads,))
    pending: dict[concurrent.futures.Future[_Result], int] = {}
    waiting = enumerate(items)

    def submit() -> None:
        for number, item in itertools.islice(waiting, 2 * jobs - len(pending)):
            with interrupts_held():
                pending[pool.submit(work, item)] = number

    try:
        submit()
        while pending:
            done, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future.result()
            submit()
        pool.shutdown()
    except BrokenProcessPool:
        pool.shutdown(wait=False, cancel_futures=True)
        raise NncError(detail="a worker process died, most likely for lack of memory; use fewer jobs") from None
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
