"""Times of encoding and decoding with everything loaded, and ratios and scaling derived from them.

Every round visits every codec once and starts with another codec, so that a machine that slows down, or a codec that
leaves caches and memory in some state, affects all equally. Each core count has its own process, which lives throughout
and holds the pictures; rounds alternate between these too.
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
# Threads that a codec leaves spinning, as OpenMP's do, are asleep after this time.
_SETTLE_S = 0.02


@dataclass(frozen=True)
class Case:
    """Pictures of one size, with the codecs and core counts to time.

    Args:
        size: its name.
        pictures: files with the same number of pixels.
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
    """Return a row for each case, core count, codec and operation.

    Args:
        cases: what to time.
        workers: by core count.
        rounds: samples of each row.
        sample_s: seconds that a sample should take; short operations are repeated.
        say: called with a line of progress.
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
    """Return the median, and the range in percent of the median."""
    median = statistics.median(seconds)
    spread = 100 * (max(seconds) - min(seconds)) / median
    return {"median_s": significant(median), "spread_percent": round(spread, 1)}


def significant(value: float, digits: int = 5) -> float:
    """Return a value rounded to so many significant digits."""
    return float(f"{value:.{digits}g}")


def ratios(rows: Sequence[Mapping[str, Any]], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return how many times as fast each model is as every other codec on the same work, from medians."""
    quotients = []
    for row in rows:
        if row["codec"] not in models:
            continue
        for other in rows:
            alike = all(row[name] == other[name] for name in ("size", "threads", "operation"))
            if alike and other["codec"] != row["codec"]:
                same = {name: row[name] for name in ("size", "threads", "operation", "codec")}
                times = significant(other["median_s"] / row["median_s"])
                quotients.append(same | {"against": other["codec"], "times_as_fast": times})
    return quotients


def scaling(rows: Sequence[Mapping[str, Any]], sizes: Sequence[str], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return seconds per megapixel by size, and the slowest over the fastest, for the most cores."""
    most = max(row["threads"] for row in rows)
    lines = []
    for model in models:
        for operation in OPERATIONS:
            per_megapixel = {
                row["size"]: significant(row["median_s"] / row["megapixels"])
                for size in sizes
                for row in rows
                if (row["size"], row["threads"], row["codec"], row["operation"]) == (size, most, model, operation)
            }
            values = per_megapixel.values()
            lines.append(
                {
                    "codec": model,
                    "operation": operation,
                    "threads": most,
                    "seconds_per_megapixel": per_megapixel,
                    "slowest_over_fastest": significant(max(values) / min(values)),
                }
            )
    return lines


# The rest runs in a worker, which keeps pictures and files between calls.

_pictures: dict[str, list[Image.Image]] = {}
_files: dict[tuple[str, str], list[bytes]] = {}


def warm_up(size: str, pictures: Sequence[Path], codec: PillowCodec) -> dict[str, float]:
    """Load the pictures if needed, encode and decode them twice, and return the seconds of the second time."""
    if size not in _pictures:
        _pictures[size] = [_loaded(path) for path in pictures]
    codec.register()
    _files[size, codec.name] = [codec.encode(image) for image in _pictures[size]]
    _run(size, codec, "decode", 1)
    return {operation: _run(size, codec, operation, 1)[0] for operation in OPERATIONS}


def sample(size: str, codec: PillowCodec, operation: str, passes: int) -> tuple[float, float]:
    """Return the wall and processor seconds of a pass over the pictures, means over several passes."""
    time.sleep(_SETTLE_S)
    wall_s, cpu_s = _run(size, codec, operation, passes)
    return wall_s / passes, cpu_s / passes


def fidelity(pictures: Sequence[Path], codec: PillowCodec) -> tuple[float, float]:
    """Return the mean rate in bits per pixel and the mean PSNR on RGB in dB."""
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
        for value in inputs:
            call(value)
    return time.perf_counter() - start, time.process_time() - cpu


def _loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
