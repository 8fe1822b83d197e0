"""Speed beside other programs that use processors, in one run of about a minute.

    NNCODEC_DATA=... python -m benchmarks.busy_machine

A photograph of 768 x 512 pixels, which is one block, is encoded and decoded through Pillow while so many other programs
count in a loop. "All threads" is nncodec computing with as many threads as there are processors, whether they are free
or not. Rows hold medians over alternating rounds with everything loaded. It refuses to start on a busy machine without
--busy, and records `"idle": false` then; the programs that it starts do not count.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from PIL import Image

from benchmarks.measuring import pictures
from benchmarks.measuring.data import find_data
from benchmarks.measuring.machine import cores
from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.records import RESULTS, Record, write_record
from benchmarks.measuring.timed import add_options, timed
from benchmarks.measuring.timing import significant

OURS = PillowCodec("nncodec", "NNC", {"lossless": False, "quality": 70}, ("nncodec_pillow",), is_model=True)
ALL_THREADS = "nncodec, all threads"
PEERS = (
    PillowCodec("JPEG", "JPEG", {"quality": 90}),
    PillowCodec("WebP", "WEBP", {"quality": 90}),
    PillowCodec("AVIF", "AVIF", {"quality": 75}),
)
SIZE, QUICK_SIZE = (768, 512), (64, 48)
_SETTLE_SECONDS = 0.2
_FREE = "nncodec.coding.parallel.free_processors"


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="samples of each figure")
    add_options(parser)
    parser.add_argument("--output", type=Path, default=RESULTS / "busy_machine.json")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    write_record(options.output, timed("busy_machine", options, lambda: measure(options.quick, options.rounds)))


def measure(quick: bool, rounds: int) -> Record:
    """Return all measurements."""
    source = "kodak" if find_data("kodak") and not quick else "skimage"
    image = pictures.fitted(pictures.photographs(source)[0], *(QUICK_SIZE if quick else SIZE))
    runs = [run for codec in (OURS, *PEERS) for run in _runs(codec, image)]
    runs[2:2] = [_with_all_threads(run) for run in runs[:2]]
    rows = []
    for others in range(cores() + 1):
        with _programs(others):
            rows += [{"other_programs": others, **row} for row in _timed(runs, rounds)]
            print(f"{others} other programs: done", flush=True)
    return {
        "rounds": rounds,
        "pictures": pictures.SOURCES[source],
        "size": image.size,
        "codecs": {codec.name: codec.to_json() for codec in (OURS, *PEERS)},
        "seconds": rows,
    }


@dataclass(frozen=True)
class _Run:
    codec: str
    operation: str
    call: Callable[[], object]


def _runs(codec: PillowCodec, image: Image.Image) -> list[_Run]:
    codec.register()
    data = codec.encode(image)
    return [
        _Run(codec.name, "encode", lambda: codec.encode(image)),
        _Run(codec.name, "decode", lambda: codec.decode(data)),
    ]


def _with_all_threads(run: _Run) -> _Run:
    def call() -> None:
        with mock.patch(_FREE, lambda wanted: wanted):
            run.call()

    return _Run(ALL_THREADS, run.operation, call)


@contextmanager
def _programs(count: int) -> Iterator[None]:
    """Run so many programs that only compute."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(_SETTLE_SECONDS)
        yield
    finally:
        for program in running:
            program.kill()
            program.wait()  # its processor time counts as this process's from now on


def _timed(runs: Sequence[_Run], rounds: int) -> list[Record]:
    seconds: list[list[float]] = [[] for _ in runs]
    for number in range(rounds):
        for place in (*range(number % len(runs), len(runs)), *range(number % len(runs))):
            runs[place].call()  # threads of the one before have stopped to spin when the clock starts
            start = time.perf_counter()
            runs[place].call()
            seconds[place].append(time.perf_counter() - start)
    return [
        {
            "codec": run.codec,
            "operation": run.operation,
            "median_s": significant(statistics.median(taken)),
            "worst_s": significant(max(taken)),
        }
        for run, taken in zip(runs, seconds, strict=True)
    ]


if __name__ == "__main__":
    main()
