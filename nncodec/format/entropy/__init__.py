"""Entropy coders, one file each. Coders know nothing of models or files: integers in, bytes out."""

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
    """Return the coder a file names; raises UnsupportedVersion if this version has none."""
    if coder not in _CODERS:
        raise UnsupportedVersion(found=f"the coder {coder.name.lower()!r}")
    return _CODERS[coder]


def available_coders() -> tuple[CoderId, ...]:
    """Return the coders this version has."""
    return tuple(_CODERS)


__all__ = ["Coder", "available_coders", "coder_by_id", "decode_block", "encode_block", "ideal_bits"]
