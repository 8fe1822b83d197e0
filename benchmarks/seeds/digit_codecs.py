"""The codecs that digits go through before the recogniser sees them again: two models and two peers."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.small_sets import CodedSet, by_model, by_pillow
from nncodec.plugin.latents import Pixels

_PEERS = {
    "JPEG": PillowCodec("JPEG", "JPEG", {"optimize": True}),
    "WebP": PillowCodec("WebP", "WEBP", {"method": 6}),
}


@dataclass(frozen=True)
class DigitCodec:
    """A codec at one quality.

    Args:
        name: of a model, or a key of the peers.
        quality: None where the codec has only one.
    """

    name: str
    quality: int | None

    def code(self, pictures: Pixels) -> CodedSet:
        """Code every picture (n, H, W, 1) to a file of its own."""
        if self.name in _PEERS:
            codec = _PEERS[self.name]
            return by_pillow(pictures, codec if self.quality is None else codec.at(self.quality))
        return by_model(pictures, self.name, self.quality)


def digit_codecs(quick: bool) -> list[DigitCodec]:
    """Return the codecs at all their qualities, or at one each if quick."""
    full = {"photo": (0, 10, 30, 50), "JPEG": (1, 5, 10, 20, 50), "WebP": (0, 10, 20, 50)}
    reduced = {"photo": (30,), "JPEG": (10,), "WebP": (10,)}
    chosen = reduced if quick else full
    return [
        DigitCodec("conv/digits", None),
        *(DigitCodec(name, quality) for name, qualities in chosen.items() for quality in qualities),
    ]
