"""The choice among the block coders, the baseline, and the bundled model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.format.entropy.zstd import compress
from nncodec.plugin.model_file import read_model
from nncodec_lossless import filtered, plugin
from nncodec_lossless.codec import BlockCoder, LosslessCodec
from nncodec_lossless.synthetic import block as synthetic


@pytest.fixture(scope="module")
def model() -> LosslessCodec:
    return LosslessCodec.from_file(read_model(plugin.nncodec_models()[0].path))


def samples_of(kind: str, shape: tuple[int, int, int, int], bits: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    top = (1 << bits) - 1
    y, x = np.ogrid[: shape[1], : shape[2]]
    made = {
        "noise": lambda: rng.integers(0, top + 1, shape),
        "levels": lambda: rng.integers(0, 20, shape) * (top // 20),
        "waves": lambda: (np.sin(y / 9) + np.cos(x / 7) + 2)[None, :, :, None] * top / 4 + rng.normal(0, 2, shape),
        "flat": lambda: np.full(shape, top),
        "squares": lambda: np.broadcast_to(((y // 16 + x // 16) % 2 * top)[None, :, :, None], shape),
    }[kind]()
    return np.clip(np.rint(made), 0, top).astype(np.uint16)


@pytest.mark.parametrize(
    ("kind", "coders"),
    [
        ("noise", {BlockCoder.RAW}),
        ("waves", {BlockCoder.NATURAL}),
        ("flat", {BlockCoder.FILTERED, BlockCoder.SYNTHETIC}),
        ("squares", {BlockCoder.FILTERED, BlockCoder.SYNTHETIC}),
    ],
)
def test_the_coder_that_suits_a_block_is_taken(model, kind, coders) -> None:
    samples = samples_of(kind, (1, 64, 64, 3), 8)
    payload = model.encode(samples, 8, 0)
    assert payload[0] in coders
    np.testing.assert_array_equal(model.decode(payload, samples.shape, 8), samples)


def test_what_repeats_further_away_than_some_rows_show_is_coded_by_the_baseline(model, monkeypatch) -> None:
    monkeypatch.setattr("nncodec_lossless.codec.copy_search.find", lambda samples: None)
    random = np.random.default_rng(0)
    rows = random.integers(0, 256, (1, 60, 500, 3)).astype(np.uint16)  # too many colours for a palette
    samples = rows[:, random.integers(0, 60, 500)]
    payload = model.encode(samples, 8, 0)
    assert payload[0] == BlockCoder.FILTERED
    assert len(payload) < 1.2 * rows.size
    np.testing.assert_array_equal(model.decode(payload, samples.shape, 8), samples)


def test_symmetric_drawings_are_coded_by_the_baseline(model, monkeypatch) -> None:
    monkeypatch.setattr("nncodec_lossless.codec.copy_search.find", lambda samples: None)
    y, x = np.ogrid[:128, :256]
    rings = (((x - 128) ** 2 + (y - 64) ** 2) // 200 % 2 * 255).astype(np.uint16)[None, ..., None]
    payload = model.encode(rings, 8, 0)
    assert payload[0] == BlockCoder.FILTERED
    assert len(payload) < 0.8 * len(synthetic.encode(rings, 8))
    np.testing.assert_array_equal(model.decode(payload, rings.shape, 8), rings)


@pytest.mark.parametrize(("kind", "expected"), [("waves", [262]), ("levels", [300]), ("squares", [300])])
def test_the_slow_baseline_codes_only_a_part_where_it_would_hardly_win(model, monkeypatch, kind, expected) -> None:
    samples = samples_of(kind, (1, 300, 250, 1), 8)
    rows = []
    encode = filtered.encode
    monkeypatch.setattr(filtered, "encode", lambda part, bits: rows.append(part.shape[1]) or encode(part, bits))
    monkeypatch.setattr("nncodec_lossless.codec.synthetic.encode", lambda samples, bits: None)
    monkeypatch.setattr("nncodec_lossless.codec.repeats.find", lambda samples: None)
    monkeypatch.setattr("nncodec_lossless.codec.copy_search.find", lambda samples: None)
    model.encode(samples, 8, 0)
    assert rows == expected


@pytest.mark.parametrize("bits", [1, 3, 8, 10, 16])
@pytest.mark.parametrize("kind", ["noise", "waves"])
def test_no_block_is_larger_than_its_samples_and_a_byte(model, kind, bits) -> None:
    samples = samples_of(kind, (2, 7, 9, 4), bits)
    payload = model.encode(samples, bits, 0)
    assert len(payload) <= 1 + (samples.size * bits + 7) // 8
    np.testing.assert_array_equal(model.decode(payload, samples.shape, bits), samples)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)),
    bits=st.integers(1, 16),
    seed=st.integers(0, 9),
)
def test_the_baseline_and_plain_samples_come_back(shape, bits, seed) -> None:
    samples = np.random.default_rng(seed).integers(0, 1 << bits, shape).astype(np.uint16)
    for encode, decode in ((filtered.encode, filtered.decode), (filtered.encode_raw, filtered.decode_raw)):
        np.testing.assert_array_equal(decode(encode(samples, bits), shape, bits), samples)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"", "names no coder"),
        (b"\x08", "names no coder"),
        (b"\x00abc", "3 bytes, not 12"),
        (b"\x01", "names no colour transform"),
        (b"\x01\x00", "range-coded"),
        (b"\x03", "names no filter"),
        (b"\x03\x00abc", "Zstandard"),
        (b"\x03\x00" + compress(bytes(5)), "declares 5 bytes"),
    ],
)
def test_a_damaged_payload_is_refused_in_a_line(model, payload, problem) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        model.decode(payload, (1, 2, 2, 3), 8)
    assert "\n" not in str(caught.value)


def test_a_sample_of_too_many_bits_is_refused(model) -> None:
    payload = bytes([BlockCoder.FILTERED]) + filtered.encode(np.full((1, 2, 2, 1), 9, np.uint16), 8)
    with pytest.raises(ValueError, match="more than 3 bits"):
        model.decode(payload, (1, 2, 2, 1), 3)
