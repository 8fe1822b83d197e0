"""The enhancer that a file recommends, and the one that it is decoded with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncodec.coding.enhancing import Enhancement, checked_strength
from nncodec.errors import Corrupt, InvalidOption, UnknownModel
from nncodec.format.container import Container
from nncodec.format.header import ChunkType, ColourMode, Header
from nncodec.plugin import registry
from nncodec.plugin.hooks import ENHANCER
from nncodec.plugin.model_file import LONG_ID_BYTES, MAX_NAME, ModelInfo

RECOMMENDED = "recommended"
"""Instead of an enhancer's name: the one that the file recommends."""

_HUNDREDTHS = 100
_ENHANCED = (ColourMode.L, ColourMode.LA, ColourMode.RGB, ColourMode.RGBA)


@dataclass(frozen=True)
class Recommendation:
    """An enhancer that a file recommends; the contents of the chunk ENHANCER.

    As bytes: strength in hundredths (1 byte, 0..100), the first 8 bytes of the enhancer's digest, its name in UTF-8.

    Args:
        name: of the enhancer, for messages only.
        model_id: beginning of its digest, 8 bytes.
        strength: 0..1, in hundredths.
    """

    name: str
    model_id: bytes
    strength: float

    @classmethod
    def by(cls, enhancement: Enhancement) -> Recommendation:
        """Return the recommendation of an enhancer with its strength."""
        return cls(enhancement.model_info.name, enhancement.model_info.id_bytes[:LONG_ID_BYTES], enhancement.strength)

    @classmethod
    def of_bytes(cls, raw: bytes) -> Recommendation:
        """Return the recommendation of a chunk; raises Corrupt if it is malformed."""
        if len(raw) < 1 + LONG_ID_BYTES:
            raise Corrupt(detail=f"its recommendation of an enhancer has {len(raw)} bytes only")
        if raw[0] > _HUNDREDTHS:
            raise Corrupt(detail=f"it recommends an enhancer with a strength of {raw[0]} hundredths")
        name = raw[1 + LONG_ID_BYTES :][:MAX_NAME].decode("utf-8", errors="replace")
        return cls(name, raw[1 : 1 + LONG_ID_BYTES], raw[0] / _HUNDREDTHS)

    def to_bytes(self) -> bytes:
        """Return the chunk's data."""
        return bytes((round(self.strength * _HUNDREDTHS),)) + self.model_id + self.name.encode()

    def find(self) -> ModelInfo | None:
        """Return the enhancer if it is installed, else None."""
        try:
            return registry.catalog().find_by_id(self.model_id, self.name, ENHANCER)
        except UnknownModel:
            return None


def enhancement_to_recommend(enhancer: str | None, strength: float | None, downscale: int) -> Enhancement | None:
    """Return the enhancer that a file will recommend, from options of `EncodeOptions`.

    Args:
        enhancer: name or alias; None for none.
        strength: 0..1; None for 0.
        downscale: factor by which the picture is stored reduced.

    Raises:
        InvalidOption: the enhancer enlarges and the picture is not stored reduced; the strength is out of range, or
            given without an enhancer.
        UnknownModel, ...: see `Enhancement.of`.
    """
    option = "enhancer_strength"
    if enhancer is None:
        if strength is not None:
            raise InvalidOption(option=option, reason="it needs an enhancer; set 'enhancer' too")
        return None
    enhancement = Enhancement.of(enhancer, strength, option)
    if enhancement.factor > 1 and downscale == 1:
        reason = f"{_enlarging(enhancement)}, which needs a picture that is stored reduced; set 'downscale' too"
        raise InvalidOption(option="enhancer", reason=reason)
    return enhancement


def enhancement_for(container: Container, enhancer: str | None, strength: float | None) -> Enhancement | None:
    """Return the enhancer to decode a file with, or None.

    Args:
        container: the file.
        enhancer: its name or alias, `RECOMMENDED`, or None for none.
        strength: 0..1; None for 0, or for the file's recommendation.

    Raises:
        InvalidOption: the enhancer enlarges and the file is not stored reduced, or the file has samples that no
            enhancer takes; the strength is out of range, or given without an enhancer.
        Corrupt: the file's recommendation is malformed.
        LimitExceeded: the enhanced picture would be too large.
        UnknownModel, ...: see `Enhancement.of`.
    """
    if enhancer is None:
        if strength is not None:
            raise InvalidOption(option="strength", reason="it needs an enhancer; set 'enhancer' too")
        return None
    header = container.header
    if header.samples and (header.mode not in _ENHANCED or header.samples.dtype is not np.uint8):
        reason = "enhancers take grey and RGB pictures of 8 bits, and this file holds something else"
        raise InvalidOption(option="enhancer", reason=reason)
    if enhancer == RECOMMENDED:
        enhancement = _recommended(container, strength)
    else:
        enhancement = Enhancement.of(enhancer, strength)
        if enhancement.factor > 1 and not header.is_reduced:
            reason = f"{_enlarging(enhancement)}, but this file is not stored reduced; decode it, then enhance"
            raise InvalidOption(option="enhancer", reason=reason)
    if enhancement is not None:
        _check_size(container, header, enhancement.factor)
    return enhancement


def _recommended(container: Container, strength: float | None) -> Enhancement | None:
    raw = container.chunk(ChunkType.ENHANCER)
    if strength is not None:
        strength = checked_strength(strength)
    if raw is None:
        return None
    recommendation = Recommendation.of_bytes(raw)
    try:
        model_info = registry.catalog().find_by_id(recommendation.model_id, recommendation.name, ENHANCER)
    except UnknownModel as error:
        plain = "; to decode the file without it, set no enhancer"
        raise UnknownModel(
            wanted=error.wanted,
            installed=error.installed,
            failures=f"{error.failures}{plain}",
            kind=error.kind,
            mendable=error.mendable,
            home=error.home,
        ) from None
    enhancement = Enhancement.of(model_info, recommendation.strength if strength is None else strength)
    if enhancement.factor > 1 and not container.header.is_reduced:
        raise Corrupt(detail=f"it recommends {model_info.name}, which enlarges, but is not stored reduced")
    return enhancement


def _check_size(container: Container, header: Header, factor: int) -> None:
    width, height = factor * header.width, factor * header.height
    container.limits.check("pixels", width * height)
    if header.display_size != (width, height):
        container.limits.check("resampled_edge", max(width, height, *header.display_size))


def _enlarging(enhancement: Enhancement) -> str:
    return f"{enhancement.model_info.name} makes pictures {enhancement.factor} times as large"
