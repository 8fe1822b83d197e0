"""The codecs of a comparison: our models and Pillow's formats, each at the quality that gives about the same PSNR."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.pillow_codec import PillowCodec
from nncodec import NncError
from nncodec.compare.matching import nearest_quality
from nncodec.compare.peers import PEERS
from nncodec.plugin import registry

DEFAULT_PEERS = tuple(name for name in ("jpeg", "webp", "avif", "jxl") if PEERS[name].installed)


@dataclass(frozen=True)
class MatchedCodec:
    """A codec at the quality to measure it at.

    Args:
        codec: with its quality among the settings.
        rate_bpp, psnr_db: means over the pictures used for matching qualities.
    """

    codec: PillowCodec
    rate_bpp: float
    psnr_db: float

    def __str__(self) -> str:
        quality = self.codec.settings["quality"]
        return f"{self.codec.name}, quality {quality}: {self.psnr_db:.2f} dB at {self.rate_bpp:.3f} bits per pixel"

    def to_json(self) -> dict[str, Any]:
        """Return the codec as JSON values for a record."""
        kept = ("format", "settings", "is_model")
        described = {name: value for name, value in self.codec.to_json().items() if name in kept}
        return described | {"rate_bpp": round(self.rate_bpp, 4), "psnr_db": round(self.psnr_db, 3)}


def model(name: str, quality: int, coder: str | None) -> PillowCodec:
    """Return one of our models as a codec.

    Raises:
        SystemExit: it is not installed; one line says so.
    """
    try:
        full_name = registry.catalog().find(name).name
    except NncError as error:
        sys.exit(str(error))
    settings: dict[str, Any] = {"model": full_name, "quality": quality}
    if coder is not None:
        settings["coder"] = coder
    return PillowCodec(full_name, "NNC", settings, ("nncodec_pillow",), is_model=True)


def recorded(name: str, stored: Mapping[str, Any]) -> PillowCodec:
    """Return a codec from a record, at its recorded quality; see `MatchedCodec.to_json`."""
    settings = dict(stored["settings"])
    if stored["is_model"]:
        return model(name, settings["quality"], settings.get("coder"))
    peer = next(peer for peer in PEERS.values() if peer.label == name)
    return PillowCodec(name, peer.format, settings, (peer.module,) if peer.module else ())


def at_equal_psnr(
    models: Sequence[PillowCodec], names: Sequence[str], fidelity: Callable[[PillowCodec], tuple[float, float]]
) -> list[MatchedCodec]:
    """Return the models unchanged, and peers at the quality whose PSNR is nearest to the first model's.

    Args:
        models: at least one.
        names: of installed peers.
        fidelity: codec to mean rate in bits per pixel and mean PSNR in dB.
    """
    used = [MatchedCodec(codec, *fidelity(codec)) for codec in models]
    for name in names:
        peer = PEERS[name]
        codec = PillowCodec(peer.label, peer.format, peer.settings, (peer.module,) if peer.module else ())
        tried: dict[int, MatchedCodec] = {}

        def psnr_db(quality: int, codec: PillowCodec = codec, tried: dict[int, MatchedCodec] = tried) -> float:
            tried[quality] = MatchedCodec(codec.at(quality), *fidelity(codec.at(quality)))
            return tried[quality].psnr_db

        used.append(tried[nearest_quality(peer.qualities, psnr_db, used[0].psnr_db, {})])
    return used
