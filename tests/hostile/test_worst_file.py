"""The most expensive small file that we know, a thousandth of it: SECURITY.md states what all of it costs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from forged import header
from numpy.typing import NDArray

import nncodec
from nncodec.coding.grid import Grid
from nncodec.format.container import write
from nncodec.format.entropy import coder_by_id, decode_block
from nncodec.format.entropy.base import Alphabet, Coder, StageSymbols, SymbolReader
from nncodec.format.header import CoderId, Header
from nncodec.limits import DEFAULT_LIMITS
from nncodec.plugin import registry
from nncodec.plugin.latents import IntArray

PER_BLOCK = 1 << 13


class _Zeros(Coder, SymbolReader):
    """Decodes only zeros, and notes with which tables, so that they can be encoded."""

    id = CoderId.ZSTD

    def __init__(self) -> None:
        self.stages: list[StageSymbols] = []

    def encode(self, stages: Any, alphabet: Alphabet) -> bytes:
        raise NotImplementedError

    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        self.alphabet = alphabet
        return self

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        self.stages.append(StageSymbols(np.zeros(tables.size, np.int32), np.array(tables)))
        return self.stages[-1].symbols

    def finish(self) -> None:
        """Do nothing."""


def worst_header(frames: int) -> Header:
    """Return the header of a file of frames of 1 x 1, which the model computes as 32 x 32 pixels each."""
    digest = registry.catalog().find("photo").id_bytes[:4]
    return header(model_id=digest, width=1, height=1, frames=frames, frames_per_block=min(frames, PER_BLOCK))


def worst_payload(fields: Header) -> bytes:
    """Return the smallest payload of its first block that decodes."""
    model = registry.open_model("photo")
    entropy, specs = model.entropy(fields.quality or 0), model.traits.latents
    cell = Grid.of(fields, model.traits).cell(0, 0, 0)
    shapes = {spec.name: spec.shape(cell.frames.size, cell.rows.size, cell.columns.size) for spec in specs}
    zeros = _Zeros()
    decode_block(zeros, b"", entropy, specs, shapes)
    return coder_by_id(CoderId.ZSTD).encode(zeros.stages, zeros.alphabet)


def test_the_worst_small_file_costs_what_is_stated() -> None:
    computed = DEFAULT_LIMITS.computed_pixels
    most = computed // 32**2
    payload = worst_payload(worst_header(PER_BLOCK // 32))
    whole = write(worst_header(most), {}, [payload] * -(-most // PER_BLOCK))
    assert len(whole) < 4096
    one_more = write(worst_header(most + 1), {}, [payload] * -(-(most + 1) // PER_BLOCK))
    with pytest.raises(nncodec.LimitExceeded) as caught:
        nncodec.decode(one_more)
    assert caught.value.limit == computed
    part = PER_BLOCK // 32
    started = time.process_time()
    frames = sum(1 for _ in nncodec.decode_frames(write(worst_header(part), {}, [payload])))
    spent = time.process_time() - started
    assert frames == part
    # 3 minutes on two cores for all of it; the factor of 2 is for slower machines.
    assert spent < 2 * 360 * part / most
