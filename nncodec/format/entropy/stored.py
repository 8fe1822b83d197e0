"""The stored coder: each symbol in as few bits as its range needs, for images too small for a Zstandard frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import Corrupt, InvalidOption
from nncodec.format.entropy.base import Alphabet, Coder, StageSymbols, SymbolReader
from nncodec.format.header import CoderId
from nncodec.plugin.latents import IntArray


class StoredCoder(Coder):
    """Writes symbols minus the alphabet's minimum, most significant bit first, in stage order, padded with zeros."""

    id = CoderId.STORED

    def encode(self, stages: Sequence[StageSymbols], alphabet: Alphabet) -> bytes:
        if alphabet.tables is not None:
            raise InvalidOption(option="coder", reason="a model with probability tables has no stored form")
        values = np.concatenate([stage.symbols for stage in stages]) - alphabet.minimum
        bits = values[:, None] >> np.arange(_width(alphabet) - 1, -1, -1) & 1  # (symbols, width)
        return np.packbits(bits.astype(np.uint8)).tobytes()

    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        return _StoredReader(payload, alphabet)


class _StoredReader(SymbolReader):
    def __init__(self, payload: bytes, alphabet: Alphabet) -> None:
        width = _width(alphabet)
        used = alphabet.symbols * width
        if alphabet.tables is not None or len(payload) != -(-used // 8):
            raise Corrupt(detail="a stored block does not have the size of its symbols")
        bits = np.unpackbits(np.frombuffer(payload, np.uint8))
        if bits[used:].any():
            raise Corrupt(detail="a stored block has bits after its last symbol")
        places = (1 << np.arange(width - 1, -1, -1)).astype(np.int32)
        self._symbols = bits[:used].reshape(-1, width) @ places + np.int32(alphabet.minimum)
        self._position = 0

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        start, self._position = self._position, self._position + tables.size
        return np.asarray(self._symbols[start : self._position], np.int32)

    def finish(self) -> None:
        """Do nothing: the size was checked before."""


def _width(alphabet: Alphabet) -> int:
    return max(1, (alphabet.maximum - alphabet.minimum).bit_length())
