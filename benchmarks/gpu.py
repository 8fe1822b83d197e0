"""Pictures per second on a GPU beside the processor, by size of the batch, in one run.

    NNCODEC_DATA=... python -m benchmarks.gpu
    python -m benchmarks.gpu --device cuda:1 --precision float32

Photographs of 768 x 512 pixels are encoded (`encode_batch`), decoded to images (`decode_batch`), and decoded to tensors
that stay on the device (`nncodec.torch.decode_batch`), by both devices in turns. The record has medians over rounds,
and the highest memory that torch allocated on the GPU. The first round, which copies networks, is not counted. In
float32, it also says how many files of the GPU are those of the processor, and by how many levels pixels of one file
differ at most.

It needs a GPU; `--device cpu` compares the processor with itself, to check that the benchmark works.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import nncodec
import nncodec.torch
from benchmarks.measuring import pictures
from benchmarks.measuring.data import find_data
from benchmarks.measuring.records import RESULTS, Record, write_record
from benchmarks.measuring.timed import add_options, timed
from nncodec.errors import InvalidOption
from nncodec.plugin.device import chosen_device

SIZE, QUICK_SIZE = (768, 512), (48, 32)
BATCHES, QUICK_BATCHES = (1, 8, 32), (1, 2)
QUALITY = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo", help="name or alias")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ...")
    parser.add_argument("--precision", choices=("auto", "float32"), default="auto")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each figure")
    add_options(parser)
    parser.add_argument("--output", type=Path, default=RESULTS / "gpu.json")
    options = parser.parse_args(arguments)
    try:
        chosen_device(options.device)
    except InvalidOption as error:
        parser.error(f"--device: {error.reason}")
    record = timed("gpu", options, lambda: measure(options))
    for row in record["speed"]:
        print(" ".join(f"{value:>9}" for value in row.values()))
    write_record(options.output, record)


def measure(options: argparse.Namespace) -> Record:
    """Return all measurements."""
    size, batches = (QUICK_SIZE, QUICK_BATCHES) if options.quick else (SIZE, BATCHES)
    source = "kodak" if find_data("kodak") else "skimage"
    some = [pictures.fitted(photograph, *size) for photograph in pictures.photographs(source)]
    some = some[: max(batches)]
    photographs = [some[number % len(some)] for number in range(max(batches))]
    is_gpu = torch.device(options.device).type == "cuda"
    if is_gpu:
        torch.cuda.reset_peak_memory_stats(options.device)
    speed = [row for count in batches for row in _speed(photographs[:count], options)]
    return {
        "model": options.model,
        "quality": QUALITY,
        "pixels": size,
        "gpu": torch.cuda.get_device_name(options.device) if is_gpu else None,
        "gpu_memory_mib": round(torch.cuda.max_memory_allocated(options.device) / 2**20) if is_gpu else None,
        "speed": speed,
        "agreement": _agreement(some, options),
    }


def _speed(images: list[Image.Image], options: argparse.Namespace) -> list[Record]:
    """Return pictures per second of a batch, for each task and device."""
    files = nncodec.encode_batch(images, options.model, QUALITY, lossless=False)
    tasks: dict[str, Callable[[str], Any]] = {
        "encode": lambda device: nncodec.encode_batch(images, options.model, QUALITY, lossless=False, device=device),
        "decode": lambda device: nncodec.decode_batch(files, device=device),
        "tensors": lambda device: nncodec.torch.decode_batch(files, device=device),
    }
    devices = tuple(dict.fromkeys(("cpu", options.device)))
    seconds: dict[tuple[str, str], list[float]] = {(task, device): [] for task in tasks for device in devices}
    with nncodec.precision(options.precision):
        for number in range(1 + (1 if options.quick else options.rounds)):
            for (task, device), samples in seconds.items():
                taken = _seconds_of(tasks[task], device)
                if number:
                    samples.append(taken)
    return [
        {
            "task": task,
            "device": device,
            "precision": options.precision,
            "batch": len(images),
            "pictures_per_s": round(len(images) / statistics.median(samples), 2),
        }
        for (task, device), samples in seconds.items()
    ]


def _seconds_of(task: Callable[[str], Any], device: str) -> float:
    start = time.perf_counter()
    kept = task(device)
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)  # tensors may still be computed
    del kept
    return time.perf_counter() - start


def _agreement(images: list[Image.Image], options: argparse.Namespace) -> Record:
    """Return how files and pixels of a device differ from those of the processor, in float32."""
    own, device = "cpu", options.device
    with nncodec.precision("float32"):
        expected, files = (
            nncodec.encode_batch(images, options.model, QUALITY, lossless=False, device=name) for name in (own, device)
        )
        differences = [
            np.abs(
                np.asarray(nncodec.decode(data, device=own), int) - np.asarray(nncodec.decode(data, device=device), int)
            )
            for data in files
        ]
    return {
        "files": len(images),
        "equal_files": sum(one == other for one, other in zip(files, expected, strict=True)),
        "bytes": sum(map(len, files)),
        "bytes_of_processor": sum(map(len, expected)),
        "most_levels": int(max(difference.max() for difference in differences)),
    }


if __name__ == "__main__":
    main()
