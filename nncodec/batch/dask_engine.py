"""The engine of several machines: Dask distributed, with a scheduler that runs elsewhere or for this batch alone.

Workers need this package and the extra `dask`, nothing else: how to work, and model files that are not installed there,
come to each when it joins. They read and publish files by themselves, and only outcomes go through the scheduler.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import distributed

from nncodec._support.text import describe
from nncodec._support.worker_process import use_threads
from nncodec.batch.engine import MAX_DEATHS, killed
from nncodec.batch.manifest import Item, Outcome
from nncodec.batch.work import Assignment, Worker
from nncodec.errors import NncError

_TASKS_A_THREAD = 3
_JOIN_S, _CLOSE_S, _POLL_S, _COUNT_S = 60, 20, 1.0, 5.0
_LOST = ("cancelled", "lost")

# In a worker process: what the runs that it takes part in need, and their open models.
_assignments: dict[str, Assignment] = {}
_workers: dict[str, Worker] = {}
_one_at_a_time = threading.Lock()


class DaskEngine:
    """Workers of a Dask cluster; see `Engine`.

    Args:
        assignment: of the workers. Stores must be where all of them reach them.
        scheduler: its address; None starts one here, with worker processes, for this run.
        workers: processes of this machine, if they are started here.
    """

    def __init__(self, assignment: Assignment, scheduler: str | None, workers: int) -> None:
        self._assignment, self._scheduler, self._most = assignment, scheduler, workers
        self.restarts = 0

    def run(self, groups: Iterator[list[Item]]) -> Generator[tuple[Item, Outcome]]:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(self._connected())
            key = f"nncodec-{secrets.token_hex(8)}"
            client.register_plugin(_Setup(key, self._assignment), name=key)
            try:
                suspects: list[Item] = []
                yield from self._done(client, key, groups, suspects, at_once=0)
                for item in suspects:  # each alone in the cluster, so that one that kills again is known
                    yield from self._alone(client, key, item)
            finally:
                if self._scheduler is not None and _is_connected(client):  # else it would try for long
                    client.unregister_worker_plugin(key)

    def _alone(self, client: Any, key: str, item: Item) -> Iterator[tuple[Item, Outcome]]:
        again: list[Item] = []
        yield from self._done(client, key, iter([[item]]), again, at_once=1)
        if again:
            yield killed(item, "as Dask says")

    def _done(
        self, client: Any, key: str, groups: Iterator[list[Item]], suspects: list[Item], at_once: int
    ) -> Iterator[tuple[Item, Outcome]]:
        """Yield the outcomes of groups; of those on which workers died, add the items to `suspects` instead.

        Args:
            at_once: groups; 0 for a few for each thread of the cluster.
        """
        finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        pending: dict[Any, list[Item]] = {}
        counted_s, most, number = -_COUNT_S, at_once, 0
        while True:
            if not at_once and time.monotonic() - counted_s >= _COUNT_S:
                with self._watched():
                    most = _TASKS_A_THREAD * max(1, sum(client.nthreads().values()))
                counted_s = time.monotonic()
            while len(pending) < most and (group := next(groups, None)):
                future = client.submit(_do, key, group, key=f"{key}-{secrets.token_hex(4)}-{number}", pure=False)
                pending[future] = group
                future.add_done_callback(finished.put)
                number += 1
            if not pending:
                return
            try:
                future = finished.get(timeout=_POLL_S)
            except queue.Empty:
                self._check(client)
                continue
            group = pending.pop(future)
            outcomes = self._result(client, future)
            if outcomes is None:
                self.restarts += 1
                suspects += group
            else:
                yield from outcomes

    def _result(self, client: Any, future: Any) -> Sequence[tuple[Item, Outcome]] | None:
        """Return the outcomes of a task; None if its workers died."""
        if future.status in _LOST:
            self._check(client)
        with self._watched():
            error = future.exception()
            if isinstance(error, distributed.scheduler.KilledWorker):
                return None
            if error is not None:
                raise (
                    error if isinstance(error, NncError) else NncError(detail=f"a Dask worker fails: {describe(error)}")
                )
            result: Sequence[tuple[Item, Outcome]] = future.result()
            return result

    def _check(self, client: Any) -> None:
        if not _is_connected(client):
            raise self._gone()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except NncError:
            raise
        except Exception as error:  # closed connections, cancelled futures: Dask has many names for it
            raise self._gone() from error

    def _gone(self) -> NncError:
        return NncError(detail=f"the Dask scheduler {self._scheduler or ''} is gone; repeat the command to do the rest")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said in one line
        with contextlib.ExitStack() as stack:
            address: Any = self._scheduler
            if address is None:
                settings = {"distributed.scheduler.allowed-failures": MAX_DEATHS - 1}
                stack.enter_context(dask.config.set(settings))
                address = distributed.LocalCluster(
                    n_workers=self._most, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
                )
                stack.callback(_close, address)
            try:
                client = distributed.Client(address, timeout=_JOIN_S, set_as_default=False)
                stack.callback(_close, client)
                client.wait_for_workers(1, timeout=_JOIN_S)
            except (OSError, ValueError, TimeoutError) as error:
                reason = f"no Dask scheduler at {address}, or no worker joined it within {_JOIN_S} s"
                raise NncError(detail=f"{reason}; start 'dask scheduler' and 'dask worker'") from error
            yield client


def _close(part: Any) -> None:
    """Close a client or a cluster, without waiting for ever for workers that die meanwhile."""
    with contextlib.suppress(Exception):
        part.close(timeout=_CLOSE_S)


def _is_connected(client: Any) -> bool:
    communication = client.scheduler_comm
    return client.status == "running" and communication is not None and not communication.comm.closed()


class _Setup(distributed.WorkerPlugin):  # type: ignore[misc]
    """Tells every worker, also those that join later, what a run is, and gives it the model files."""

    def __init__(self, key: str, assignment: Assignment) -> None:
        self._key, self._assignment = key, replace(assignment, models=())
        self._models = [path.read_bytes() for path in assignment.models]

    def setup(self, worker: Any) -> None:
        paths = []
        for number, data in enumerate(self._models):
            path = Path(worker.local_directory, f"{self._key}-{number}.safetensors")
            path.write_bytes(data)
            paths.append(path)
        _assignments[self._key] = replace(self._assignment, models=tuple(paths))

    def teardown(self, worker: Any) -> None:
        _assignments.pop(self._key, None)
        _workers.pop(self._key, None)


def _do(key: str, items: list[Item]) -> list[tuple[Item, Outcome]]:
    """Do a group in a worker process; its threads take turns."""
    with _one_at_a_time:
        if key not in _workers:
            use_threads(1)
            _workers[key] = Worker(_assignments[key])
        return list(_workers[key].run(items, _admit))


def _admit(pixels: int) -> None:
    """Let every file be read: a worker codes one at a time."""
