"""The choice between a codec and exact storage: what the user asked for, and which takes fewer bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import zstandard
from PIL import Image

from nncodec.coding.encoder import Encoder
from nncodec.coding.exact_encoder import DEFAULT_LOSSLESS, ExactEncoder
from nncodec.errors import InvalidOption, UnknownModel
from nncodec.format.samples import MAX_BITS
from nncodec.picture.area import Area, Span
from nncodec.picture.conversion import with_alpha
from nncodec.picture.hidden import blacken_hidden
from nncodec.picture.options import EncodeOptions, OnProgress
from nncodec.picture.samples import SampleStack, stack_of
from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS
from nncodec.plugin.lossless import Samples

AUTO = "auto"
"""Value of the option `lossless`: whichever takes fewer bytes."""
TOP_QUALITY = 100
TOP_MAX_ERROR = 2
"""The error that a sample may have at the top of the quality scale; uniform errors up to it make 45.1 dB."""

# At the top of the scale, an exact file may be so much larger than one with errors, if it is like it by estimate. Exact
# files of photographs are about twice as large; pages, which lower qualities store exactly, must not get worse here.
_EXACT_AT_TOP, _LIKE_AT_TOP = 1.35, 1.6
# What has so little structure by estimate, such as noise or a few pixels, may take fewer bytes exactly than by a codec.
_NOISE_SHARE = 0.9
# No exact file that exceeds the bare samples is worth more than so many bytes.
_SLACK_BYTES = 8
# Zstandard on differences of neighbours takes at most about this many times the bytes of a lossless model.
_ESTIMATE_RATIO = 3
# Where Zstandard leaves so little, a model may find far more structure than it, and is quick: so many bytes in a large
# picture, and a share of the samples in a small one, of which there may be thousands.
_UNSURE_BYTES, _UNSURE_SHARE = 1 << 12, 1 / 8
# What is estimated from: strips of rows, up to so many.
_STRIPS, _STRIP_ROWS, _STRIP_COLUMNS = 8, 32, 1024


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
    whole = isinstance(max_error, int | np.integer) and not isinstance(max_error, bool)
    if max_error is not None and not (whole and 0 <= max_error <= top):
        raise InvalidOption(option="max_error", reason=f"{max_error!r} is not a whole number from 0 to {top}")
    catalog = registry.catalog()
    by_model = model is not None and catalog.kind_of(catalog.find(model)) == LOSSLESS
    if lossless is False and (by_model or max_error is not None):
        what = f"the model {model}" if by_model else "'max_error'"
        raise InvalidOption(option="lossless", reason=f"it is False, but {what} stores pictures exactly; drop one")
    if max_error is not None:
        return int(max_error)
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
        """Return a file, or the exact one of the same images if that is no larger."""
        exact = self.within(len(data), images, metadata)
        return data if exact is None else exact

    def within(self, most_bytes: float, images: Sequence[Image.Image], metadata: Mapping[int, bytes]) -> bytes | None:
        """Return the exact file of images if it has at most so many bytes, else None; an estimate comes first."""
        if self._encoder is None:
            return None
        stack = self._stack(images)
        width, height = stack.size
        samples = len(stack.pictures) * width * height * stack.format.planes
        unsure = min(_UNSURE_BYTES, _UNSURE_SHARE * samples)
        if estimated_bytes(stack) > _ESTIMATE_RATIO * most_bytes + unsure:
            return None
        exact = self._encoder.write(stack, metadata)
        return exact if len(exact) <= most_bytes else None

    def at_top(
        self,
        encoder: Encoder,
        images: Sequence[Image.Image],
        metadata: Mapping[int, bytes],
        on_progress: OnProgress | None = None,
    ) -> bytes | None:
        """Return the file that replaces a codec's at quality 100: nearly exact, or exact if that is hardly larger.

        Returns:
            None for other qualities, and where there is no choice.
        """
        if self._encoder is None or encoder.quality != TOP_QUALITY:
            return None
        self._encoder.on_progress = on_progress
        data = self.near(TOP_MAX_ERROR, images, metadata)
        self._encoder.on_progress = None
        if data is None:
            return None
        exact, coarse = self._stack(images), self._stack(images, TOP_MAX_ERROR)
        exact_bytes = estimated_bytes(exact)
        is_like = exact_bytes <= _LIKE_AT_TOP * estimated_bytes(coarse)
        is_noise = exact_bytes >= _NOISE_SHARE * exact.raw_bytes
        if not is_like and not is_noise:
            return data
        whole = self._encoder.write(exact, metadata)
        most_bytes: float = len(data)
        if is_like:
            most_bytes = max(len(data) + _SLACK_BYTES, min(_EXACT_AT_TOP * len(data), exact.raw_bytes))
        if is_noise and len(whole) > most_bytes:
            # Where the codec takes as many bytes as an exact file, lower qualities are exact.
            most_bytes = len(encoder.at_quality(TOP_QUALITY - 1).write(encoder.prepare(images), metadata))
        return whole if len(whole) <= most_bytes else data

    def near(self, max_error: int, images: Sequence[Image.Image], metadata: Mapping[int, bytes]) -> bytes | None:
        """Return the file whose samples are off by no more than an error, or None if there is no choice."""
        return None if self._encoder is None else self._encoder.write(self._stack(images, max_error), metadata)

    def _stack(self, images: Sequence[Image.Image], max_error: int = 0) -> SampleStack:
        """Return images as a stack, with hidden colours only if the options keep them."""
        seen = images if self._keeps_hidden else [blacken_hidden(with_alpha(image)) for image in images]
        return stack_of(seen, max_error)


def estimated_bytes(stack: SampleStack) -> float:
    """Return roughly how many bytes a picture takes without loss, from a sample of it; a model takes fewer.

    A strip costs what Zstandard makes of its samples or of their differences from the left, whichever is less.
    """
    taken = seen = 0
    for frame, area in _strips(stack):
        samples = stack.window(frame, area)
        taken += min(map(_zstd_bytes, (samples, np.diff(samples, axis=2, prepend=samples.dtype.type(0)))))
        seen += area.pixels
    width, height = stack.size
    return taken * len(stack.pictures) * width * height / seen


def _strips(stack: SampleStack) -> Iterator[tuple[Span, Area]]:
    width, height = stack.size
    count = min(_STRIPS, math.ceil(height / _STRIP_ROWS) * len(stack.pictures))
    for number in range(count):
        place = (2 * number + 1) / (2 * count)
        frame = int(place * len(stack.pictures))
        top = int((place * len(stack.pictures) - frame) * max(0, height - _STRIP_ROWS))
        left = int((number * 0.618) % 1 * max(0, width - _STRIP_COLUMNS))
        rows, columns = Span(top, min(height, top + _STRIP_ROWS)), Span(left, min(width, left + _STRIP_COLUMNS))
        yield Span(frame, frame + 1), Area(rows, columns)


def _zstd_bytes(samples: Samples) -> int:
    planar = np.ascontiguousarray(samples.transpose(0, 3, 1, 2))
    return len(zstandard.ZstdCompressor(level=1).compress(planar.astype(np.uint8).tobytes()))
