"""Work on many things, one after another or in several processes, that Ctrl-C and exceptions can stop at any moment."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

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
    pool = concurrent.futures.ProcessPoolExecutor(min(jobs, MOST_WORKERS), context, _start_worker, (threads,))
    pending: dict[concurrent.futures.Future[_Result], int] = {}
    waiting = enumerate(items)

    def submit() -> None:
        for number, item in itertools.islice(waiting, 2 * jobs - len(pending)):
            with _interrupts_held():
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


def _start_worker(threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers itself
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when torch is first imported
        os.environ[name] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C until the end of the block; a process started in it inherits that and never sees one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
