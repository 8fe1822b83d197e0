"""How many processors other programs leave free, by what Linux says of a machine that runs things."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nncodec._support import busy
from nncodec._support.busy import free_processors

Machine = Callable[[int, int], None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    """Return a function that makes up four processors on which so many threads run, and so many of this process."""
    monkeypatch.setattr(busy, "_PROC", tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def runs(everywhere: int, here: int) -> None:
        (tmp_path / "loadavg").write_text(f"0.10 2.00 3.00 {everywhere}/812 4711\n")
        for number in range(4):
            task = tmp_path / "self" / "task" / str(number)
            task.mkdir(parents=True, exist_ok=True)
            (task / "stat").write_text(f"{number} (a) R (b) {'R' if number < here else 'S'} 1 2 3")

    return runs


@pytest.mark.parametrize(
    ("everywhere", "here", "wanted", "free"),
    [
        (1, 1, 4, 4),
        (2, 1, 4, 3),
        (2, 1, 3, 3),
        (4, 1, 4, 1),
        (9, 1, 4, 1),
        (9, 1, 1, 1),
        (4, 4, 4, 4),
        (5, 3, 4, 2),
        (0, 0, 4, 4),
    ],
    ids=lambda value: str(value),
)
def test_what_others_leave_is_free(machine: Machine, everywhere: int, here: int, wanted: int, free: int) -> None:
    machine(everywhere, here)
    assert free_processors(wanted) == free


def test_a_moment_is_no_load(machine: Machine) -> None:
    machine(9, 1)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        machine(3 - len(pauses), 1)

    assert free_processors(4, pause) == 4
    assert len(pauses) == 2
    assert sum(pauses) < 0.01


@pytest.mark.parametrize("text", ["", "0.10 2.00 3.00", "0.10 2.00 3.00 many/812 4711"])
def test_a_system_that_does_not_say_is_free(machine: Machine, tmp_path: Path, text: str) -> None:
    assert free_processors(4) == 4
    (tmp_path / "loadavg").write_text(text)
    assert free_processors(4) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what runs")
def test_this_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1 << 16)
    assert free_processors(2) == 2
    assert busy._running() >= busy._running_here() >= 1
