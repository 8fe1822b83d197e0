"""Batches under kill -9, and what they cost beside the coding: processor time and memory.

    python -m benchmarks.batch --pictures 20000 --rounds 10 --output benchmarks/results/batch.json
    python -m benchmarks.batch --pictures 2000 --rounds 10 --parts local,dask,s3

Small grey pictures are made, and encoded once undisturbed. Then, for each of the parts, a command is killed in rounds,
each time at a random moment and by turns: a worker, the main process; for `dask` also the scheduler and a Dask worker.
After every round each visible result must be sound; after the last resume each must be there once and equal that of the
undisturbed run. `cost` measures the processor time that the main process takes for a picture, and memory over a run.
A record that is there keeps its other parts. It needs Linux; `dask` needs the extra dask, `s3` the extra batch-test.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.measuring.faulty_s3 import FaultyS3, serving, stored_in
from benchmarks.measuring.machine import machine
from benchmarks.measuring.records import Record, command_line, read_record, write_record
from nncodec import batch
from nncodec.batch.transport import retried

PARTS = ("local", "dask", "s3", "cost")
MODEL = ("-m", "dense/fashion", "--never-lossless")
_STATE = ".nncodec-batch"
_MANIFEST = f"{_STATE}/encode/1-of-1/manifest.jsonl"
_EDGE = 28
_FOLDERS = 20


@dataclass
class Disturbance:
    """What is killed in the rounds of a part, and what was seen.

    Args:
        source, dest: of the command.
        options: of the command, beside the model.
        victims: names of what is killed, by turns.
        find: returns the process of a victim, given the command's.
        results: returns what is visible in the destination: names, and MD5 digests of the contents.
        count: returns how many results are visible.
        heal: starts again what a round has killed.
    """

    source: str
    dest: str
    options: Sequence[str]
    victims: Sequence[str]
    find: Callable[[str, int], int | None]
    results: Callable[[], dict[str, str]]
    count: Callable[[], int]
    heal: Callable[[], None] = lambda: None
    rounds: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    """Parse, measure, write."""
    options = _options()
    record = read_record(options.output) if options.output and options.output.exists() else {}
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make_pictures(folder / "in", options.pictures)
        expected: dict[str, str] = {}
        if options.parts != ["cost"]:
            made = batch.encoding(folder / "in", folder / "whole", "dense/fashion", lossless=False, run=_workers(1))
            made.run()
            expected = results_of(folder / "whole")
        for part in options.parts:
            print(f"{part} ...", flush=True)
            if part == "cost":
                seen = measure_cost(folder, options.pictures, options.large)
            else:
                seen = globals()[f"_disturb_{part}"](folder, expected, options.rounds)
            origin = {"command": command_line("batch"), "machine": machine(), "pictures": options.pictures}
            record[part] = origin | seen
            print(record[part], flush=True)
    if options.output:
        write_record(options.output, record)


def make_pictures(folder: Path, count: int) -> None:
    """Write small grey pictures of smooth noise in a few folders."""
    noise = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(noise.integers(0, 256, (5, 5), np.uint8))
        target = folder / f"{number % _FOLDERS:02}" / f"{number:06}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((_EDGE, _EDGE), Image.Resampling.BICUBIC).save(target, compress_level=1)


def results_of(folder: Path) -> dict[str, str]:
    """Return the results in a folder: names, and MD5 digests of their contents, as ETags of object stores are."""
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and _STATE not in path.parts
    }


# --- kill -9 ------------------------------------------------------------------------------------------------------


def _disturb_local(folder: Path, expected: dict[str, str], rounds: int) -> Record:
    def find(victim: str, command: int) -> int | None:
        return command if victim == "main" else next(iter(_workers_of(command)), None)

    dest = folder / "local"
    victims, seen = ("worker", "main"), (lambda: results_of(dest), lambda: _count(dest))
    return _disturbed(Disturbance(str(folder / "in"), str(dest), ["-j", "2"], victims, find, *seen), rounds, expected)


def _disturb_s3(folder: Path, expected: dict[str, str], rounds: int) -> Record:
    import fsspec

    faults = FaultyS3(errors=0.05, delays=0.05, delay_s=0.1)
    with serving(faults):
        files = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
        retried(lambda: files.mkdir("batch"))

        def results() -> dict[str, str]:
            found = stored_in("batch").items()
            return {name.removeprefix("out/"): tag for name, tag in found if _STATE not in name}

        def find(victim: str, command: int) -> int | None:
            return command if victim == "main" else next(iter(_workers_of(command)), None)

        def count() -> int:
            return len(results())

        victims, seen = ("worker", "main"), (results, count)
        plan = Disturbance(str(folder / "in"), "s3://batch/out", ["-j", "2"], victims, find, *seen)
        record = _disturbed(plan, rounds, expected)
    return record | {"requests": faults.requests, "answered with 500": faults.failed}


def _disturb_dask(folder: Path, expected: dict[str, str], rounds: int) -> Record:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    running: dict[str, subprocess.Popen[bytes]] = {}

    def heal() -> None:
        local = ["--no-dashboard", "--host", "127.0.0.1"]
        commands = {
            "scheduler": ["scheduler", "--port", str(port), *local],
            "dask worker": ["worker", address, "--nthreads", "1", "--local-directory", str(folder / "dask"), *local],
        }
        is_new = "scheduler" not in running or running["scheduler"].poll() is not None
        if is_new and "dask worker" in running:  # it ends by itself without its scheduler, but at its leisure
            _kill(running["dask worker"].pid)
            running["dask worker"].wait()
        for name, arguments in commands.items():
            if name not in running or running[name].poll() is not None:
                running[name] = _start([sys.executable, "-m", "dask", *arguments])

    def find(victim: str, command: int) -> int | None:
        return command if victim == "main" else running[victim].pid

    heal()
    dest = folder / "by dask"
    victims, seen = ("dask worker", "scheduler", "main"), (lambda: results_of(dest), lambda: _count(dest))
    options = ["--scheduler", address]
    plan = Disturbance(str(folder / "in"), str(dest), options, victims, find, *seen, heal)
    try:
        return _disturbed(plan, rounds, expected)
    finally:
        for process in running.values():
            _kill(process.pid)
            process.wait()


def _disturbed(plan: Disturbance, rounds: int, expected: dict[str, str]) -> Record:
    """Run the rounds of a part and the last resume, and return what was seen; raises if anything is wrong."""
    begun, share = time.monotonic(), len(expected) / (rounds + 2)
    for number in range(rounds):
        plan.heal()
        victim = plan.victims[number % len(plan.victims)]
        process = _command("encode", plan)
        _wait_for_more(plan, random.uniform(0, 1.2) * share, process)  # noqa: S311
        pid = plan.find(victim, process.pid)
        if pid is not None and process.poll() is None:
            _kill(pid) if victim in ("scheduler", "dask worker") else os.kill(pid, signal.SIGKILL)
        if victim == "worker":  # the rest goes on for a while, then ends too, so that there is work for other rounds
            _wait_for_more(plan, random.uniform(0.1, 0.5) * share, process)  # noqa: S311
        elif victim != "main":
            time.sleep(3)
        ended = process.poll()
        _kill(process.pid)
        process.wait()
        time.sleep(0.5)  # workers publish what they have in hand, then see that their parent is gone
        found = plan.results()
        unsound = [name for name, digest in found.items() if expected.get(name) != digest]
        said = {"killed": victim, "status": ended, "results": len(found), "unsound": len(unsound)}
        plan.rounds.append(said)
        print(said, flush=True)
        if unsound:
            raise RuntimeError(f"results that differ: {unsound[:5]}")
    plan.heal()
    status = _command("encode", plan).wait()
    again = _command("encode", plan, "--json", out=subprocess.PIPE)
    report = json.loads(again.communicate()[0])
    found, checked = plan.results(), _command("check", plan).wait()
    return {
        "rounds": plan.rounds,
        "seconds": round(time.monotonic() - begun, 1),
        "last resume": status,
        "done again by one more run": report["done"],
        "equal": sum(found.get(name) == digest for name, digest in expected.items()),
        "missing": len(expected.keys() - found.keys()),
        "extra": len(found.keys() - expected.keys()),
        "check": checked,
    }


def _command(operation: str, plan: Disturbance, *more: str, out: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    model = MODEL if operation == "encode" else ()
    options = plan.options if operation == "encode" else ["-j", "1"]
    arguments = ["batch", operation, plan.source, plan.dest, *model, *options, *more]
    return _start([sys.executable, "-m", "nncodec", *arguments], out)


def _start(command: Sequence[str], out: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, start_new_session=True)


def _workers_of(command: int) -> list[int]:
    """Return the worker processes of a command; its other child keeps track of what multiprocessing shares."""
    children = Path(f"/proc/{command}/task/{command}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def _kill(leader: int) -> None:
    """Kill a process and its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _wait_for_more(plan: Disturbance, more: float, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many more results are visible, and a random moment longer, or the command has ended."""
    goal = plan.count() + more
    while plan.count() <= goal and process.poll() is None:
        time.sleep(0.05)
    time.sleep(random.uniform(0, 0.1))  # noqa: S311


def _count(folder: Path) -> int:
    """Return the number of results in a folder and its subfolders."""
    places = [place for place in folder.iterdir() if place.name != _STATE] if folder.is_dir() else []
    return sum(len(os.listdir(place)) for place in places if place.is_dir())  # noqa: PTH208 (fast)


# --- cost ---------------------------------------------------------------------------------------------------------


def measure_cost(folder: Path, pictures: int, large: int) -> Record:
    """Return the processor time of the main process per picture, memory over a run, and how times of coding vary."""
    record: Record = {"small": _small_cost(folder, pictures)}
    for number in range(large):
        noise = np.random.default_rng(number).integers(0, 256, (64, 96, 3), np.uint8)
        target = folder / "large" / f"{number:03}.png"
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(noise).resize((768, 512), Image.Resampling.BICUBIC).save(target)
    record["0.4 MP"] = _large_shares(folder)
    return record


def _small_cost(folder: Path, pictures: int) -> Record:
    """Run over all small pictures in this process's workers; watch the memory of both and the time of this one."""
    memory: list[dict[str, float]] = []
    done = 0

    def watch(source: str, result: str, outcome: batch.Outcome) -> None:
        nonlocal done
        done += 1
        if done % max(1, pictures // 20) == 0:
            workers = _workers_of(os.getpid())
            memory.append({"done": done, "main": _rss_mb(os.getpid()), "worker": max(map(_rss_mb, workers), default=0)})

    shutil.rmtree(folder / "cost", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    made = batch.encoding(folder / "in", folder / "cost", "dense/fashion", lossless=False, run=_workers(1))
    report = made.run(watch)
    after = resource.getrusage(resource.RUSAGE_SELF)
    main_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    settled = [entry for entry in memory if entry["done"] >= min(1000, pictures // 10)]
    return {
        "main process, CPU ms a picture": round(1000 * main_s / pictures, 3),
        "work, ms a picture": round(1000 * report.work_seconds / pictures, 3),
        "bytes of a line of the manifest": round((folder / "cost" / _MANIFEST).stat().st_size / pictures),
        "memory, MB": memory,
        "growth": {name: round(settled[-1][name] / settled[0][name] - 1, 4) for name in ("main", "worker")},
    }


def _large_shares(folder: Path) -> Record:
    """Return how the times of pictures of 0.4 MP vary, as quantiles over their mean."""
    made = batch.encoding(folder / "large", folder / "coded", lossless=False, run=_workers(1))
    made.run()
    lines = [json.loads(line) for line in (folder / "coded" / _MANIFEST).read_bytes().splitlines()]
    seconds = np.array([line["seconds"] for line in lines])
    shares = np.quantile(seconds / seconds.mean(), np.linspace(0, 1, 21))
    return {"seconds over their mean, quantiles": [round(float(share), 3) for share in shares]}


def _rss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _workers(count: int) -> batch.BatchOptions:
    return batch.BatchOptions(workers=count)


def _parts(text: str) -> Iterator[str]:
    for part in text.split(","):
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"{part!r} is none of {', '.join(PARTS)}")
        yield part


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Batches under kill -9, and what they cost.")
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--parts", type=lambda text: [*_parts(text)], default=[*PARTS])
    parser.add_argument("--large", type=int, default=8, help="pictures of 0.4 MP whose times are measured")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where files are made; the temporary folder by default")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
