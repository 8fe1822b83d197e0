"""The engine of one machine: worker processes, with a pipe to each."""

from __future__ import annotations

import collections
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from nncodec._support.text import describe
from nncodec._support.worker_process import MOST_WORKERS, WorkerProcess
from nncodec.batch.engine import MAX_DEATHS, killed
from nncodec.batch.manifest import Item, Outcome
from nncodec.batch.work import Assignment, Worker
from nncodec.errors import NncError

_AHEAD = 2
"""Groups that a worker has: one that it does, and the next, so that it never waits."""
_FAILED_STARTS = 3

_READY, _OUTCOME, _PIXELS, _FAILED, _ADMITTED = range(5)


class LocalEngine:
    """Worker processes of this machine; see `Engine`.

    The parent only plans and notes: it needs no torch. If it dies, its workers end.

    Args:
        assignment: of the workers.
        workers: most processes at once.
        pixels_in_flight: of all large files that are coded at once; one file alone may exceed it.
    """

    def __init__(self, assignment: Assignment, workers: int, pixels_in_flight: int) -> None:
        self._assignment, self._most = assignment, min(workers, MOST_WORKERS)
        self._pixels_in_flight = pixels_in_flight
        self._processes: list[_Process] = []
        self._asking: collections.deque[_Process] = collections.deque()
        self._again: collections.deque[_Group] = collections.deque()
        self._failed_starts = 0
        self.restarts = 0

    def run(self, groups: Iterator[list[Item]]) -> Generator[tuple[Item, Outcome]]:
        waiting = (_Group(items) for items in groups)
        try:
            self._feed(waiting)
            while self._processes and any(process.groups for process in self._processes):
                by_connection = {process.connection: process for process in self._processes}
                for connection in wait(list(by_connection)):
                    yield from self._heard(by_connection[connection])  # type: ignore[index]
                self._feed(waiting)
            for process in self._processes:
                process.dismiss()
        except BaseException:
            for process in self._processes:
                process.kill()
            raise
        finally:
            self._processes.clear()

    def _feed(self, waiting: Iterator[_Group]) -> None:
        """Give groups to workers: to idle ones first, then to new ones, then ahead."""
        for ahead in range(1, _AHEAD + 1):
            for process in self._processes:
                while len(process.groups) < ahead:
                    group = self._next(waiting)
                    if group is None:
                        return
                    process.give(group)
            while ahead == 1 and len(self._processes) < self._most:
                group = self._next(waiting)
                if group is None:
                    return
                self._processes.append(_Process(self._assignment))
                self._processes[-1].give(group)

    def _next(self, waiting: Iterator[_Group]) -> _Group | None:
        return self._again.popleft() if self._again else next(waiting, None)

    def _heard(self, process: _Process) -> Iterator[tuple[Item, Outcome]]:
        """Take a message of a worker, or its death."""
        try:
            kind, content = process.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(process)
            return
        if kind == _READY:
            self._failed_starts, process.is_ready = 0, True
        elif kind == _FAILED:
            raise NncError(detail=content)
        elif kind == _PIXELS:
            process.asked = content
            self._asking.append(process)
        else:
            source, outcome = content
            process.granted = 0
            group = process.groups[0]
            yield group.left.pop(source), outcome
            if not group.left:
                process.groups.popleft()
        self._admit()

    def _bury(self, process: _Process) -> Iterator[tuple[Item, Outcome]]:
        """Take what a dead worker has not finished into account."""
        how = process.bury()
        self._processes.remove(process)
        self.restarts += 1
        if not process.is_ready:
            self._failed_starts += 1
            if self._failed_starts == _FAILED_STARTS:
                raise NncError(detail=f"workers die when they start ({how}); is there too little memory for -j?")
            self._again.extendleft(reversed(process.groups))
        else:
            current, *rest = process.groups or [_Group([])]
            self._again.extendleft(reversed(rest))
            # Any of these may be the one: each is done alone now, so that one that kills again is known.
            deaths = current.deaths + 1 if current.is_alone else 0
            for item in reversed(current.left.values()):
                if deaths == MAX_DEATHS:
                    yield killed(item, how)
                else:
                    self._again.appendleft(_Group([item], deaths))
        if process in self._asking:
            self._asking.remove(process)
        self._admit()

    def _admit(self) -> None:
        """Let workers read large files, in the order in which they asked, as long as their pixels fit."""
        taken = sum(process.granted for process in self._processes)
        while self._asking and (not taken or taken + self._asking[0].asked <= self._pixels_in_flight):
            process = self._asking.popleft()
            process.granted = process.asked
            taken += process.granted
            process.send((_ADMITTED, None))


class _Group:
    """Items that a worker gets at once.

    Attributes:
        left: those without an outcome, by source.
        is_alone: whether there is one item only, so that it is the one on which a worker dies.
        deaths: workers that died on it.
    """

    def __init__(self, items: Sequence[Item], deaths: int = 0) -> None:
        self.left = {item.source: item for item in items}
        self.is_alone, self.deaths = len(items) == 1, deaths


class _Process(WorkerProcess):
    """A worker process with the groups that it has."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(_serve, assignment, threads=1)
        self.groups: collections.deque[_Group] = collections.deque()
        self.is_ready, self.asked, self.granted = False, 0, 0

    def give(self, group: _Group) -> None:
        self.groups.append(group)
        self.send(list(group.left.values()))


def _serve(connection: Connection, assignment: Assignment) -> None:
    given: collections.deque[Any] = collections.deque()

    def admit(pixels: int) -> None:
        connection.send((_PIXELS, pixels))
        while not isinstance(message := connection.recv(), tuple):
            given.append(message)

    try:
        worker = Worker(assignment)
    except Exception as error:  # also of plugins
        connection.send((_FAILED, describe(error)))
        return
    connection.send((_READY, None))
    while True:
        items = given.popleft() if given else connection.recv()
        for item, outcome in worker.run(items, admit):
            connection.send((_OUTCOME, (item.source, outcome)))
