"""The machine of a measurement, and whether other programs used it meanwhile."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import AvifImagePlugin

from nncodec.compare.versions import versions as compared_versions

_STAT = Path("/proc/stat")
# Shares of all cores. A quiet machine shows about 0.01; one busy core of two shows 0.5.
_BUSY_LIMIT = 0.05
# The load average covers a minute or more; a job that has just ended must not count as a running one.
_LOAD_LIMIT = 0.5


def machine() -> dict[str, Any]:
    """Return the properties of the machine that times depend on."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
    }


def versions() -> dict[str, str]:
    """Return the versions of everything installed that codes pictures here."""
    known = compared_versions()
    for package in ("zstandard", "constriction"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            known[package] = importlib.metadata.version(package)
    for library in ("aom", "dav1d"):
        if AvifImagePlugin.SUPPORTED and (version := AvifImagePlugin.get_codec_version(library)):
            known[library] = version
    return known


def cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class IdleWatch:
    """Notices when other programs use the processors.

    It samples for some seconds at its start and end. In between it subtracts the processor time of this process and its
    children from the system's, so it also sees jobs that come and go; and it notices when this process loses cores.
    Children must have ended before `finish`. Without /proc/stat nothing is known and `idle` is None.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
        self._cores = cores()
        self.busy_at_start = _busy_share(seconds)
        self._begin = _Usage.now()

    def problem_at_start(self) -> str | None:
        """Return why times measured now would mislead, or None."""
        if self.busy_at_start is not None and self.busy_at_start > _BUSY_LIMIT:
            return f"other programs use {self.busy_at_start:.0%} of the processors"
        if self._load is not None and self._load / (os.cpu_count() or 1) > _LOAD_LIMIT:
            return f"the load average of the last minute is {self._load}"
        return None

    def finish(self) -> dict[str, Any]:
        """Return the observations, with `idle` as the verdict."""
        used = _Usage.now()
        others = None
        if self._begin.system is not None and used.system is not None:
            spare = (used.wall - self._begin.wall) * (os.cpu_count() or 1)
            own = used.own - self._begin.own
            others = max(0.0, used.system - self._begin.system - own) / spare if spare else 0.0
        at_end = _busy_share(self._seconds)
        shares = {"at_start": self.busy_at_start, "meanwhile": others, "at_end": at_end}
        known = [share for share in shares.values() if share is not None]
        idle = None
        if known or cores() != self._cores:
            quiet = self.problem_at_start() is None and all(share <= _BUSY_LIMIT for share in known)
            idle = quiet and cores() == self._cores
        return {
            "idle": idle,
            "share_of_processors_used_by_others": {k: None if v is None else round(v, 4) for k, v in shares.items()},
            "load_average_at_start": self._load,
            "cores": {"at_start": self._cores, "at_end": cores()},
            "limits": {"share": _BUSY_LIMIT, "load_average_per_core": _LOAD_LIMIT},
        }


def idle_watch(quick: bool) -> IdleWatch:
    """Return a watch that samples for a second at its start and end, or only for a moment in a reduced run."""
    return IdleWatch(0.05 if quick else 1.0)


@dataclass(frozen=True)
class _Usage:
    """Seconds: wall time, processor time of the whole system, and of this process and its children."""

    wall: float
    system: float | None
    own: float

    @classmethod
    def now(cls) -> _Usage:
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return cls(time.perf_counter(), _system_busy_s(), own)


def _busy_share(seconds: float) -> float | None:
    """Return the share of all cores in use while this process sleeps."""
    before, start = _system_busy_s(), time.perf_counter()
    if before is None:
        return None
    time.sleep(seconds)
    after = _system_busy_s()
    assert after is not None
    return (after - before) / (time.perf_counter() - start) / (os.cpu_count() or 1)


def _system_busy_s() -> float | None:
    """Return the processor time that the system has counted so far, including stolen time."""
    try:
        first = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(ticks) for ticks in first[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _memory_gib() -> float | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
