"""Benchmarks of speed: they want an idle machine, and their records say whether they had one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks.measuring.machine import idle_watch, machine, versions
from benchmarks.measuring.records import Record, command_line


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --busy and --quick, which `timed` takes."""
    parser.add_argument("--busy", action="store_true", help="measure even on a busy machine, and record that")
    parser.add_argument("--quick", action="store_true", help="tiny pictures, to check that it works")


def timed(module: str, options: argparse.Namespace, measure: Callable[[], Record]) -> Record:
    """Return a record of measurements, and of the machine that made them.

    Args:
        module: name of the benchmark, for its command line.
        options: parsed; see `add_options`.
        measure: returns the measurements.

    Raises:
        SystemExit: the machine is busy, and neither option allows that; one line says so.
    """
    watch = idle_watch(options.quick)
    if problem := watch.problem_at_start():
        if not (options.busy or options.quick):
            sys.exit(f"{problem}: times would mislead. Wait, or measure anyway with --busy")
        print(f"WARNING: {problem}; the record will say that the machine was not idle", file=sys.stderr)
    start = time.perf_counter()
    measured = measure()
    watched = watch.finish()
    if watched["idle"] is False:
        print("WARNING: other programs used the processors; these are not figures to quote", file=sys.stderr)
    return {
        "command": command_line(module),
        "quick": options.quick,
        "idle": watched.pop("idle"),
        "idle_check": watched,
        "machine": machine(),
        "versions": versions(),
        "minutes": round((time.perf_counter() - start) / 60, 1),
        **measured,
    }
