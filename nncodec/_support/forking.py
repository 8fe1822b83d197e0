"""Forked processes: torch computes with one thread in them, and waits for none of its parent's.

The threads that a parent has computed with do not exist in its forked child, and OpenMP would wait for them for ever.
With one thread it asks for none. Nor does a thread exist that was about to end: what it held while it gave back the
memory of torch's libraries stays locked in the child. So a fork waits for the end of threads that have done their work.

`nncodec/__init__.py` imports this module, so a fork after decoding works, as with `multiprocessing` on Linux before
Python 3.14. Processes that are started by "spawn" or "forkserver" are not affected.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

# Python calls a thread ended before the system does, by far less than this.
_LONGEST_END_SECONDS = 1.0
# The system's numbers of threads that computed; when there are so many, those that are gone are forgotten.
_computed: set[int] = set()
_MANY = 64


def note_thread() -> None:
    """Let forks wait for the end of the calling thread, once it has done its work."""
    if len(_computed) >= _MANY:
        _computed.difference_update([number for number in tuple(_computed) if not _exists(number)])
    _computed.add(threading.get_native_id())


def _exists(number: int) -> bool:
    """Return whether the system still has a thread of this process; no where it does not say, outside Linux."""
    return Path(f"/proc/self/task/{number}").exists()


def _wait_for_ended_threads() -> None:
    ended = _computed - {thread.native_id for thread in threading.enumerate()}
    give_up = time.monotonic() + _LONGEST_END_SECONDS
    while any(map(_exists, ended)) and time.monotonic() < give_up:
        time.sleep(0.0005)
    _computed.difference_update(ended)


def _use_one_thread() -> None:
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(before=_wait_for_ended_threads, after_in_child=_use_one_thread)
