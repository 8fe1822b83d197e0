"""Make the pairs that `srgan/restore` is trained on: photographs, and what `photo` makes of them at low qualities.

    python benchmarks/train/restore_pairs.py photos pairs
    nncodec train srgan --low pairs/low --high pairs/high ...

Only photographs that the codec itself was trained on are used; those held back stay out of both. Every photograph comes
in four of its eight orientations, each coded for itself at a quality of its own: what a codec does wrong depends on
where it is in a square and in which direction, so a coded picture must not be turned afterwards. Files of one
photograph have one name, so that a training holds all of them back or none.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from nncodec.plugin.latents import Pixels
from nncodec.training.data import list_pictures, split_by_name
from nncodec.training.pictures import in_mode, read_picture
from nncodec_srgan.decoded import decoded_pairs

_HELD_BACK = 0.1  # as trainings have it by default
ORIENTATIONS = (0, 2, 5, 7)
"""By default: sums of 1 (left to right), 2 (upside down) and 4 (then rows for columns). Each is its qualities' seed."""


def main() -> None:
    """Write the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of pictures")
    parser.add_argument("output", type=Path, help="folder for the folders low and high")
    parser.add_argument("--codec", default="photo", help="the model that makes them worse")
    parser.add_argument("--quality-low", type=int, default=5)
    parser.add_argument("--quality-high", type=int, default=15)
    parser.add_argument("--orientations", type=int, nargs="+", default=ORIENTATIONS, choices=range(8))
    parser.add_argument("--jobs", type=int, default=2, help="processes, each with one thread")
    options = parser.parse_args()
    folder = options.photographs
    paths, _ = split_by_name(list_pictures(folder), _HELD_BACK)
    work = [(folder, path.relative_to(folder), orientation) for orientation in options.orientations for path in paths]
    qualities = options.quality_low, options.quality_high
    with ProcessPoolExecutor(options.jobs, initializer=_use_one_thread) as pool:
        futures = [pool.submit(_write, *one, options.output, options.codec, qualities) for one in work]
        for future in tqdm(futures, unit="pair"):
            future.result()


def turned(picture: Pixels, orientation: int) -> Pixels:
    """Return a picture (H, W, C) in one of eight orientations."""
    if orientation & 1:
        picture = picture[:, ::-1]
    if orientation & 2:
        picture = picture[::-1]
    return np.ascontiguousarray(picture.transpose(1, 0, 2) if orientation & 4 else picture)


def _write(folder: Path, path: Path, orientation: int, output: Path, codec: str, qualities: tuple[int, int]) -> None:
    picture = turned(in_mode(read_picture(folder / path), "RGB"), orientation)
    (pair,) = decoded_pairs([picture], codec, qualities, 1, orientation, lambda what, done, total: None)
    for side, pixels in (("high", pair[:, :, :3]), ("low", pair[:, :, 3:])):
        target = (output / side / str(orientation) / path).with_suffix(".png")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(pixels)).save(target, compress_level=1)


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
