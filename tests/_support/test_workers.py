"""The pool of worker processes: what it yields, and what it leaves behind when work ends early."""

from __future__ import annotations

import contextlib
import functools
import math
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from nncodec._support import workers
from nncodec._support.workers import each
from nncodec.errors import NncError

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def bystander() -> Iterator[multiprocessing.process.BaseProcess]:
    """A child process of the program that has nothing to do with the pool."""
    process = SPAWN.Process(target=time.sleep, args=(100,))
    process.start()
    yield process
    process.terminate()
    process.join()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_comes_once_with_its_result(jobs: int) -> None:
    found = list(each(math.sqrt, (n * n for n in range(9)), jobs))
    assert sorted(found) == [(n * n, float(n)) for n in range(9)]
    assert list(each(math.sqrt, [], jobs)) == []


def test_one_job_runs_in_this_process_and_in_order() -> None:
    items: list[Callable[[], int]] = [os.getpid, os.getppid, os.getpid]
    assert list(each(operator.call, items, 1)) == [(item, item()) for item in items]


def test_workers_are_other_processes_and_no_more_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST_WORKERS", 1)
    pids = {pid for _, pid in each(operator.call, [os.getpid] * 5, 3)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_items_are_taken_only_a_few_ahead() -> None:
    taken: list[int] = []
    items = (taken.append(n) or n for n in range(1000))
    with contextlib.closing(each(math.sqrt, items, 2)) as results:
        next(results)
        assert len(taken) <= 6


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_exception_of_the_work_is_raised(jobs: int) -> None:
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        list(each(math.sqrt, [4, -1], jobs))


def test_a_worker_that_dies_is_an_error(bystander: multiprocessing.process.BaseProcess) -> None:
    with pytest.raises(NncError, match="a worker process died"):
        list(each(os._exit, [3], 2))
    assert bystander.is_alive()


def test_the_others_go_on_where_the_result_of_a_lost_item_is_given() -> None:
    fatal = functools.partial(os._exit, 3)
    items = [fatal, *[os.getppid] * 5]
    found = list(each(operator.call, items, 2, lost=lambda item, reason: reason))
    reason = "its worker process died (exit status 3), most likely for lack of memory; use fewer jobs (-j)"
    assert [result for item, result in found if item is fatal] == [reason]
    assert [result for item, result in found if item is not fatal] == [os.getpid()] * 5


def test_a_worker_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_serve", slice)  # takes as many arguments, and ends
    with pytest.raises(NncError, match=r"a worker process died \(exit status 0\)"):
        list(each(math.sqrt, [4], 2, lost=lambda item, reason: 0.0))


def test_leaving_early_ends_the_workers_and_nothing_else(bystander: multiprocessing.process.BaseProcess) -> None:
    with contextlib.closing(each(time.sleep, [0, 100, 100], 2)) as results:
        assert next(results) == (0, None)
        own = set(multiprocessing.active_children()) - {bystander}
        assert own
    wait_until(lambda: not any(child.is_alive() for child in own))
    assert bystander.is_alive()


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_ends_a_program_and_its_workers_at_once(whole_group: bool) -> None:
    code = """if True:
        import contextlib, multiprocessing, time
        from nncodec._support.workers import each
        if __name__ == "__main__":
            with contextlib.closing(each(time.sleep, [0, 100, 100], 2)) as results:
                next(results)
                print(*(child.pid for child in multiprocessing.active_children()), flush=True)
                next(results)
    """
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert pids
        if whole_group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert err.count("Traceback") == 1
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent(end: signal.Signals) -> None:
    code = """if True:
        import multiprocessing, time
        from nncodec._support.workers import each
        if __name__ == "__main__":
            for _ in each(time.sleep, [0, 100, 100], 2):
                print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    """
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()
        process.send_signal(end)
        process.communicate(timeout=60)  # until nobody has its output open any more
