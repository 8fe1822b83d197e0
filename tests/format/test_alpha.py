"""The alpha chunk is lossless, and holds exactly its samples."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.errors import Corrupt
from nncodec.format.alpha import pack_alpha, unpack_alpha
from nncodec.format.entropy.zstd import compress

PROPERTY = settings(deadline=None, max_examples=100)


def test_alpha_is_each_row_minus_the_one_above_it_frame_by_frame() -> None:
    alpha = np.array([[[10, 20], [5, 255], [5, 0]], [[1, 2], [3, 4], [255, 0]]], np.uint8)
    content = [10, 20, 251, 235, 0, 1, 1, 2, 2, 2, 252, 252]
    assert zstandard.decompress(pack_alpha(alpha)) == bytes(content)


def test_alpha_of_another_encoder_is_read() -> None:
    frame = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(bytes([10, 20, 251, 235, 0, 1]))
    np.testing.assert_array_equal(unpack_alpha(frame, 1, 3, 2), [[[10, 20], [5, 255], [5, 0]]])


@given(st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)), st.integers(0, 2**32 - 1))
@PROPERTY
def test_alpha_comes_back_exactly(shape: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    alpha = rng.choice(np.array([0, 1, 127, 128, 254, 255], np.uint8), shape)
    before = alpha.copy()
    found = unpack_alpha(pack_alpha(alpha), *shape)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, before)
    np.testing.assert_array_equal(alpha, before)  # packing leaves its argument alone


def test_an_opaque_picture_costs_next_to_nothing() -> None:
    assert len(pack_alpha(np.full((1, 512, 512), 255, np.uint8))) < 64


@pytest.mark.parametrize("shape", [(1, 3, 2), (2, 2, 2), (1, 1, 5), (1, 4096, 4096)])
def test_alpha_of_another_number_of_samples_is_refused(shape: tuple[int, int, int]) -> None:
    chunk = pack_alpha(np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(Corrupt, match="declares 4 bytes"):
        unpack_alpha(chunk, *shape)


def test_alpha_cut_anywhere_is_refused() -> None:
    chunk = pack_alpha(np.arange(64, dtype=np.uint8).reshape(1, 8, 8))
    for size in range(len(chunk)):
        with pytest.raises(Corrupt):
            unpack_alpha(chunk[:size], 1, 8, 8)


@pytest.mark.parametrize("chunk", [b"", b"junk", bytes(100), compress(bytes(4)) + b"\0"])
def test_what_is_no_alpha_is_refused(chunk: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack_alpha(chunk, 1, 2, 2)
