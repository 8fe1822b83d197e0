"""Entropy coders, one file each: integers to bytes and back, without models or files."""

from __future__ import annotations

from nncodec.errors import UnsupportedVersion
from nncodec.format.entropy.base import Coder, decode_block, encode_block
from nncodec.format.entropy.ideal import ideal_bits
from nncodec.format.entropy.rans import RansCoder
from nncodec.format.entropy.stored import StoredCoder
from nncodec.format.entropy.zstd import ZstdCoder
from nncodec.format.header import CoderId

_CODERS: dict[CoderId, Coder] = {coder.id: coder for coder in (StoredCoder(), ZstdCoder(), RansCoder())}


def coder_by_id(coder: CoderId) -> Coder:
    """Return a coder by its id; raises UnsupportedVersion if this version lacks it."""
    if coder not in _CODERS:
        raise UnsupportedVersion(found=f"the coder {coder.name.lower()!r}")
    return _CODERS[coder]


def available_coders() -> tuple[CoderId, ...]:
    """Return the coders of this version."""
    return tuple(_CODERS)


__all__ = ["Coder", "available_coders", "coder_by_id", "decode_block", "encode_block", "ideal_bits"]
