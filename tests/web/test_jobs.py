"""Jobs: one after another, with progress, cancelled at the next step, whatever they raise."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from nncodec.errors import NncError
from nncodec.web import jobs as module
from nncodec.web.jobs import Job, Jobs, Report


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    jobs = Jobs()
    yield jobs
    jobs.close()


def ended(job: Job) -> Job:
    until = time.monotonic() + 20
    while job.state in ("waiting", "running"):
        assert time.monotonic() < until
        time.sleep(0.005)
    return job


def test_a_job_reports_and_returns(jobs: Jobs) -> None:
    def work(report: Report) -> str:
        report(1, 2)
        return "made"

    job = ended(jobs.start(work))
    assert job.shown() == {"id": job.id, "state": "done", "done": 1, "total": 2, "result": "made", "error": ""}
    assert jobs.get(job.id) is job
    with pytest.raises(NncError, match="no longer known"):
        jobs.get("none")


def test_whatever_a_job_raises_is_one_line_and_the_next_job_runs(jobs: Jobs) -> None:
    def fail(report: Report) -> None:
        raise RuntimeError("two\nlines")

    assert ended(jobs.start(fail)).error == "RuntimeError: two"
    assert ended(jobs.start(lambda report: 1)).result == 1


def test_a_job_is_cancelled_at_its_next_step_or_before_it_starts(jobs: Jobs) -> None:
    goes_on = threading.Event()

    def work(report: Report) -> None:
        goes_on.wait(20)
        report(1, 2)

    running, waiting = jobs.start(work), jobs.start(lambda report: "never")
    jobs.cancel(running.id)
    jobs.cancel(waiting.id)
    goes_on.set()
    assert ended(running).state == ended(waiting).state == "cancelled"
    assert waiting.result is None


def test_waiting_jobs_are_bounded_and_old_ones_are_forgotten(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    monkeypatch.setattr(module, "_MOST_KEPT", 1)
    goes_on = threading.Event()
    started = [jobs.start(lambda report: goes_on.wait(20))]
    while started[0].state == "waiting":
        time.sleep(0.005)
    started += [jobs.start(lambda report: None) for _ in range(2)]
    with pytest.raises(NncError, match="too many"):
        jobs.start(lambda report: None)
    goes_on.set()
    for job in started:
        ended(job)
    jobs.start(lambda report: None)
    with pytest.raises(NncError, match="no longer known"):
        jobs.get(started[0].id)
