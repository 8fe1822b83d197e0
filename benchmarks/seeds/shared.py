"""Folders, command line, quick data and results of the scripts that rebuild source systems."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.measuring import records
from benchmarks.measuring.machine import machine, versions
from nncodec.plugin.latents import Pixels

RESULTS = records.RESULTS / "seeds"
"""Records of full runs; committed."""
CURVES = records.IMAGES / "seeds"
"""Plots of full runs; committed. Pictures of data sets go to the run folder, never here."""
RUNS = records.ROOT / "runs" / "seeds"
"""Checkpoints, weights and grids of pictures; ignored by git."""

RECOGNISER = RUNS / "d" / "vgg16_digits.safetensors"
"""Where a full run of system D leaves its VGG16."""

_EDGE = 28


def argument_parser(description: str | None, system: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every script has.

    Args:
        description: the module's docstring.
        system: its letter, lower case: the folder below `RUNS`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a reduced form that takes seconds and needs no data")
    parser.add_argument("--run", type=Path, default=RUNS / system, help="folder for checkpoints, models and pictures")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the record")
    parser.add_argument("--curves", type=Path, default=CURVES, help="folder for the plots")
    return parser


def write_results(
    path: Path, script: str, arguments: Sequence[str], minutes: float, results: Mapping[str, Any]
) -> None:
    """Write figures with the command that repeats them, the class of machine, versions and minutes of training.

    Args:
        path: JSON file.
        script: the module's name within `seeds`.
        arguments: of the command.
        minutes: of training, summed over resumed runs.
        results: the figures.
    """
    command = records.command_line(f"seeds.{script}", arguments)
    made = {"command": command, "machine": machine(), "versions": versions(), "minutes": round(minutes, 1)}
    records.write_record(path, {**made, **results})


def drawn_digits(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    """Return digits of Pillow's own font, moved and rotated a little: the data of reduced runs.

    Returns:
        Pictures, uint8 (count, 28, 28, 1), and their labels, int64 (count,).
    """
    rng = np.random.default_rng(seed)
    font = ImageFont.load_default(24)
    labels = rng.integers(10, size=count)
    pictures = np.empty((count, _EDGE, _EDGE, 1), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        canvas = Image.new("L", (_EDGE, _EDGE))
        centre = (_EDGE / 2 + rng.uniform(-2, 2), _EDGE / 2 + rng.uniform(-2, 2))
        ImageDraw.Draw(canvas).text(centre, str(label), 255, font, anchor="mm")
        picture[..., 0] = np.asarray(canvas.rotate(rng.uniform(-10, 10), Image.Resampling.BILINEAR))
    return pictures, labels
