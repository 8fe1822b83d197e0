"""Runs the work of the page in one thread, one job after another, so that it takes no more memory than one needs."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nncodec._support.text import describe, plain
from nncodec.errors import NncError

MOST_WAITING = 64
_MOST_KEPT = 500

Report = Callable[[int, int], None]
"""Called with the steps done and their total; it raises if the job was cancelled, which ends the work."""


class _CancelledError(Exception):
    pass


@dataclass
class Job:
    """A piece of work and how far it is.

    Args:
        state: waiting, running, done, failed or cancelled.
        done, total: steps; 0 of 0 if it does not count any.
        result: what it returned, as JSON holds it.
        error: one line, if it failed.
    """

    id: str
    work: Callable[[Report], Any] = field(repr=False)
    state: str = "waiting"
    done: int = 0
    total: int = 0
    result: Any = None
    error: str = ""
    cancelled: bool = False

    def shown(self) -> dict[str, Any]:
        """Return what the page is told."""
        names = ("id", "state", "done", "total", "result", "error")
        return {name: getattr(self, name) for name in names}

    def report(self, done: int, total: int) -> None:
        """Note progress; see `Report`."""
        self.done, self.total = done, total
        if self.cancelled:
            raise _CancelledError

    def run(self) -> None:
        """Do the work, whatever it raises."""
        self.state = "running"
        try:
            self.report(0, 0)
            self.result = self.work(self.report)
            self.state = "done"
        except _CancelledError:
            self.state = "cancelled"
        except Exception as error:  # pictures, files and plugins are anyone's: they may raise anything
            self.error = plain(describe(error))
            self.state = "failed"


class Jobs:
    """The jobs of one server."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="nncodec-ui", daemon=True)
        self._thread.start()

    def start(self, work: Callable[[Report], Any]) -> Job:
        """Queue a piece of work; raises NncError if too many jobs wait."""
        job = Job(secrets.token_hex(8), work)
        with self._lock:
            if sum(one.state == "waiting" for one in self._jobs.values()) >= MOST_WAITING:
                raise NncError(detail="too many jobs are waiting; cancel some")
            ended = [one.id for one in self._jobs.values() if one.state in ("done", "failed", "cancelled")]
            for old in ended[: max(0, len(self._jobs) - _MOST_KEPT)]:
                del self._jobs[old]
            self._jobs[job.id] = job
        self._waiting.put(job)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job; raises NncError if there is none with this id."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise NncError(detail="this job is no longer known; start it again")
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job at its next step."""
        job = self.get(job_id)
        job.cancelled = True
        return job

    def close(self) -> None:
        """Cancel all jobs, and wait a little for the running one."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled = True
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            job.run()
