"""Stored symbols: their bits, and payloads that are none."""

from __future__ import annotations

import numpy as np
import pytest

from nncodec.errors import Corrupt
from nncodec.format.entropy import decode_block, encode_block
from nncodec.format.entropy.stored import StoredCoder
from nncodec.plugin.entropy import PlainEntropy
from nncodec.plugin.latents import LatentSpec


def test_stored_symbols_are_these_bits() -> None:
    spec = (LatentSpec("y", 1, 1, -2, 5),)  # eight values: three bits
    latents = {"y": np.array([[[[-2, 5, 0]]]], np.int32)}
    payload = encode_block(StoredCoder(), latents, PlainEntropy(spec), spec)
    assert payload == bytes([0b000_111_01, 0b0_0000000])


@pytest.mark.parametrize(("maximum", "width"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (255, 8), (256, 9)])
def test_stored_symbols_have_the_least_width_that_holds_their_range(maximum: int, width: int) -> None:
    spec = (LatentSpec("y", 1, 1, 0, maximum),)
    payload = encode_block(StoredCoder(), {"y": np.zeros((1, 1, 8, 1), np.int32)}, PlainEntropy(spec), spec)
    assert len(payload) == width


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\x00\x00\x00"])
def test_a_stored_payload_of_another_size_is_refused(payload: bytes) -> None:
    spec = (LatentSpec("y", 1, 1, 0, 7),)
    with pytest.raises(Corrupt, match="size"):
        decode_block(StoredCoder(), payload, PlainEntropy(spec), spec, {"y": (1, 1, 1, 3)})


def test_stored_bits_after_the_last_symbol_are_refused() -> None:
    spec = (LatentSpec("y", 1, 1, 0, 7),)
    with pytest.raises(Corrupt, match="after its last symbol"):
        decode_block(StoredCoder(), b"\x00\x01", PlainEntropy(spec), spec, {"y": (1, 1, 1, 3)})


def test_a_stored_symbol_outside_the_range_is_refused() -> None:
    spec = (LatentSpec("y", 1, 1, -2, 3),)  # three bits: 6 and 7 mean nothing
    with pytest.raises(Corrupt, match=r"outside -2\.\.3"):
        decode_block(StoredCoder(), bytes([0b110_00000]), PlainEntropy(spec), spec, {"y": (1, 1, 1, 1)})
