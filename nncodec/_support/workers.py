"""Work on many items, one after another or in several processes, that Ctrl-C and exceptions stop at any moment."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from nncodec._support.worker_process import MOST_WORKERS, WorkerProcess, use_threads
from nncodec.errors import NncError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    jobs: int,
    *,
    threads: int | None = None,
    lost: Callable[[_Item, str], _Result] | None = None,
) -> Generator[tuple[_Item, _Result]]:
    """Yield every item with its result, as soon as it is there.

    One job runs in this process and keeps the order of the items. Several run in worker processes; then `work`, items
    and results must be picklable. Items are taken only a few ahead of the work, so they may be made, or left out, while
    earlier ones are running.

    Close the generator when you leave it early (`contextlib.closing`). Closing it, Ctrl-C and exceptions end the
    workers, and only those: other child processes of this program go on. If this process dies, its workers end, too.

    Args:
        work: exceptions that it raises are raised here.
        jobs: items at once, 1 or more; at most `MOST_WORKERS` processes are started.
        threads: computing threads of torch for each job; None leaves one job as it is and shares the processors
            among several.
        lost: returns the result of an item on which its worker died, from the item and a sentence that says so; the
            others go on. By default it is an error.

    Raises:
        NncError: a worker process died, and `lost` is not given, or it had not started to work.
    """
    if jobs == 1:
        if threads:
            use_threads(threads)
        for item in items:
            yield item, work(item)
        return
    most = min(jobs, MOST_WORKERS)
    threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    waiting = iter(items)
    idle: list[_Worker] = []
    busy: dict[Any, tuple[_Worker, _Item]] = {}  # by connection

    def feed() -> None:
        for item in itertools.islice(waiting, most - len(busy)):
            worker = idle.pop() if idle else _Worker(work, threads)
            busy[worker.connection] = worker, item
            worker.send(item)

    try:
        feed()
        while busy:
            for connection in wait(list(busy)):
                worker, item = busy[connection]
                try:
                    if (answer := worker.heard()) is None:
                        continue
                    idle.append(worker)
                    is_done, result = answer
                except (EOFError, OSError):
                    how = worker.bury()
                    if lost is None or not worker.has_started:
                        reason = f"a worker process died ({how}), most likely for lack of memory; use fewer jobs (-j)"
                        raise NncError(detail=reason) from None
                    reason = f"its worker process died ({how}), most likely for lack of memory; use fewer jobs (-j)"
                    is_done, result = True, lost(item, reason)
                del busy[connection]
                if not is_done:
                    raise result
                feed()
                yield item, result
        for worker in idle:
            worker.dismiss()
    except BaseException:
        for worker in (*idle, *(worker for worker, _ in busy.values())):
            worker.kill()
        raise


class _Worker(WorkerProcess):
    """A worker process that does one item at a time.

    Attributes:
        has_started: whether it can work.
    """

    def __init__(self, work: Callable[[Any], object], threads: int) -> None:
        super().__init__(_serve, work, threads=threads)
        self.has_started = False

    def heard(self) -> tuple[bool, Any] | None:
        """Read a message: whether an item is done with its result, else an exception; None says that it has started.

        Raises:
            EOFError, OSError: it is dead.
        """
        message: tuple[bool, Any] | None = self.connection.recv()
        self.has_started = True
        return message


def _serve(connection: Connection, work: Callable[[Any], object]) -> None:
    connection.send(None)
    while True:
        item = connection.recv()
        try:
            message = True, work(item)
        except Exception as error:  # raised again in the parent
            message = False, error
        connection.send(message)
