"""What the scripts of the source systems share: data, where results go, and what every result says of its making."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from nncodec.nn.tensors import weights_of
from nncodec.plugin import discovery, registry
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import write_model
from nncodec.training.data import read_idx

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "seeds"
"""Where full runs put their figures; committed."""
CURVES = ROOT / "docs" / "images" / "seeds"
"""Where full runs put plots of figures; committed. Pictures of data sets go to the run folder, never here."""
RUNS = ROOT / "runs" / "seeds"
"""Where runs keep checkpoints, weights and grids of pictures; ignored by git."""

sys.path.insert(0, str(ROOT / "benchmarks"))
from measuring.machine import machine, versions  # noqa: E402

_EDGE = 28


def data_folder(name: str) -> Path:
    """Return a data set's folder below $NNCODEC_DATA, or end the program with a line that says what is missing."""
    root = os.environ.get("NNCODEC_DATA")
    if not root or not (Path(root) / name).is_dir():
        sys.exit(f"set NNCODEC_DATA to a folder that holds {name}/")
    return Path(root) / name


def idx_pictures(folder: Path, part: str) -> Pixels:
    """Return the pictures of a set of the MNIST family, uint8 (n, 28, 28, 1); `part` is "train" or "t10k"."""
    return read_idx(folder / f"{part}-images-idx3-ubyte.gz")[..., None]


def idx_labels(folder: Path, part: str) -> NDArray[np.int64]:
    """Return the labels of a set of the MNIST family, int64 (n,)."""
    return read_idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64)


def drawn_digits(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    """Return digits of Pillow's own font, moved and turned a little: what reduced runs use in place of MNIST.

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


def install(folder: Path, architecture: str, config: Mapping[str, Any], name: str, network: Any) -> None:
    """Write a trained network as a model file and make it usable by its name in this process."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {"summary": "trained by benchmarks/seeds"}
    path = folder / f"{name.replace('/', '_')}.safetensors"
    write_model(path, architecture=architecture, config=config, name=name, card=card, tensors=weights_of(network))
    os.environ[discovery.MODELS_VARIABLE] = str(folder)
    registry.refresh()


def grid(rows: Sequence[Pixels], path: Path) -> None:
    """Write rows of pictures, each uint8 (n, H, W, 1 or 3), one below the other as one PNG."""
    height, width = rows[0].shape[1:3]
    pictures = [np.concatenate(list(np.pad(row, ((0, 0), (1, 1), (1, 1), (0, 0)))), axis=1) for row in rows]
    whole = np.concatenate(pictures)
    image = Image.fromarray(whole[..., 0] if whole.shape[2] == 1 else whole)
    scale = max(1, 56 // min(height, width))
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(path)


def write_results(path: Path, command: str, minutes: float, results: Mapping[str, Any]) -> None:
    """Write figures with the command that makes them, the class of machine and the minutes of training.

    Args:
        path: JSON file.
        command: what a reader types, from the root of the repository.
        minutes: of training, summed over resumed runs.
        results: the figures.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"command": command, "machine": machine(), "versions": versions(), "minutes": round(minutes, 1)}
    path.write_text(json.dumps({**facts, **results}, indent=1) + "\n", encoding="utf-8")
