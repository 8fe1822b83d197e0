"""Locks and settings of the process: threads take turns, and a forked child waits for nobody."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable

import pytest

from nncodec._support.filtered_warnings import filtered_warnings, recorded_warnings
from nncodec._support.process_lock import ProcessLock


def in_a_new_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_one_thread_at_a_time_may_enter_and_enter_again() -> None:
    lock, inside, leave, order = ProcessLock(), threading.Event(), threading.Event(), []

    def first() -> None:
        with lock, lock:
            inside.set()
            leave.wait(10)
            order.append("first")

    def second() -> None:
        inside.wait(10)
        with lock:
            order.append("second")

    threads = [in_a_new_thread(first), in_a_new_thread(second)]
    inside.wait(10)
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "second"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forks with threads, from Python 3.12 on
def test_a_forked_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    lock, inside, leave = ProcessLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            inside.set()
            leave.wait(10)

    holder = in_a_new_thread(hold)
    inside.wait(10)
    if not (child := os.fork()):
        waiting = threading.Thread(target=lock.__enter__, daemon=True)
        waiting.start()
        waiting.join(5)
        os._exit(int(waiting.is_alive()))
    leave.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0


def test_threads_that_filter_warnings_in_turn_leave_the_filters_as_they_were() -> None:
    before, inside, meet = list(warnings.filters), threading.Event(), threading.Barrier(2, timeout=0.2)
    found: list[list[str]] = []

    def record() -> None:
        with recorded_warnings(but=ResourceWarning) as caught:
            inside.set()
            try:
                meet.wait()  # the other thread would come if it could
            except threading.BrokenBarrierError:
                warnings.warn("of the first", stacklevel=1)
                warnings.warn("not wanted", ResourceWarning, stacklevel=1)
        found.append([str(warning.message) for warning in caught])

    def ignore() -> None:
        inside.wait(10)
        with filtered_warnings("ignore"):
            if not meet.broken:
                meet.wait()
            warnings.warn("of the second", stacklevel=1)

    for thread in [in_a_new_thread(record), in_a_new_thread(ignore)]:
        thread.join()
    assert found == [["of the first"]]
    assert list(warnings.filters) == before


def test_warnings_are_ignored_or_raised() -> None:
    with filtered_warnings("ignore"):
        warnings.warn("anything", stacklevel=1)
    with filtered_warnings("error"), pytest.raises(UserWarning, match="anything"):
        warnings.warn("anything", stacklevel=1)
    with recorded_warnings(but=ResourceWarning) as caught, filtered_warnings("ignore", "any"):
        warnings.warn("anything", stacklevel=1)
        warnings.warn("something", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something"]
