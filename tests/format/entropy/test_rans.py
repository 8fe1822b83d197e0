"""Range ANS: a second implementation written from docs/format.md, literal bytes, and payloads that nobody wrote."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rans_reference import PageDecoder

import nncodec
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.errors import Corrupt, InvalidOption
from nncodec.format.container import Container
from nncodec.format.entropy import decode_block, encode_block, ideal_bits
from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.escapes import escape_digits
from nncodec.format.entropy.rans import RansCoder
from nncodec.plugin.entropy import PlainEntropy, Tables
from nncodec.plugin.latents import IntArray, LatentSpec

PROPERTY = settings(deadline=None, max_examples=100)
SEEDS = st.integers(0, 2**32 - 1)
FORMAT_PAGE = Path(__file__).parents[3] / "docs" / "format.md"
FAR = 2**31 - 1

Stages = list[tuple[list[int], list[int]]]
"""Symbols and tables of each stage."""


# --- the page's encoder, in whole numbers ---------------------------------------------------------------------------


def page_encode(columns: Sequence[tuple[int, list[int]]]) -> bytes:
    """Return the payload of columns, each with the scaled frequencies of its table, in decoding order."""
    x, words = 2**24, []
    for i, frequencies in reversed(columns):
        if x >= frequencies[i] * 2**40:
            words.append(x % 2**32)
            x //= 2**32
        x = x // frequencies[i] * 2**24 + sum(frequencies[:i]) + x % frequencies[i]
    words += [x % 2**32, x // 2**32]
    return b"".join(word.to_bytes(4, "little") for word in words).rstrip(b"\0")


# --- helpers --------------------------------------------------------------------------------------------------------


def alphabet(tables: Tables | None, symbols: int = 10_000) -> Alphabet:
    return Alphabet(tables, -(2**30), 2**30, symbols)


def encode(stages: Stages, tables: Tables) -> bytes:
    arrays = [StageSymbols(np.array(symbols, np.int32), np.array(which)) for symbols, which in stages]
    return RansCoder().encode(arrays, alphabet(tables))


def decode(payload: bytes, which: list[list[int]], tables: Tables) -> list[list[int]]:
    reader = RansCoder().reader(payload, alphabet(tables))
    symbols = [reader.take(np.array(stage)).tolist() for stage in which]
    reader.finish()
    return symbols


def random_tables(rng: np.random.Generator) -> Tables:
    """From two columns to three hundred, from nearly certain to flat, of every precision."""
    precision = int(rng.integers(1, 25))
    columns = int(rng.integers(2, min(300, 1 << precision) + 1))
    rest = (1 << precision) - columns
    cuts = np.sort((rest * rng.uniform(size=(4, columns - 1)) ** rng.integers(1, 20, (4, 1))).astype(np.int64))
    shares = np.diff(np.concatenate([np.zeros((4, 1), np.int64), cuts, np.full((4, 1), rest)], axis=1))
    return Tables((1 + shares).astype(np.uint32), int(rng.integers(-150, 10)), precision)


def random_stages(rng: np.random.Generator, tables: Tables) -> Stages:
    stages = []
    for _ in range(rng.integers(1, 4)):
        count = int(rng.integers(1, 40))
        inside = rng.integers(0, tables.frequencies.shape[1] - 1, count) + tables.minimum
        anywhere = np.array([FAR, -FAR, 0, int(rng.integers(-FAR, FAR)), tables.minimum - 1])[rng.integers(0, 5, count)]
        symbols = np.where(rng.uniform(size=count) < 0.9, inside, anywhere)
        stages.append((symbols.tolist(), rng.integers(0, 4, count).tolist()))
    return stages


PAGE_TABLES = Tables(np.array([[2, 10, 3, 1], [5, 5, 5, 1]], np.uint32), -1, 4)
PAGE_STAGES: Stages = [([0, -1, 200_000], [0, 1, 0]), ([1, -7], [1, 1])]
WHICH = [which for _, which in PAGE_STAGES]
SYMBOLS = [symbols for symbols, _ in PAGE_STAGES]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_example_in_the_documentation_holds_these_symbols() -> None:
    _, example = FORMAT_PAGE.read_text(encoding="utf-8").split("A payload in range ANS")
    payload = bytes.fromhex(example.split("```hex\n")[1][:36])
    assert encode(PAGE_STAGES, PAGE_TABLES) == payload
    assert decode(payload, WHICH, PAGE_TABLES) == SYMBOLS
    decoder = PageDecoder(payload, PAGE_TABLES)
    assert [decoder.stage(which) for which in WHICH] == SYMBOLS
    assert decoder.at_end
    assert [int(x, 16) for x in re.findall(r"^\| `(\w{16})`", example, re.M)] == decoder.states


@given(SEEDS)
@PROPERTY
def test_the_decoder_of_the_page_reads_every_payload(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    stages = random_stages(rng, tables)
    decoder = PageDecoder(encode(stages, tables), tables)
    for symbols, which in stages:
        assert decoder.stage(which) == symbols
    assert decoder.at_end


def test_threads_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    tables = random_tables(rng)
    stages = [stage for _ in range(9) for stage in random_stages(rng, tables)]
    expected = encode(stages, tables)
    monkeypatch.setattr("nncodec.format.entropy.rans._SYMBOLS_PER_THREAD", 1)
    monkeypatch.setattr("nncodec._support.threads.allowed_threads", lambda: 3)
    assert encode(stages, tables) == expected
    assert decode(expected, [which for _, which in stages], tables) == [symbols for symbols, _ in stages]


@given(SEEDS)
@PROPERTY
def test_payloads_of_the_page_s_encoder_are_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    last = tables.frequencies.shape[1] - 1
    rows = [[f << 24 - tables.precision for f in row] for row in tables.frequencies.tolist()]
    which = sorted(rng.integers(0, 4, 30).tolist())
    columns = rng.integers(0, last, 30).tolist()
    payload = page_encode([(column, rows[table]) for column, table in zip(columns, which, strict=True)])
    assert decode(payload, [which], tables) == [[column + tables.minimum for column in columns]]


@given(SEEDS)
@PROPERTY
def test_each_column_has_exactly_its_frequency(seed: int) -> None:
    """The first and the last of a column's 2^24-ths decode to it, for every column."""
    tables = random_tables(np.random.default_rng(seed))
    row = tables.frequencies[0].astype(np.int64) << 24 - tables.precision
    ends = np.cumsum(row)[:-1].tolist()
    for column, end in enumerate(ends):
        for q, expected in ((end - int(row[column]), column), (end - 1, column)):
            payload = (7 << 64 | 5 << 56 | q << 32).to_bytes(12, "little").rstrip(b"\0")
            symbol = RansCoder().reader(payload, alphabet(tables)).take(np.array([0])).item()
            assert symbol == tables.minimum + expected


