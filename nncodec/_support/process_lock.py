"""A lock for what a whole process has only once."""

from __future__ import annotations

import os
import threading
from types import TracebackType


class ProcessLock:
    """Lets one thread at a time change a setting of the process; a context manager that its thread may enter again.

    A forked child has none of the other threads, so nobody there would ever give back what one of them held: the child
    gets a lock that is free.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
