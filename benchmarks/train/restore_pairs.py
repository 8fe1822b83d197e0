"""Make the pairs that `srgan/restore` is trained on: photographs, and the same after a codec at low qualities.

    python -m benchmarks.train.restore_pairs photos looks --orientations 0 --quality-low 0 --quality-high 15
    nncodec train srgan --low looks/low --high looks/high -c benchmarks/train/restore_looks.toml ...

`nncodec train srgan` makes such pairs too, but neither turns pictures before coding them nor keeps pairs for several
trainings. Coding errors depend on position and direction within a square, so a coded picture must not be turned
afterwards: the script codes each of four orientations for itself, at a quality of its own. It uses only photographs
that the codec was trained on. Files of one photograph have one name, so a training holds all of them back or none.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped]

from benchmarks.measuring.data import HELD_BACK
from nncodec._support.workers import each
from nncodec.plugin.latents import Pixels
from nncodec.training.data import in_mode, list_pictures, read_picture, split_by_name
from nncodec_srgan.decoded import decoded_pairs

ORIENTATIONS = (0, 2, 5, 7)
"""The default: sums of 1 (left to right), 2 (upside down) and 4 (then transposed). Each seeds its own qualities."""


def main() -> None:
    """Write the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of pictures")
    parser.add_argument("output", type=Path, help="folder for the folders low and high")
    parser.add_argument("--codec", default="photo", help="the model that codes them")
    parser.add_argument("--quality-low", type=int, default=5)
    parser.add_argument("--quality-high", type=int, default=15)
    parser.add_argument("--orientations", type=int, nargs="+", default=ORIENTATIONS, choices=range(8))
    parser.add_argument("--jobs", type=int, default=2, help="processes, each with one thread")
    options = parser.parse_args()
    paths, _ = split_by_name(list_pictures(options.photographs), HELD_BACK)
    work = [(path, orientation) for orientation in options.orientations for path in paths]
    qualities = options.quality_low, options.quality_high
    pairs = Pairs(options.photographs, options.output, options.codec, qualities)
    with contextlib.closing(each(pairs.write, work, options.jobs, threads=1)) as results:
        for _ in tqdm(results, total=len(work), unit="pair"):
            pass


@dataclass(frozen=True)
class Pairs:
    """Pairs of a folder of photographs.

    Args:
        photographs: the folder.
        output: folder for the folders low and high.
        codec: a model's name.
        qualities: lowest and highest.
    """

    photographs: Path
    output: Path
    codec: str
    qualities: tuple[int, int]

    def write(self, work: tuple[Path, int]) -> None:
        """Write the pair of a photograph in an orientation."""
        path, orientation = work
        picture = turned(in_mode(read_picture(path), "RGB"), orientation)
        (pair,) = decoded_pairs([picture], self.codec, self.qualities, 1, orientation, lambda what, done, total: None)
        for side, pixels in (("high", pair[:, :, :3]), ("low", pair[:, :, 3:])):
            place = path.relative_to(self.photographs)
            target = (self.output / side / str(orientation) / place).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(pixels)).save(target, compress_level=1)


def turned(picture: Pixels, orientation: int) -> Pixels:
    """Return a picture (H, W, C) in one of eight orientations."""
    if orientation & 1:
        picture = picture[:, ::-1]
    if orientation & 2:
        picture = picture[::-1]
    return np.ascontiguousarray(picture.transpose(1, 0, 2) if orientation & 4 else picture)


if __name__ == "__main__":
    main()