# --- literal bytes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([], "00 00 00 01"),
        ([([], [])], "00 00 00 01"),
        ([([0], [1])], "00 00 60 03"),
        ([([-1], [0])], "00 00 00 08"),
        ([([-1, -1, -1], [0, 0, 0])], "00 00 00 00 02"),
        (PAGE_STAGES, "00 3f 09 d8 cc 1c 73 39 09"),
    ],
)
def test_symbols_are_these_bytes(stages: Stages, expected: str) -> None:
    assert encode(stages, PAGE_TABLES) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("symbol", "digits"),
    [  # the table reaches from -1 to 1
        (2, [(0, 64)]),
        (-2, [(1, 64)]),
        (3, [(2, 64), (0, 2)]),
        (4, [(2, 64), (1, 2)]),
        (-8, [(5, 64), (3, 4)]),
        (1 + 65_535, [(30, 64), (32_767, 32_768)]),
        (1 + 65_536, [(32, 64), (0, 65_536)]),
        (1 + 131_071, [(32, 64), (65_535, 65_536)]),
        (1 + 131_072, [(34, 64), (0, 65_536), (0, 2)]),
        (FAR, [(60, 64), (65_534, 65_536), (16_383, 16_384)]),
        (-FAR, [(61, 64), (65_534, 65_536), (16_383, 16_384)]),
    ],
)
def test_an_escape_has_these_digits(symbol: int, digits: list[tuple[int, int]]) -> None:
    found = [
        (int(part.values[0]), int(np.broadcast_to(part.sizes, 1)[0]))
        for part in escape_digits(np.array([symbol], np.int32), -1, 4)
    ]
    assert found == digits
    assert decode(encode([([symbol], [0])], PAGE_TABLES), [[0]], PAGE_TABLES) == [[symbol]]


