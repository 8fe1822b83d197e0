"""Running benchmarks as programs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from preloaded import Preloaded

ROOT = Path(__file__).parents[2]

RunBenchmark = Callable[..., "subprocess.CompletedProcess[str]"]


def folders(folder: Path) -> list[str]:
    """Return the options that keep what a seed's script writes in a folder."""
    return [word for option in ("--run", "--results", "--curves") for word in (option, str(folder / option[2:]))]


@pytest.fixture(scope="session")
def run_benchmark(preloaded: Preloaded) -> RunBenchmark:
    """Return a function that runs a module of `benchmarks` in a folder: (module, folder, *arguments)."""

    def run(module: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return preloaded.run(
            ["-m", f"benchmarks.{module}", *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )

    return run


@pytest.fixture(scope="session")
def run_seed(run_benchmark: RunBenchmark) -> RunBenchmark:
    """Return a function that runs a seed's script, with all it writes in a folder: (name, folder, *arguments)."""
    return lambda name, folder, *arguments: run_benchmark(f"seeds.{name}", folder, *folders(folder), *arguments)


@pytest.fixture(scope="session")
def reduced_seed(run_seed: RunBenchmark) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a seed's reduced form and returns its record: (name, folder, *arguments)."""

    def reduced(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
        done = run_seed(name, folder, "--quick", *arguments)
        assert done.returncode == 0, done.stderr
        (path,) = (folder / "results").glob(f"{name}_quick*.json")
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record

    return reduced
