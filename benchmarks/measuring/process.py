"""Processes to measure in: how many cores they get, one that stays warm, and one that is fresh each time."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_BENCHMARKS = Path(__file__).resolve().parent.parent


def confine(threads: int) -> None:
    """Give this process and its threads so many cores; call it before torch is imported.

    Where the system can pin a process (Linux), whatever a codec starts by itself shares these cores: AVIF and JPEG XL
    ask how many they may use. Elsewhere only torch is held to the number.
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
        """Return what a function of a module returns over there."""
        return self._pool.submit(function, *args, **kwargs).result()


def fresh(module: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module of `measuring` as a new program, with a request as its argument, and return the JSON it prints."""
    command = [sys.executable, "-m", f"measuring.{module}", json.dumps(request)]
    answer: dict[str, Any] = json.loads(output_of(command, cwd=_BENCHMARKS))
    return answer


def output_of(command: Sequence[str], **options: Any) -> str:
    """Return what a command prints; where it fails, say so with what it complained about.

    Raises:
        RuntimeError: it failed.
    """
    run: subprocess.CompletedProcess[str] = subprocess.run(
        command, check=False, capture_output=True, text=True, **options
    )
    if run.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr}")
    return run.stdout
