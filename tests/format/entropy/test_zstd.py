"""Zstandard frames, ours and those that no encoder of ours wrote: read within bounds, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.errors import Corrupt
from nncodec.format.entropy import encode_block
from nncodec.format.entropy.zstd import ZstdCoder, compress, decompress
from nncodec.plugin.entropy import PlainEntropy
from nncodec.plugin.latents import LatentSpec

PROPERTY = settings(deadline=None, max_examples=100)
MAGIC = bytes.fromhex("28b52ffd")


def raw_frame(content: bytes, *, declared: int | None = None, last: int = 1) -> bytes:
    """Return a frame of one uncompressed block: size in 8 bytes, single segment."""
    size = len(content) if declared is None else declared
    return MAGIC + b"\xe0" + size.to_bytes(8, "little") + (last | len(content) << 3).to_bytes(3, "little") + content


@given(st.binary(max_size=300))
@PROPERTY
def test_compressed_bytes_come_back_and_declare_their_size(data: bytes) -> None:
    frame = compress(data)
    assert zstandard.frame_content_size(frame) == len(data)
    assert decompress(frame, len(data), exact=True) == data


def test_unlike_pieces_do_not_cost_more_than_one_frame_of_all_of_them() -> None:
    rng = np.random.default_rng(1)
    spec = (LatentSpec("y", 8, 1, -128, 127),)
    scale = np.array([0.2, 0.2, 1, 1, 20, 20, 40, 40])[None, :, None, None]
    latents = {"y": np.clip(np.rint(rng.normal(size=(1, 8, 40, 40)) * scale), -128, 127).astype(np.int32)}
    payload = encode_block(ZstdCoder(), latents, PlainEntropy(spec), spec)
    assert len(payload) < len(compress((latents["y"] + 128).astype(np.uint8).tobytes()))


def test_a_frame_of_another_encoder_is_read() -> None:
    assert decompress(raw_frame(b"abc"), 3, exact=True) == b"abc"
    assert decompress(raw_frame(b"abc"), 99, exact=False) == b"abc"


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("declared", [4, 30_000, 2**40, 2**64 - 3])
def test_a_frame_that_declares_more_than_is_possible_is_refused(declared: int, exact: bool) -> None:
    with pytest.raises(Corrupt, match=f"declares {declared} bytes where 3"):
        decompress(raw_frame(b"abc", declared=declared), 3, exact=exact)


def test_a_frame_that_declares_less_than_must_be_is_refused() -> None:
    with pytest.raises(Corrupt, match="declares 3 bytes where 4"):
        decompress(raw_frame(b"abc"), 4, exact=True)


@pytest.mark.parametrize("declared", [1, 2, 4, 100])
def test_a_frame_that_holds_other_than_it_declares_is_refused(declared: int) -> None:
    with pytest.raises(Corrupt):
        decompress(raw_frame(b"abc", declared=declared), declared, exact=True)


def test_a_frame_that_expands_ten_thousandfold_is_refused_by_what_it_declares() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(10_000_000))
    assert len(bomb) < 1000
    with pytest.raises(Corrupt, match="declares 10000000 bytes where 1000"):
        decompress(bomb, 1000, exact=False)


def test_a_frame_that_expands_beyond_what_it_declares_is_refused() -> None:
    run_of_128_kib = (1 | 1 << 1 | (1 << 17) << 3).to_bytes(3, "little") + b"x"
    with pytest.raises(Corrupt):
        decompress(MAGIC + b"\xe0" + (1000).to_bytes(8, "little") + run_of_128_kib, 1000, exact=True)


def test_a_frame_that_does_not_declare_its_size_is_refused() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(b"abc")
    assert zstandard.decompress(frame, max_output_size=3) == b"abc"
    with pytest.raises(Corrupt, match="does not declare"):
        decompress(frame, 3, exact=True)


@pytest.mark.parametrize("extra", [b"\0", b"more", raw_frame(b"abc"), bytes.fromhex("502a4d1800000000")])
def test_data_after_the_frame_is_refused(extra: bytes) -> None:
    with pytest.raises(Corrupt):
        decompress(raw_frame(b"abc") + extra, 3, exact=True)


def windowed_frame(window_log: int, content: bytes) -> bytes:
    """Return a frame with a window descriptor instead of a single segment, and its size in 8 bytes."""
    descriptor = bytes((0xC0, window_log - 10 << 3))
    return MAGIC + descriptor + len(content).to_bytes(8, "little") + raw_frame(content)[13:]


def test_a_frame_with_an_oversized_window_is_refused() -> None:
    assert decompress(windowed_frame(24, b"abc"), 3, exact=True) == b"abc"
    for window_log in (25, 27, 31, 41):
        with pytest.raises(Corrupt):
            decompress(windowed_frame(window_log, b"abc"), 3, exact=True)


def test_a_frame_with_a_dictionary_is_refused() -> None:
    frame = MAGIC + b"\xe1" + b"\x05" + raw_frame(b"abc")[5:]
    with pytest.raises(Corrupt, match="dictionary"):
        decompress(frame, 3, exact=True)


@pytest.mark.parametrize("size", range(len(raw_frame(b"abc"))))
def test_a_frame_cut_anywhere_is_refused(size: int) -> None:
    with pytest.raises(Corrupt):
        decompress(raw_frame(b"abc")[:size], 3, exact=True)


def test_an_unfinished_frame_is_refused() -> None:
    with pytest.raises(Corrupt):
        decompress(raw_frame(b"abc", last=0), 3, exact=True)


def test_a_skippable_frame_is_no_frame() -> None:
    with pytest.raises(Corrupt):
        decompress(bytes.fromhex("502a4d1803000000") + b"abc", 3, exact=True)


@given(st.binary(max_size=60), st.booleans())
@PROPERTY
def test_any_bytes_are_a_frame_within_bounds_or_corrupt(data: bytes, with_magic: bool) -> None:
    try:
        content = decompress((MAGIC if with_magic else b"") + data, 1000, exact=False)
    except Corrupt:
        return
    assert len(content) <= 1000
