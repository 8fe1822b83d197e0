"""How many processors other programs leave free right now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc")
# A program that wakes up for a moment is no load: the most that one of these looks finds free counts.
_LOOKS, _PAUSE_SECONDS = 3, 0.0003


def free_processors(wanted: int, pause: Callable[[float], None] = time.sleep) -> int:
    """Return how many processors are free for this process, at least 1 and at most `wanted`.

    Threads that wait for each other by spinning, as OpenMP's do, are slower than a single one where they have no
    processors of their own: each waits for one that does not run. With another program on one of two processors, torch
    took up to ten times as long with two threads as with one.

    Args:
        wanted: no more are looked for.
        pause: waits so many seconds.

    Returns:
        `wanted` where the system does not say, which is anywhere but on Linux.
    """
    free = 1
    try:
        for look in range(_LOOKS):
            if look:
                pause(_PAUSE_SECONDS)
            free = max(free, _free(wanted))
            if free >= wanted:
                return wanted
    except (OSError, ValueError, IndexError):
        return wanted
    return free


def _free(wanted: int) -> int:
    processors, running = os.cpu_count() or 1, _running()
    if processors - (running - 1) >= wanted:
        return wanted  # as a rule nothing runs but this thread
    # Others of this process may still spin after what they did last.
    return processors - (running - _running_here())


def _running() -> int:
    """Return how many threads run or wait for a processor, on the whole machine, this one among them."""
    return int((_PROC / "loadavg").read_text().split()[3].split("/")[0])


def _running_here() -> int:
    """Return how many of them are of this process."""
    return sum(
        # The name before the state may hold anything, brackets included.
        (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
        for task in (_PROC / "self" / "task").iterdir()
    )
