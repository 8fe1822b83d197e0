"""Digits through codecs: the bytes they take and what comes back."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

import nncodec
from nncodec.plugin.latents import Pixels


@dataclass(frozen=True)
class Setting:
    """A codec at one quality; quality None where there is only one."""

    codec: str
    quality: int | None
    code: Callable[[list[Image.Image]], tuple[list[bytes], Pixels]]


@dataclass(frozen=True)
class Coded:
    """What a setting made of a set of pictures.

    Args:
        bytes_a_file: mean bytes of a whole file, one a picture.
        mse: of pixels in 0..1.
        decoded: uint8 (n, H, W, 1).
    """

    bytes_a_file: float
    mse: float
    decoded: Pixels


def settings(reduced: bool) -> list[Setting]:
    """Return what is compared: two models of the project and two peers, each at one quality if reduced."""
    photo, jpeg, webp = ((30,), (10,), (10,)) if reduced else ((0, 10, 30, 50), (1, 5, 10, 20, 50), (0, 10, 20, 50))
    return [
        Setting("conv/digits", None, lambda images: _nnc(images, "conv/digits", None)),
        *(Setting("photo", q, lambda images, q=q: _nnc(images, "photo", q)) for q in photo),  # type: ignore[misc]
        *(Setting("JPEG", q, lambda images, q=q: _pillow(images, "JPEG", quality=q, optimize=True)) for q in jpeg),  # type: ignore[misc]
        *(Setting("WebP", q, lambda images, q=q: _pillow(images, "WEBP", quality=q, method=6)) for q in webp),  # type: ignore[misc]
    ]


def coded(pictures: Pixels, setting: Setting) -> Coded:
    """Encode every picture (n, H, W, 1) to a file of its own, and decode it."""
    files, decoded = setting.code([Image.fromarray(picture[..., 0]) for picture in pictures])
    error = float(np.square((decoded.astype(np.float64) - pictures) / 255).mean())
    return Coded(float(np.mean([len(data) for data in files])), error, decoded)


def _nnc(images: list[Image.Image], model: str, quality: int | None) -> tuple[list[bytes], Pixels]:
    files = nncodec.encode_batch(images, model, quality)
    return files, _stacked(nncodec.decode_batch(files))


def _pillow(images: list[Image.Image], name: str, **options: object) -> tuple[list[bytes], Pixels]:
    files = []
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, name, **options)
        files.append(buffer.getvalue())
    return files, _stacked([Image.open(io.BytesIO(data)) for data in files])


def _stacked(images: Sequence[Image.Image]) -> Pixels:
    return np.stack([np.asarray(image.convert("L")) for image in images])[..., None]
