"""Pairs of pictures and their decoded versions, for enhancers that restore the output of a codec."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

import nncodec
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels
from nncodec.training.pairs import paired
from nncodec.training.recipe import OnPrepared

_PIXELS_AT_ONCE = 1 << 22


def decoded_pairs(
    pictures: Sequence[Pixels],
    codec: str,
    qualities: tuple[int, int],
    variants: int,
    seed: int,
    on_progress: OnPrepared,
) -> list[Pixels]:
    """Return every picture paired with its decoded versions, at qualities drawn from the picture and the seed.

    Args:
        pictures: uint8 (H, W, 3); those with three equal channels are coded as grey.
        codec: name or alias of an installed model.
        qualities: the lowest and the highest to draw.
        variants: decoded versions of each picture, each with its own quality.
        seed: for drawing qualities.
        on_progress: receives the number of finished pairs.

    Returns:
        uint8 (H, W, 6), see `nncodec.training.pairs.paired`; the variants of the first picture, then of the second, ...

    Raises:
        NncError: the model is not installed, or cannot code such pictures.
    """
    wanted = [quality for picture in pictures for quality in _drawn(picture, qualities, variants, seed)]
    pairs: list[Pixels | None] = [None] * len(wanted)
    has_qualities = bool(registry.open_model(codec).traits.qualities)
    what, done = f"encoding and decoding with {codec}", 0
    for numbers in _at_once(pictures, wanted, variants):
        on_progress(what, done, len(wanted))
        chosen = [pictures[number // variants] for number in numbers]
        quality = wanted[numbers[0]] if has_qualities else None
        files = nncodec.encode_batch([_image(picture) for picture in chosen], codec, quality)
        for number, picture, image in zip(numbers, chosen, nncodec.decode_batch(files), strict=True):
            pairs[number] = paired(picture, np.asarray(image.convert("RGB")), 1)
        done += len(numbers)
    on_progress(what, done, len(wanted))
    return [pair for pair in pairs if pair is not None]


def _drawn(picture: Pixels, qualities: tuple[int, int], variants: int, seed: int) -> list[int]:
    # Seeded by content, so that qualities do not depend on the other pictures.
    rng = np.random.default_rng([seed, zlib.crc32(picture.tobytes())])
    return [int(quality) for quality in rng.integers(qualities[0], qualities[1] + 1, variants)]


def _at_once(pictures: Sequence[Pixels], wanted: Sequence[int], variants: int) -> Iterator[list[int]]:
    """Yield groups to code together: one quality and size, with a bounded number of pixels."""

    def kind(number: int) -> tuple[int, tuple[int, ...]]:
        return wanted[number], pictures[number // variants].shape

    chosen: list[int] = []
    for number in sorted(range(len(wanted)), key=kind):
        height, width = pictures[number // variants].shape[:2]
        if chosen and (kind(chosen[0]) != kind(number) or (len(chosen) + 1) * height * width > _PIXELS_AT_ONCE):
            yield chosen
            chosen = []
        chosen.append(number)
    if chosen:
        yield chosen


def _image(picture: Pixels) -> Image.Image:
    is_grey = all(np.array_equal(picture[:, :, 0], picture[:, :, channel]) for channel in (1, 2))
    return Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if is_grey else picture))
