"""Work on many items, one after another or in a pool of processes, that Ctrl-C and exceptions stop at any moment."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from nncodec.errors import NncError

MOST_WORKERS = 61
"""Windows cannot wait for more."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    work: Callable[[_Item], _Result], items: Iterable[_Item], jobs: int, *, threads: int | None = None
) -> Generator[tuple[_Item, _Result]]:
    """Yield every item with its result, as soon as it is there.

    One job runs in this process and keeps the order of the items. Several run in worker processes; then `work`, items
    and results must be picklable. Items are taken only a few ahead of the work, so they may be made, or left out, while
    earlier ones are running.

    Close the generator when you leave it early (`contextlib.closing`). Closing it, Ctrl-C and exceptions terminate the
    workers, and only those: other child processes of this program go on.

    Args:
        work: exceptions that it raises are raised here.
        jobs: items at once, 1 or more; at most `MOST_WORKERS` processes are started.
        threads: computing threads of torch for each job; None leaves one job as it is and shares the processors
            among several.

    Raises:
        NncError: a worker process died.
    """
    if jobs == 1:
        if threads:
            use_threads(threads)
        for item in items:
            yield item, work(item)
        return
    workers = min(jobs, MOST_WORKERS)
    threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a forked torch can hang
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, start_worker, (threads,))
    pending: dict[concurrent.futures.Future[_Result], _Item] = {}
    waiting = iter(items)

    def submit() -> None:
        for item in itertools.islice(waiting, 2 * workers - len(pending)):
            with interrupts_held():
                pending[pool.submit(work, item)] = item

    try:
        submit()
        if pending:
            # A call watches only the workers of earlier calls, and may itself start one more. Without this further
            # call, nobody would notice when the last worker dies.
            with interrupts_held():
                pool.submit(int)
        while pending:
            done, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future.result()
            submit()
        pool.shutdown()
    except BrokenProcessPool:
        # The pool ends its other workers by itself. An interpreter that exits meanwhile may find the pool's pipe closed
        # and print a traceback, so this waits.
        pool.shutdown(cancel_futures=True)
        raise NncError(detail="a worker process died, most likely for lack of memory; use fewer jobs (-j)") from None
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise


def start_worker(threads: int) -> None:
    """Prepare a worker process: set its computing threads, and ignore Ctrl-C, which the parent handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group
    use_threads(threads)


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
