"""What a cluster does in a day, and what limits it: a simulation of `nncodec batch` from measured distributions.

    python -m benchmarks.scale --record benchmarks/results/batch.json --output benchmarks/results/scale.json

A run is a queue: workers read a group of pictures, code each, and publish; one main process takes every outcome. Times
of coding are drawn from the record's quantiles, those of the store from log-normal distributions; the main process
takes what was measured. Some thousand groups are simulated for each size of a cluster, and what they show is carried
to a billion files. What is not measured here is an assumption, and listed in the record.

References:
    Law, Simulation Modeling and Analysis, 5th edition, chapter 1 (discrete events).
"""

from __future__ import annotations

import argparse
import heapq
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.records import RESULTS, Record, command_line, read_record, write_record

FILES = 10**9
CORES = (16, 64, 256, 1024, 4096, 16384)
ASSUMED: dict[str, float] = {
    "megapixels of a picture": 0.4,
    "seconds a megapixel": 0.6,
    "files of a group": 2,
    "seconds of a GET, median": 0.03,
    "seconds of a PUT, median": 0.05,
    "spread of both, sigma of the logarithm": 0.5,
    "PUT requests a second that a prefix takes": 3500,
    "prefixes": 64,
    "keys of a LIST": 1000,
    "seconds of a LIST": 0.15,
    "Dask, ms a task of the scheduler": 1.0,
    "bytes of memory for a file of an earlier run": 200,
    "seconds to read a million lines of a manifest": 12,
}


def main() -> None:
    """Parse, simulate, write."""
    parser = argparse.ArgumentParser(description="What a cluster does in a day, and what limits it.")
    parser.add_argument("--record", type=Path, default=RESULTS / "batch.json")
    parser.add_argument("--groups", type=int, default=20_000, help="simulated for each size of a cluster")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cost = read_record(options.record)["cost"]
    main_ms = cost["small"]["main process, CPU ms a picture"]
    mean_s = ASSUMED["seconds a megapixel"] * ASSUMED["megapixels of a picture"]
    shares = np.array(cost["0.4 MP"]["seconds over their mean, quantiles"])
    rows = []
    for cores in CORES:
        shards = max(1, round(cores * ASSUMED["files of a group"] / 2 / 256))  # about 256 workers to a main process
        for engine, ms in (("local", main_ms), ("dask", main_ms + ASSUMED["Dask, ms a task of the scheduler"] / 2)):
            rate = shards * simulate(cores // shards, mean_s, shares, ms / 1000, options.groups)
            alone = simulate(cores, mean_s, shares, ms / 1000, options.groups) if shards > 1 else rate
            rows.append(_row(cores, engine, shards, rate, alone, mean_s))
            print(rows[-1], flush=True)
    record: Record = {
        "command": command_line("scale"),
        "measured": {"main process, ms a picture": main_ms, "seconds over their mean, quantiles": shares.tolist()},
        "assumed": ASSUMED,
        "files": FILES,
        "clusters": rows,
        "manifest": _manifest(cost["small"]["bytes of a line of the manifest"]),
    }
    if options.output:
        write_record(options.output, record)


def simulate(workers: int, mean_s: float, shares: np.ndarray[Any, Any], main_s: float, groups: int) -> float:
    """Return the pictures a second of one main process and its workers, from a simulation of their queue.

    Args:
        workers: that compute.
        mean_s: seconds to code a picture.
        shares: quantiles of the seconds over their mean.
        main_s: of the main process for each picture.
        groups: to simulate, at least ten for each worker.
    """
    draw = np.random.default_rng(0)
    files, groups = round(ASSUMED["files of a group"]), max(groups, 10 * workers)
    sigma = ASSUMED["spread of both, sigma of the logarithm"]
    uniform = draw.random((groups, files)) * (len(shares) - 1)
    coding = mean_s * np.interp(uniform, np.arange(len(shares)), shares).sum(1)
    coding *= mean_s * files / coding.mean()
    for name in ("GET", "PUT"):
        median = ASSUMED[f"seconds of a {name}, median"]
        coding += draw.lognormal(math.log(median), sigma, (groups, files)).sum(1)
    # Each worker holds a group ahead, so it goes on at once; the main process hears of a group when it is free.
    free = [0.0] * workers
    heapq.heapify(free)
    given = last = 0.0
    for seconds in coding:
        start = max(heapq.heappop(free), given - 2 * mean_s * files)  # two groups ahead of the main process
        end = start + seconds
        heapq.heappush(free, end)
        given = max(given, start) + main_s * files
        last = max(last, given, end)
    return float(groups * files / last)


def _row(cores: int, engine: str, shards: int, rate: float, alone: float, mean_s: float) -> Record:
    puts = ASSUMED["PUT requests a second that a prefix takes"] * ASSUMED["prefixes"]
    rate, limit = min(rate, puts), "store" if rate > puts else "cores"
    return {
        "cores": cores,
        "engine": engine,
        "main processes": shards,
        "pictures a second": round(rate, 1),
        "with one main process": round(alone, 1),
        "million a day": round(rate * 86400 / 1e6, 1),
        "days for all": round(FILES / rate / 86400, 1),
        "cores in use": round(rate * mean_s / cores, 3),
        "limit": limit,
    }


def _manifest(line_bytes: int) -> Record:
    """Return what the manifests of a billion files are, over shards."""
    rows = []
    for shards in (1, 16, 64, 256, 1024):
        files = FILES / shards
        reading_s = files / 1e6 * ASSUMED["seconds to read a million lines of a manifest"]
        listing_s = FILES / ASSUMED["keys of a LIST"] * ASSUMED["seconds of a LIST"]
        row = {
            "shards": shards,
            "files of each": round(files),
            "manifest, GB": round(files * line_bytes / 1e9, 2),
            "memory, GB": round(files * ASSUMED["bytes of memory for a file of an earlier run"] / 1e9, 2),
            "hours to read it": round(reading_s / 3600, 2),
            "hours to list the source": round(listing_s / 3600, 1),
        }
        rows.append(row)
    return {"bytes of a line": line_bytes, "by shards": rows}


if __name__ == "__main__":
    main()
