"""The choice between a codec and exact storage: what the user asked for, and which takes fewer bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from nncodec._support.numbers import whole_number
from nncodec.coding.difference import difference
from nncodec.coding.encoder import Encoder
from nncodec.coding.exact_encoder import DEFAULT_LOSSLESS, ExactEncoder
from nncodec.coding.exact_estimate import (
    estimated_bytes,
    fine_contrast,
    flat_share,
    is_drawn,
    may_be_smaller,
)
from nncodec.errors import InvalidOption, UnknownModel
from nncodec.format.samples import MAX_BITS
from nncodec.picture.conversion import with_alpha
from nncodec.picture.hidden import flatten_hidden
from nncodec.picture.options import EncodeOptions, OnProgress
from nncodec.picture.pixels import from_images
from nncodec.picture.samples import SampleStack, stack_of
from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS

AUTO = "auto"
"""Value of the option `lossless`: whichever takes fewer bytes."""
TOP_QUALITY = 100
TOP_MAX_ERROR = 2
"""The error that a sample may have at the top of the quality scale; uniform errors up to it make 45.1 dB."""

# At the top of the scale, an exact file may be so much larger than one with errors. Those of photographs are twice as
# large; pages, which lower qualities store exactly, must not get worse here.
_EXACT_AT_TOP = 1.35
# Errors up to those at the top spare at most about so much of an exact file. A nearly exact file of noise takes about
# what it is estimated at, and one of a photograph half of that, but far more than a codec. Drawings with smooth edges
# take as small a part of the estimate as exact files. A photograph on flat ground takes half, too, but a codec takes
# about as much at a high quality; fewer pixels of other photographs equal the one to the left.
_NEAR_GAIN, _NEAR_ESTIMATE_RATIO = 5, 1.5
_ON_GROUND, _ON_GROUND_RATIO = 1 / 4, 2.25
# Codecs that learned from photographs miss patterns of single pixels, some more so the higher the quality. The contrast
# of the finest structures is at most 3,700 in 44 photographs of two test sets, and at least 6,400 in what codecs miss.
_FINE_CONTRAST = 5000
_PERMITTED_ERRORS = (0, 2, 3, 5, 7, 10)
# Small photographs are as fine, and are not missed: a codec's file costs little more than another then.
_MISSED = 1.3
# Noise is as fine, but nobody wants so many bits a pixel for it, or so many times the codec's.
_MOST_FOR_PATTERNS_BPP, _MOST_FOR_PATTERNS = 1.5, 2
# No exact file that exceeds the bare samples is worth more than so many bytes.
_SLACK_BYTES = 8
# The estimate is at most about this many times the bytes of a lossless model.
_ESTIMATE_RATIO = 3
# Where Zstandard leaves so little, a model may find far more structure than it, and is quick: so many bytes in a large
# picture, and a share of the samples in a small one, of which there may be thousands.
_UNSURE_BYTES, _UNSURE_SHARE = 1 << 12, 1 / 8


def exactness_of(model: str | None, options: EncodeOptions) -> int | None:
    """Return the error that a sample may have in an exact picture; None if a codec is asked for.

    Args:
        model: name or alias; a lossless model implies `lossless=True`.
        options: `lossless` and `max_error`.

    Raises:
        InvalidOption: the options contradict each other or are out of range.
        UnknownModel: the model is not installed.
    """
    lossless, max_error = options.get("lossless", AUTO), options.get("max_error")
    if not isinstance(lossless, bool) and lossless != AUTO:
        raise InvalidOption(option="lossless", reason=f"{lossless!r} is not True, False or {AUTO!r}")
    top = (1 << MAX_BITS) - 1
    error = whole_number(max_error)
    if max_error is not None and (error is None or not 0 <= error <= top):
        raise InvalidOption(option="max_error", reason=f"{max_error!r} is not a whole number from 0 to {top}")
    catalog = registry.catalog()
    by_model = model is not None and catalog.kind_of(catalog.find(model)) == LOSSLESS
    if lossless is False and (by_model or max_error is not None):
        what = f"the model {model}" if by_model else "'max_error'"
        raise InvalidOption(option="lossless", reason=f"it is False, but {what} stores pictures exactly; drop one")
    if lossless is True and error:
        raise InvalidOption(option="max_error", reason=f"'lossless' is True, and allows no error of {error}; drop one")
    if error is not None:
        return error
    return 0 if lossless is True or by_model else None


class Choice:
    """Finds exact files that are better than a codec's.

    Args:
        options: of the encoding. The choice is none if they forbid it, or name things that only a codec does, or if no
            default lossless model is installed.
    """

    def __init__(self, options: EncodeOptions) -> None:
        self._encoder: ExactEncoder | None = None
        self._keeps_hidden = options.get("exact", False)
        is_open = options.get("lossless", AUTO) == AUTO and "coder" not in options
        if not is_open or options.get("downscale", 1) != 1 or options.get("enhancer") is not None:
            return
        try:
            registry.catalog().find(DEFAULT_LOSSLESS, LOSSLESS)
        except UnknownModel:
            return
        self._encoder = ExactEncoder(None, options)

    def smaller(self, data: bytes, images: Sequence[Image.Image], metadata: Mapping[int, bytes]) -> bytes:
        """Return a codec's file, or one of the same images that is exact or nearly so, and no larger and no worse."""
        if self._encoder is None:
            return data
        stack = self._stack(images)
        most_exact, most_near = _most_estimated(len(data), stack), _NEAR_GAIN * len(data)
        estimate = estimated_bytes(stack, max(most_exact, most_near))
        if estimate <= most_exact:
            exact = self._write(stack, metadata)
            if len(exact) <= len(data):
                return exact
        if estimate > most_near:
            return data
        coarse = self._stack(images, TOP_MAX_ERROR)
        most = _near_ratio(stack) * len(data)
        if estimated_bytes(coarse, most) > most:
            return data
        near = self._write(coarse, metadata)
        if len(near) > len(data):
            return data
        frames = from_images(images)
        return near if difference(near, frames).squares <= difference(data, frames).squares else data

    def truer(
        self, data: bytes, images: Sequence[Image.Image], metadata: Mapping[int, bytes], quality: int | None
    ) -> bytes:
        """Return what `smaller` does, or, of fine patterns, a nearly exact file that costs less than that.

        Args:
            data: the codec's file.
            images, metadata: what it holds.
            quality: that of the codec; None if it has no qualities, which leaves it at `smaller`.
        """
        best = self.smaller(data, images, metadata)
        if self._encoder is None or quality is None:
            return best
        stack = self._stack(images)
        if fine_contrast(stack) < _FINE_CONTRAST:
            return best
        frames = from_images(images)
        reached = difference(best, frames)
        if best is not data and not reached.largest:
            return best
        # Squared errors are counted in all samples, the worth of one in the mean over the planes of a pixel.
        worth = _bits_worth_of_error(quality) / stack.format.planes
        most_cost = (8 * len(best) + worth * reached.squares) / (_MISSED if best is data else 1)
        pixels = stack.samples / stack.format.planes
        most_bits = min(max(_MOST_FOR_PATTERNS_BPP * pixels, _MOST_FOR_PATTERNS * 8 * len(data)), 8 * stack.raw_bytes)
        permitted = [self._stack(images, error) for error in _PERMITTED_ERRORS]
        bits = np.array([8 * estimated_bytes(coarse) for coarse in permitted])
        costs = bits + worth * np.array([_expected_squares(coarse) for coarse in permitted])
        may_be = (bits <= _near_ratio(stack) * most_bits) & (costs <= _ESTIMATE_RATIO * most_cost)
        for number in np.argsort(costs):
            if may_be[number]:
                near = self._write(permitted[number], metadata)
                if 8 * len(near) <= most_bits:
                    is_true = 8 * len(near) + worth * difference(near, frames).squares < most_cost
                    return near if is_true else best
        return best

    def within(self, most_bytes: float, images: Sequence[Image.Image], metadata: Mapping[int, bytes]) -> bytes | None:
        """Return the exact file of images if it has at most so many bytes, else None; an estimate comes first."""
        if self._encoder is None:
            return None
        stack = self._stack(images)
        most = _most_estimated(most_bytes, stack)
        if estimated_bytes(stack, most) > most:
            return None
        exact = self._write(stack, metadata)
        return exact if len(exact) <= most_bytes else None

    def at_top(
        self,
        encoder: Encoder,
        images: Sequence[Image.Image],
        metadata: Mapping[int, bytes],
        on_progress: OnProgress | None = None,
    ) -> bytes | None:
        """Return the file that replaces a codec's at quality 100: nearly exact, or exact if that is hardly larger.

        It is never worse than that of quality 99.

        Returns:
            None for other qualities, and where there is no choice.
        """
        if self._encoder is None or encoder.quality != TOP_QUALITY:
            return None
        lower = encoder.at_quality(TOP_QUALITY - 1)
        lower.on_progress = None
        below = self.truer(lower.write(encoder.prepare(images), metadata), images, metadata, lower.quality)
        coarse, exact = self._stack(images, TOP_MAX_ERROR), self._stack(images)
        self._encoder.on_progress = on_progress
        data = self._write(coarse, metadata)
        self._encoder.on_progress = None
        if may_be_smaller(exact, coarse):
            whole = self._write(exact, metadata)
            if len(whole) <= max(len(data) + _SLACK_BYTES, min(_EXACT_AT_TOP * len(data), exact.raw_bytes)):
                return whole
        return self._no_worse(data, below, images, metadata)

    def _no_worse(
        self, data: bytes, below: bytes, images: Sequence[Image.Image], metadata: Mapping[int, bytes]
    ) -> bytes:
        """Return a nearly exact file, or another within its error that is no worse than that of a lower quality."""
        frames = from_images(images)
        reached = difference(below, frames)
        if reached.squares > TOP_MAX_ERROR**2 * reached.samples:
            return data  # cannot be worse
        is_within = reached.largest <= TOP_MAX_ERROR
        if difference(data, frames).squares <= reached.squares:
            return below if is_within and len(below) <= len(data) else data
        if is_within:
            return below
        for max_error in range(TOP_MAX_ERROR - 1, 0, -1):
            finer = self._write(self._stack(images, max_error), metadata)
            if difference(finer, frames).squares <= reached.squares:
                return finer
        return self._write(self._stack(images), metadata)

    def near(self, max_error: int, images: Sequence[Image.Image], metadata: Mapping[int, bytes]) -> bytes | None:
        """Return the file whose samples are off by no more than an error, or None if there is no choice."""
        if self._encoder is None:
            return None
        return self._encoder.write_smaller(self._stack(images, max_error), self._stack(images), metadata)

    def _write(self, stack: SampleStack, metadata: Mapping[int, bytes]) -> bytes:
        assert self._encoder is not None
        return self._encoder.write(stack, metadata)

    def _stack(self, images: Sequence[Image.Image], max_error: int = 0) -> SampleStack:
        """Return images as a stack, with hidden colours only if the options keep them."""
        seen = images if self._keeps_hidden else [flatten_hidden(with_alpha(image)) for image in images]
        return stack_of(seen, max_error)


def _bits_worth_of_error(quality: int) -> float:
    """Return how many bits a pixel an error of one squared level is worth at a quality, as in training."""
    return 0.0005 * math.pow(1600, quality / 100)


def _expected_squares(stack: SampleStack) -> float:
    """Return the sum of the squared errors of a stack if they are equally likely up to the permitted one."""
    error = stack.format.max_error
    return stack.samples * error * (error + 1) / 3


def _near_ratio(stack: SampleStack) -> float:
    """Return how many times the bytes of a nearly exact file it may be estimated at."""
    if is_drawn(stack):
        return _ESTIMATE_RATIO
    return _ON_GROUND_RATIO if flat_share(stack) > _ON_GROUND else _NEAR_ESTIMATE_RATIO


def _most_estimated(most_bytes: float, stack: SampleStack) -> float:
    """Return the largest estimate of an exact file that may have so many bytes."""
    return _ESTIMATE_RATIO * most_bytes + min(_UNSURE_BYTES, _UNSURE_SHARE * stack.samples)