# --- size -----------------------------------------------------------------------------------------------------------


@given(SEEDS)
@PROPERTY
def test_a_payload_is_about_four_bytes_larger_than_ideal_at_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    which = rng.integers(0, 4, 3000)
    ends = np.cumsum(tables.frequencies, axis=1, dtype=np.int64)[which]  # (symbols, columns)
    symbols = tables.minimum + (ends <= rng.integers(0, ends[:, -1])[:, None]).sum(axis=1)
    last = tables.minimum + tables.frequencies.shape[1] - 2
    probabilities = tables.frequencies[which, symbols - tables.minimum] / 2**tables.precision
    bits = -np.log2(probabilities).sum() + 6 * (symbols > last).sum()
    payload = encode([(symbols.tolist(), which.tolist())], tables)
    assert bits / 8 <= len(payload) <= bits * 1.0001 / 8 + 4.5


def test_the_ideal_code_length_is_that_of_the_tables_and_of_the_digits_of_escapes() -> None:
    spec = (LatentSpec("y", 1, 1, -(2**20), 2**20),)

    class Fixed(PlainEntropy):
        tables = PAGE_TABLES  # type: ignore[assignment]

    latents = {"y": np.array([[[[0, -1, 200_000]]]], np.int32)}
    expected = np.log2(16 / 10) + np.log2(16 / 2) + np.log2(16 / 1) + 6 + 16 + 1
    assert ideal_bits(latents, Fixed(spec), spec) == pytest.approx(expected)
    with pytest.raises(InvalidOption, match="without probability tables"):
        ideal_bits(latents, PlainEntropy(spec), spec)


# --- payloads that contradict their model -------------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["", "00", "00 00 00 00", "00 00 00 01 00", "01 02 03 04 05 06 07 08 00"])
def test_a_payload_that_ends_in_nothing_is_refused(payload: str) -> None:
    with pytest.raises(Corrupt, match="not range-coded"):
        decode(bytes.fromhex(payload), [], PAGE_TABLES)


@pytest.mark.parametrize("payload", ["01", "ff ff ff", "00 00 00 02", "00 00 00 00 01", "01 00 00 01"])
def test_a_payload_without_symbols_is_just_these_four_bytes(payload: str) -> None:
    decode(bytes.fromhex("00 00 00 01"), [], PAGE_TABLES)
    with pytest.raises(Corrupt, match="more symbols"):
        decode(bytes.fromhex(payload), [], PAGE_TABLES)


