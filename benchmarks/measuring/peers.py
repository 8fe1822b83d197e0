"""The codecs of a comparison: our models and Pillow's formats, each at the quality that gives about the same PSNR."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring.pillow_codec import PillowCodec
from nncodec import NncError
from nncodec.compare.matching import nearest_quality
from nncodec.compare.peers import PEERS, Peer
from nncodec.plugin import registry

DEFAULT_PEERS = tuple(name for name in ("jpeg", "webp", "avif", "jxl") if PEERS[name].installed)


@dataclass(frozen=True)
class MatchedCodec:
    """A codec at the quality to measure it at.

    Args:
        codec: with its quality among the save options.
        rate_bpp, psnr_db: means over the pictures used for matching qualities.
    """

    codec: PillowCodec
    rate_bpp: float
    psnr_db: float

    def __str__(self) -> str:
        quality = self.codec.save_options["quality"]
        return f"{self.codec.name}, quality {quality}: {self.psnr_db:.2f} dB at {self.rate_bpp:.3f} bits per pixel"

    def to_json(self) -> dict[str, Any]:
        """Return the codec as JSON values for a record."""
        codec = {
            "format": self.codec.format,
            "settings": dict(self.codec.save_options),
            "is_model": self.codec.is_model,
        }
        return codec | {"rate_bpp": round(self.rate_bpp, 4), "psnr_db": round(self.psnr_db, 3)}


def model(name: str, quality: int, coder: str | None) -> PillowCodec:
    """Return one of our models as a codec.

    Raises:
        SystemExit: it is not installed; one line says so.
    """
    try:
        full_name = registry.catalog().find(name).name
    except NncError as error:
        sys.exit(str(error))
    options: dict[str, Any] = {"model": full_name, "quality": quality}
    if coder is not None:
        options["coder"] = coder
    return PillowCodec(full_name, "NNC", options, ("nncodec_pillow",), is_model=True)


def recorded(name: str, stored: Mapping[str, Any]) -> PillowCodec:
    """Return a codec from a record, at its recorded quality; see `MatchedCodec.to_json`."""
    options = dict(stored["settings"])
    if stored["is_model"]:
        return model(name, options["quality"], options.get("coder"))
    return _peer_codec(next(peer for peer in PEERS.values() if peer.label == name), options)


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
        codec = _peer_codec(peer, peer.save_options)
        tried: dict[int, MatchedCodec] = {}

        def psnr_db(quality: int, codec: PillowCodec = codec, tried: dict[int, MatchedCodec] = tried) -> float:
            tried[quality] = MatchedCodec(codec.at(quality), *fidelity(codec.at(quality)))
            return tried[quality].psnr_db

        used.append(tried[nearest_quality(peer.qualities, psnr_db, used[0].psnr_db, {})])
    return used


def _peer_codec(peer: Peer, save_options: Mapping[str, Any]) -> PillowCodec:
    return PillowCodec(peer.label, peer.format, save_options, (peer.module,) if peer.module else ())
