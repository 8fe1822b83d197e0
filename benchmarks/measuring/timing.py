"""Time of encoding and decoding with everything loaded, codec after codec in each round, and what follows from it.

Every round visits every codec once, beginning with another one each time, so that a machine that slows down, or a codec
that leaves caches and memory in some state, hits all alike. Each core count has a process of its own, which lives
throughout and holds the pictures; the rounds alternate between those as well.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.process import Worker
from nncodec import metrics

OPERATIONS = ("encode", "decode")
# Threads that a codec left waiting in a loop, as OpenMP's do, have gone to sleep after this.
_SETTLE_S = 0.02


@dataclass(frozen=True)
class Case:
    """Pictures of one size, and which codecs to time on them with how many cores.

    Args:
        size: its name.
        pictures: files, all of one number of pixels.
        codecs: in the order of the first round.
        threads: core counts.
    """

    size: str
    pictures: tuple[Path, ...]
    codecs: tuple[PillowCodec, ...]
    threads: tuple[int, ...]


def measure(
    cases: Sequence[Case], workers: Mapping[int, Worker], rounds: int, sample_s: float, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return one row for each case, core count, codec and operation.

    Args:
        cases: what to time.
        workers: by core count.
        rounds: samples of each row.
        sample_s: short operations are repeated until a sample takes about this long, seconds.
        say: is told what is going on.
    """
    passes = {}
    for case in cases:
        for threads in case.threads:
            for codec in case.codecs:
                warm_s = workers[threads].call(warm_up, case.size, case.pictures, codec)
                for operation, seconds in warm_s.items():
                    passes[case.size, threads, codec.name, operation] = max(1, round(sample_s / seconds))
        say(f"{case.size}: warm")
    samples: dict[tuple[str, int, str, str], list[tuple[float, float]]] = {key: [] for key in passes}
    for number in range(rounds):
        for case, threads, codec in _turns(cases, number):
            for operation in OPERATIONS:
                key = (case.size, threads, codec.name, operation)
                samples[key].append(workers[threads].call(sample, case.size, codec, operation, passes[key]))
        say(f"round {number + 1} of {rounds} done")
    megapixels = {case.size: _megapixels(case.pictures) for case in cases}
    return [_row(key, megapixels[key[0]], passes[key], taken) for key, taken in samples.items()]


def _turns(cases: Sequence[Case], number: int) -> Iterator[tuple[Case, int, PillowCodec]]:
    for case in cases:
        first = number % len(case.codecs)
        for codec in (*case.codecs[first:], *case.codecs[:first]):
            for threads in case.threads:
                yield case, threads, codec


def _megapixels(pictures: Sequence[Path]) -> float:
    total = 0
    for path in pictures:
        with Image.open(path) as image:
            total += image.width * image.height
    return total / 1e6


def _row(
    key: tuple[str, int, str, str], megapixels: float, passes: int, samples: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    size, threads, codec, operation = key
    wall_s = [wall for wall, _ in samples]
    figures = summary(wall_s)
    return {
        "size": size,
        "threads": threads,
        "codec": codec,
        "operation": operation,
        "megapixels": round(megapixels, 6),
        "passes_a_sample": passes,
        **figures,
        "mp_per_s": significant(megapixels / figures["median_s"]),
        "cores_used": round(statistics.median(cpu / wall for wall, cpu in samples), 2),
        "seconds": [significant(seconds) for seconds in wall_s],
    }


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, and the spread as the range in percent of the median."""
    median = statistics.median(seconds)
    spread = 100 * (max(seconds) - min(seconds)) / median
    return {"median_s": significant(median), "spread_percent": round(spread, 1)}


def significant(value: float, digits: int = 5) -> float:
    """Return a value rounded to so many digits."""
    return float(f"{value:.{digits}g}")


def ratios(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return how many times as fast each model is as each other codec, from the medians of rows alike."""
    found = []
    for row in rows:
        if row["codec"] not in models:
            continue
        for other in rows:
            alike = all(row[name] == other[name] for name in ("size", "threads", "operation"))
            if alike and other["codec"] != row["codec"]:
                same = {name: row[name] for name in ("size", "threads", "operation", "codec")}
                times = significant(other["median_s"] / row["median_s"])
                found.append(same | {"against": other["codec"], "times_as_fast": times})
    return found


def scaling(rows: Sequence[Mapping[str, Any]], sizes: Sequence[str], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return seconds a megapixel by size, and how far they are from constant, for the most cores."""
    most = max(row["threads"] for row in rows)
    found = []
    for model in models:
        for operation in OPERATIONS:
            per_megapixel = {
                row["size"]: significant(row["median_s"] / row["megapixels"])
                for size in sizes
                for row in rows
                if (row["size"], row["threads"], row["codec"], row["operation"]) == (size, most, model, operation)
            }
            values = per_megapixel.values()
            found.append(
                {
                    "codec": model,
                    "operation": operation,
                    "threads": most,
                    "seconds_per_megapixel": per_megapixel,
                    "slowest_over_fastest": significant(max(values) / min(values)),
                }
            )
    return found


# What follows runs in a worker, which keeps pictures and files between calls.

_pictures: dict[str, list[Image.Image]] = {}
_files: dict[tuple[str, str], list[bytes]] = {}


def warm_up(size: str, pictures: Sequence[Path], codec: PillowCodec) -> dict[str, float]:
    """Load the pictures unless they are, encode and decode them once, and return the seconds of the second time."""
    if size not in _pictures:
        _pictures[size] = [_loaded(path) for path in pictures]
    codec.register()
    _files[size, codec.name] = [codec.encode(image) for image in _pictures[size]]
    _run(size, codec, "decode", 1)
    return {operation: _run(size, codec, operation, 1)[0] for operation in OPERATIONS}


def sample(size: str, codec: PillowCodec, operation: str, passes: int) -> tuple[float, float]:
    """Return the seconds and the processor seconds that one pass over the pictures takes, as the mean of several."""
    time.sleep(_SETTLE_S)
    wall_s, cpu_s = _run(size, codec, operation, passes)
    return wall_s / passes, cpu_s / passes


def fidelity(pictures: Sequence[Path], codec: PillowCodec) -> tuple[float, float]:
    """Return rate in bits a pixel and PSNR in dB on RGB, both averaged over pictures."""
    codec.register()
    rates_bpp, psnrs_db = [], []
    for image in (_loaded(path) for path in pictures):
        data = codec.encode(image)
        rates_bpp.append(8 * len(data) / (image.width * image.height))
        psnrs_db.append(metrics.psnr(image, codec.decode(data).convert("RGB")))
    return statistics.mean(rates_bpp), statistics.mean(psnrs_db)


def _run(size: str, codec: PillowCodec, operation: str, passes: int) -> tuple[float, float]:
    call: Callable[[Any], object] = codec.encode if operation == "encode" else codec.decode
    inputs: Sequence[Any] = _pictures[size] if operation == "encode" else _files[size, codec.name]
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(passes):
        for one in inputs:
            call(one)
    return time.perf_counter() - start, time.process_time() - cpu


def _loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
