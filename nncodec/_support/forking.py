"""Forked processes: torch computes with one thread in them.

The threads that a parent has computed with do not exist in its forked child, and OpenMP would wait for them for ever.
With one thread it asks for none. `nncodec/__init__.py` imports this module, so a fork after decoding works, as with
`multiprocessing` on Linux before Python 3.14. Processes that are started by "spawn" or "forkserver" are not affected.
"""

from __future__ import annotations

import os
import sys


def _use_one_thread() -> None:
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_use_one_thread)