@given(SEEDS, st.sampled_from([-1, 1]))
@PROPERTY
def test_a_symbol_too_many_or_too_few_is_noticed(seed: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    which = sorted(rng.integers(0, 4, 20).tolist())
    inside = (rng.integers(0, tables.frequencies.shape[1] - 1, 20) + tables.minimum).tolist()
    payload = encode([(inside, which)], tables)
    with pytest.raises(Corrupt):
        decode(payload, [[*which, which[-1]] if more > 0 else which[:-1]], tables)


def test_a_payload_cut_or_extended_anywhere_is_refused() -> None:
    payload = encode(PAGE_STAGES, PAGE_TABLES)
    for size in range(len(payload)):
        with pytest.raises(Corrupt):
            decode(payload[:size], WHICH, PAGE_TABLES)
        with pytest.raises(Corrupt):
            decode(payload[size + 1 :] or b"\0", WHICH, PAGE_TABLES)
    for extra in (b"\0", b"\1", b"\xff" * 4, payload):
        with pytest.raises(Corrupt):
            decode(payload + extra, WHICH, PAGE_TABLES)
        with pytest.raises(Corrupt):
            decode(extra + payload, WHICH, PAGE_TABLES)


def escape_payload(head: int, *digits: tuple[int, int]) -> bytes:
    """Return the payload of one symbol under table 0 that escapes, with these digits."""
    row = [f << 20 for f in PAGE_TABLES.frequencies[0].tolist()]
    flat = [(value, [2**24 // size] * size) for value, size in ((head, 64), *digits)]
    return page_encode([(3, row), *flat])


def test_an_escape_as_far_as_allowed_is_read_and_beyond_it_refused() -> None:
    sound = escape_payload(60, (65_534, 65_536), (16_383, 16_384))
    assert decode(sound, [[0]], PAGE_TABLES) == [[FAR]]
    assert decode(escape_payload(61, (65_534, 65_536), (16_383, 16_384)), [[0]], PAGE_TABLES) == [[-FAR]]
    for head in (60, 61):
        with pytest.raises(Corrupt, match="escape out of range"):
            decode(escape_payload(head, (65_535, 65_536), (16_383, 16_384)), [[0]], PAGE_TABLES)
        with pytest.raises(Corrupt, match="escape out of range"):
            decode(escape_payload(head + 2, (65_535, 65_536), (32_767, 32_768)), [[0]], PAGE_TABLES)


def test_far_more_symbols_than_the_payload_can_hold_are_refused_at_once() -> None:
    reader = RansCoder().reader(encode(PAGE_STAGES, PAGE_TABLES), alphabet(PAGE_TABLES, 10**6))
    with pytest.raises(Corrupt, match="fewer symbols"):
        reader.take(np.zeros(10**6, np.int32))


@given(st.binary(max_size=60), SEEDS)
@settings(PROPERTY, max_examples=500)
def test_any_payload_is_corrupt_or_the_only_one_for_its_symbols(payload: bytes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    which = [rng.integers(0, 4, int(count)).tolist() for count in rng.integers(1, 4, 2)]
    try:
        symbols = decode(payload, which, tables)
    except Corrupt:
        return
    assert encode(list(zip(symbols, which, strict=True)), tables) == payload


@given(SEEDS)
@settings(PROPERTY, max_examples=300)
def test_a_flipped_bit_gives_corrupt_or_other_symbols(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    stages = random_stages(rng, tables)
    payload = bytearray(encode(stages, tables))
    payload[rng.integers(len(payload))] ^= 1 << int(rng.integers(8))
    try:
        found = decode(bytes(payload), [which for _, which in stages], tables)
    except Corrupt:
        return
    assert found != [symbols for symbols, _ in stages]


# --- models ---------------------------------------------------------------------------------------------------------


def test_a_model_without_tables_has_no_range_coded_form() -> None:
    spec = (LatentSpec("y", 1, 1, 0, 7),)
    latents: dict[str, IntArray] = {"y": np.zeros((1, 1, 1, 3), np.int32)}
    with pytest.raises(InvalidOption, match="probability tables"):
        encode_block(RansCoder(), latents, PlainEntropy(spec), spec)
    with pytest.raises(Corrupt, match="not range-coded"):
        decode_block(RansCoder(), b"\0\0\0\1", PlainEntropy(spec), spec, {"y": (1, 1, 1, 3)})


def test_tables_are_forgotten_when_nobody_uses_them() -> None:
    tables = Tables(PAGE_TABLES.frequencies.copy(), -1, 4)
    assert decode(encode(PAGE_STAGES, tables), WHICH, tables) == SYMBOLS
    remembered = weakref.ref(tables)
    del tables
    gc.collect()
    assert remembered() is None


def test_a_photograph_takes_what_its_tables_say_and_less_than_with_zstandard(photo: Image.Image) -> None:
    by_zstd, by_rans = (nncodec.encode(photo, "conv/photo", 40, coder=coder) for coder in ("zstd", "rans"))
    assert nncodec.inspect(by_rans).coder == "rans"
    assert np.array_equal(nncodec.decode(by_rans), nncodec.decode(by_zstd))
    container = Container(by_rans)
    model = open_file_model(container)
    bits = ideal_bits(block_latents(container, model, 0), model.entropy(40), model.traits.latents)
    assert bits / 8 <= len(container.block(0)) <= bits / 8 + 8
    assert len(by_rans) < 0.97 * len(by_zstd)


def test_a_model_without_tables_refuses_in_one_line() -> None:
    with pytest.raises(InvalidOption, match=r"dense/fashion has no probability tables for 'rans'") as caught:
        nncodec.encode(Image.new("L", (28, 28)), "dense/fashion", coder="rans")
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    import skimage.data

    return Image.fromarray(skimage.data.chelsea())
