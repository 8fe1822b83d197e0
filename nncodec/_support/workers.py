"""Work on many items, one after another or in several processes, that Ctrl-C and exceptions stop at any moment."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from nncodec.errors import NncError

MOST_WORKERS = 61
"""Windows cannot wait for more."""
_PATIENCE_S = 5

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
            worker.give(item)

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


class _Worker:
    """A worker process as its parent sees it.

    Attributes:
        connection: has something to read when an item is done, or the process dead.
        has_started: whether it can work.
    """

    def __init__(self, work: Callable[[Any], object], threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a forked torch can hang
        self.connection, inner = context.Pipe()
        self._process = context.Process(target=_serve, args=(inner, work, threads), daemon=True)
        with interrupts_held():
            self._process.start()
        inner.close()
        self.has_started = False

    def give(self, item: object) -> None:
        """Let it do an item."""
        with contextlib.suppress(OSError):  # it is dead, which its pipe will say
            self.connection.send(item)

    def heard(self) -> tuple[bool, Any] | None:
        """Read a message: whether an item is done with its result, else an exception; None says that it has started.

        Raises:
            EOFError, OSError: it is dead.
        """
        message: tuple[bool, Any] | None = self.connection.recv()
        self.has_started = True
        return message

    def dismiss(self) -> None:
        """Let it end by itself."""
        self.connection.close()
        self._process.join(_PATIENCE_S)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.connection.close()
        self._process.kill()
        self._process.join(_PATIENCE_S)

    def bury(self) -> str:
        """Return what is known of its end."""
        self.connection.close()
        return end_of(self._process)


def _serve(connection: Connection, work: Callable[[Any], object], threads: int) -> None:
    """Work in a worker process until the pipe closes."""
    start_worker(threads)
    with contextlib.suppress(EOFError, OSError):
        connection.send(None)
        while True:
            item = connection.recv()
            try:
                message = True, work(item)
            except Exception as error:  # raised again in the parent
                message = False, error
            connection.send(message)


def end_of(process: BaseProcess) -> str:
    """Return how a process ended whose pipe has closed: `exit status 3`, `SIGKILL`."""
    process.join(_PATIENCE_S)
    code = process.exitcode
    process.kill()
    if code is None or code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def start_worker(threads: int) -> None:
    """Prepare a worker process: set its computing threads, ignore Ctrl-C, which the parent handles, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group
    use_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


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
