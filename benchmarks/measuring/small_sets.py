"""Sets of small grey pictures through real files: the bytes they take and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

import nncodec
from benchmarks.measuring.pillow_codec import PillowCodec
from nncodec.plugin.latents import Pixels


@dataclass(frozen=True)
class CodedSet:
    """What a codec made of a set of pictures.

    Args:
        files: one for each picture, or one for all.
        decoded: uint8 (n, H, W, 1).
        mse: mean squared error of pixels in 0..1.
    """

    files: Sequence[bytes]
    decoded: Pixels
    mse: float

    @property
    def bytes_a_picture(self) -> float:
        """Mean bytes of whole files."""
        return sum(map(len, self.files)) / len(self.decoded)


def by_model(pictures: Pixels, model: str, quality: int | None = None) -> CodedSet:
    """Code every picture (n, H, W, 1) to a file of its own by a model."""
    files = nncodec.encode_batch(grey_images(pictures), model, quality, lossless=False)
    return _coded(files, nncodec.decode_batch(files), pictures)


def stacked(pictures: Pixels, model: str) -> CodedSet:
    """Code all pictures (n, H, W, 1) as the frames of one file."""
    data = nncodec.encode(grey_images(pictures), model, lossless=False)
    return _coded([data], nncodec.decode_frames(data), pictures)


def by_pillow(pictures: Pixels, codec: PillowCodec) -> CodedSet:
    """Code every picture (n, H, W, 1) to a file of its own by a format of Pillow's."""
    files = [codec.encode(image) for image in grey_images(pictures)]
    return _coded(files, [codec.decode(data) for data in files], pictures)


def grey_images(pictures: Pixels) -> list[Image.Image]:
    """Return pictures (n, H, W, 1) as images of mode L."""
    return [Image.fromarray(picture[..., 0]) for picture in pictures]


def _coded(files: Sequence[bytes], images: Iterable[Image.Image], pictures: Pixels) -> CodedSet:
    decoded = np.stack([np.asarray(image.convert("L")) for image in images])[..., None]
    return CodedSet(files, decoded, float(np.square((decoded.astype(np.float64) - pictures) / 255).mean()))
