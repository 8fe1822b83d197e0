"""Encoding to a size, a rate or a PSNR: a binary search for the quality, which encodes up to seven times.

The search assumes that size and PSNR grow with quality. Where they dip, a neighbouring quality may be slightly better;
but the bound is checked on the file that is returned, so it always holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from nncodec._support.numbers import real_number, whole_number
from nncodec.coding.choice import TOP_MAX_ERROR, Choice
from nncodec.coding.difference import difference
from nncodec.coding.encoder import Encoder
from nncodec.errors import InvalidOption
from nncodec.picture.options import EncodeOptions, OnProgress
from nncodec.picture.pixels import Frames

_BEST_QUALITY = 100
_MOST_ENCODINGS = (_BEST_QUALITY + 1).bit_length()


class _Kind(NamedTuple):
    """How a target is checked.

    Args:
        at_most: whether the bound is an upper one; a lower one otherwise.
        unmet: message for a bound that no quality keeps, with places for the bound and the nearest value reached.
    """

    at_most: bool
    unmet: str


_KINDS = {
    "target_size": _Kind(True, "no quality gives {bound:,} bytes or less; the smallest file has {reached:,}"),
    "target_bpp": _Kind(
        True, "no quality gives {bound:.4g} bits per pixel or less; the smallest file has {reached:.4g}"
    ),
    "target_psnr": _Kind(
        False,
        "no quality reaches {bound:.4g} dB; the best picture has {reached:.4g} dB; 'max_error' goes further",
    ),
}
TARGETS = tuple(_KINDS)
"""Options that replace a quality."""


@dataclass(frozen=True)
class Target:
    """A bound that a file must keep.

    Args:
        option: one of `TARGETS`.
        bound: the most bytes of the file, or the most bits per pixel of all frames, or the least PSNR in dB.
    """

    option: str
    bound: float

    @property
    def at_most(self) -> bool:
        """Whether the bound is an upper one."""
        return _KINDS[self.option].at_most

    def measure(self, data: bytes, frames: Frames) -> float:
        """Return the value of a file with these frames that the bound applies to."""
        if self.option == "target_size":
            return len(data)
        if self.option == "target_bpp":
            return 8 * len(data) / math.prod(frames.shape[:3])
        return difference(data, frames).psnr_db

    def most_bytes(self, frames: Frames) -> float:
        """Return the most bytes that a file with these frames may have; for an upper bound."""
        return self.bound if self.option == "target_size" else self.bound * math.prod(frames.shape[:3]) / 8

    def unmet(self, reached: float) -> InvalidOption:
        """Return the error for a bound that no quality keeps; `reached` is the nearest value."""
        reason = _KINDS[self.option].unmet.format(bound=self.bound, reached=reached)
        return InvalidOption(option=self.option, reason=reason, reached=reached)


def target_of(
    quality: int | None, target_size: int | None, target_bpp: float | None, target_psnr: float | None
) -> Target | None:
    """Return the target that is given, or None.

    Raises:
        InvalidOption: more than one argument is given, or a bound is not a number above 0 (a whole one for a size).
    """
    bounds = (target_size, target_bpp, target_psnr)
    given = [(name, bound) for name, bound in zip(TARGETS, bounds, strict=True) if bound is not None]
    names = [name for name, _ in given] + (["quality"] if quality is not None else [])
    if len(names) > 1:
        raise InvalidOption(option=names[0], reason=f"it and {names[1]!r} are both given; choose one")
    if not given:
        return None
    ((name, bound),) = given
    number = whole_number(bound) if name == "target_size" else real_number(bound)
    if number is None or not 0 < number < math.inf:
        kind = "whole number" if name == "target_size" else "number"
        raise InvalidOption(option=name, reason=f"{bound!r} is not a {kind} above 0")
    return Target(name, number)


def refuse_rate(quality: int | None, target: Target | None) -> None:
    """Raise InvalidOption if an exact picture is to have a quality or a target."""
    option = target.option if target else "quality" if quality is not None else None
    if option:
        reason = "an exact picture has none; drop it, or what asks for one: 'lossless', 'max_error' or a lossless model"
        raise InvalidOption(option=option, reason=reason)


def encode_to(
    target: Target,
    images: Sequence[Image.Image],
    model: str,
    options: EncodeOptions,
    on_progress: OnProgress | None = None,
) -> bytes:
    """Return the file of the highest quality within a size or rate, or of the lowest that reaches a PSNR.

    The options may allow an exact file instead: where it keeps the bound on bytes, takes no more bytes than the quality
    that was found, or is needed to reach the PSNR.

    Args:
        target: the bound.
        images, model, options: see `nncodec.encode`.
        on_progress: as for `nncodec.encode`; the total is that of the most encodings that a search may take.

    Raises:
        InvalidOption: no quality keeps the bound, or the model has no qualities.
        UnsupportedImage, UnknownModel, ...: see `nncodec.encode`.
    """
    plan = Encoder(model, 0, options)
    if not plan.model.traits.qualities:
        raise InvalidOption(option=target.option, reason=f"{plan.model_info.name} has no qualities to choose from")
    metadata = plan.metadata(images)
    frames = plan.prepare(images)
    choice = Choice(options)
    exact = choice.within(target.most_bytes(frames), images, metadata) if target.at_most else None
    if exact is not None:
        return exact
    best: bytes | None = None
    nearest = math.inf if target.at_most else -math.inf
    low, high = 0, _BEST_QUALITY
    progress = _SearchProgress(on_progress)
    while low <= high:
        quality = (low + high) // 2
        trial = plan.at_quality(quality)
        trial.on_progress = progress.report
        data = trial.write(frames, metadata)
        progress.encodings += 1
        with plan.computing.applied():
            reached = target.measure(data, frames)
        kept = reached <= target.bound if target.at_most else reached >= target.bound
        nearest = min(nearest, reached) if target.at_most else max(nearest, reached)
        if kept:
            best = data  # the search moves towards the bound, so this is better than those before
        if kept == target.at_most:
            low = quality + 1
        else:
            high = quality - 1
    progress.finish()
    if best is not None:
        return choice.smaller(best, images, metadata)
    for max_error in range(TOP_MAX_ERROR, -1, -1) if not target.at_most else ():
        near = choice.near(max_error, images, metadata)
        if near is not None and target.measure(near, frames) >= target.bound:
            return near
    raise target.unmet(nearest)


class _SearchProgress:
    """Passes the progress of several encodings on as that of one.

    Args:
        on_progress: called with the blocks done and the total of the longest search.

    Attributes:
        encodings: finished so far.
    """

    def __init__(self, on_progress: OnProgress | None) -> None:
        self._on_progress = on_progress
        self._blocks = 1
        self.encodings = 0

    def report(self, done: int, total: int) -> None:
        self._blocks = total
        if self._on_progress:
            self._on_progress(self.encodings * total + done, _MOST_ENCODINGS * total)

    def finish(self) -> None:
        self.encodings = _MOST_ENCODINGS
        self.report(0, self._blocks)
