"""Threads of torch: each piece of work is done once, torch keeps its number of threads, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest
import torch

from nncodec.nn.threads import Team, threads_of_torch


@pytest.fixture
def torch_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Torch with three threads, on a machine with as many processors."""
    monkeypatch.setattr("nncodec.nn.threads.allowed_threads", lambda: 3)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def in_a_new_thread(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize(("most", "size"), [(0, 1), (1, 1), (2, 2), (8, 3)])
def test_every_item_is_done_once(torch_threads: None, most: int, size: int) -> None:
    done: list[int] = []
    with Team(most) as team:
        assert team.size == size
        assert team.run(lambda: (team.each(done.append, range(100)), team.each(done.append, [100]))) == (None, None)
    assert sorted(done) == list(range(101))


def test_torch_computes_with_one_thread_in_each_and_with_all_elsewhere(torch_threads: None) -> None:
    meet = threading.Barrier(2, timeout=10)
    seen = set()

    def look(_: int) -> None:
        meet.wait()  # so both threads take an item
        seen.add((threading.get_ident(), torch.get_num_threads(), torch.is_inference_mode_enabled()))

    with Team(2) as team:
        team.run(lambda: team.each(look, range(2)))
        assert torch.get_num_threads() == in_a_new_thread(torch.get_num_threads) == 3
    assert len(seen) == 2
    assert {found[1:] for found in seen} == {(1, True)}


def test_pools_that_start_at_the_same_time_leave_torch_its_number(
    torch_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = torch.set_num_threads

    def change_slowly(count: int) -> None:
        change(count)
        time.sleep(0.02)

    monkeypatch.setattr(torch, "set_num_threads", change_slowly)
    starting = [threading.Thread(target=lambda: threads_of_torch(1, 2).shutdown()) for _ in range(2)]
    for thread in starting:
        thread.start()
        time.sleep(0.01)  # the next one starts while the process's number is another
    for thread in starting:
        thread.join()
    assert torch.get_num_threads() == in_a_new_thread(torch.get_num_threads) == 3


def test_a_single_thread_of_torch_starts_no_thread(torch_threads: None) -> None:
    torch.set_num_threads(1)
    with Team(4) as team:
        assert team.run(threading.get_ident) == threading.get_ident()


def test_a_share_of_one_processor_is_used_with_one_thread_of_torch(
    torch_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncodec.nn.threads.allowed_threads", lambda: 1)
    with Team(4) as team:
        assert team.run(torch.get_num_threads) == team.size == 1


@pytest.mark.parametrize("most", [1, 2])
def test_exceptions_are_raised_by_the_call(torch_threads: None, most: int) -> None:
    def fail(item: int) -> None:
        if item == 7:
            raise ValueError("seven")

    with Team(most) as team, pytest.raises(ValueError, match="seven"):
        team.run(lambda: team.each(fail, range(10)))


def test_work_of_an_interrupted_caller_ends_early(torch_threads: None) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work_for_ever(team: Team) -> None:
        begun.set()
        try:
            while True:
                team.each(lambda _: None, [0])
        except CancelledError:
            ended.set()

    with Team(2) as team:
        runner = threading.Thread(target=team.run, args=(lambda: work_for_ever(team),))
        runner.start()
        assert begun.wait(10)
    runner.join(10)
    assert ended.is_set()


def test_a_machine_without_further_threads_raises_and_leaves_none_waiting(
    torch_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, []

    def start_one(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)
    with pytest.raises(RuntimeError, match="new thread"):
        Team(2)
    assert torch.get_num_threads() == 3
