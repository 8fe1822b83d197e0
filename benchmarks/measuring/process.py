"""Processes to measure in: pinned to cores, kept warm between calls, or fresh for each request."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, ParamSpec, TypeVar

from benchmarks.measuring.records import ROOT

_P = ParamSpec("_P")
_T = TypeVar("_T")


def confine(threads: int) -> None:
    """Give this process and its threads so many cores; call it before torch is imported.

    Where the system can pin a process (Linux), threads that a codec starts share these cores: AVIF and JPEG XL ask how
    many they may use. Elsewhere only torch respects the number.
    """
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[-threads:])  # the first core has most of the interrupts


class Worker:
    """A process that keeps its state between calls, with so many cores to itself; a context manager.

    Args:
        threads: see `confine`.
    """

    def __init__(self, threads: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, spawn, confine, (threads,))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function of a module in the worker and return its result."""
        return self._pool.submit(function, *args, **kwargs).result()


def fresh(module: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module of `measuring` in a new process, with a request as its argument, and return the JSON it prints."""
    command = [sys.executable, "-m", f"benchmarks.measuring.{module}", json.dumps(request)]
    answer: dict[str, Any] = json.loads(output_of(command, cwd=ROOT))
    return answer


def output_of(command: Sequence[str], **options: Any) -> str:
    """Return what a command prints.

    Raises:
        RuntimeError: it failed; the message holds its stderr.
    """
    run: subprocess.CompletedProcess[str] = subprocess.run(
        command, check=False, capture_output=True, text=True, **options
    )
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr}")
    return run.stdout
