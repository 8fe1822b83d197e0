"""The order and packing of symbols before Zstandard: literal bytes, and contents that contradict their model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.errors import Corrupt
from nncodec.format.entropy import decode_block, encode_block
from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.layout import SortedReader, sorted_bytes_bound, sorted_segments, table_classes
from nncodec.format.entropy.zstd import ZstdCoder, compress
from nncodec.plugin.entropy import EntropyModel, PlainEntropy, Shapes, Stage, StageContext, Tables
from nncodec.plugin.latents import IntArray, Latents, LatentSpec

PROPERTY = settings(deadline=None, max_examples=100)


# --- planar ---------------------------------------------------------------------------------------------------------


def planar_content(latents: Latents, specs: tuple[LatentSpec, ...]) -> bytes:
    return zstandard.decompress(encode_block(ZstdCoder(), latents, PlainEntropy(specs), specs))


def test_planar_symbols_are_these_bytes() -> None:
    specs = (LatentSpec("y", 2, 1, -3, 250), LatentSpec("z", 1, 4, 0, 9))
    latents = {
        "y": np.array([[[[0, 1], [2, 3]], [[250, -3], [7, 7]]], [[[4, 5], [6, 7]], [[8, 8], [8, 8]]]], np.int32),
        "z": np.array([[[[9]]], [[[0]]]], np.int32),
    }
    # Frame after frame within a channel, channel after channel, array after array; each minus the least of all minima.
    assert planar_content(latents, specs) == bytes([3, 4, 5, 6, 7, 8, 9, 10, 253, 0, 10, 10, 11, 11, 11, 11, 12, 3])


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [
        (255, "01 02"),
        (256, "01 02 00 00"),
        (65535, "01 02 00 00"),
        (65536, "01 02 00 00 00 00 00 00"),
    ],
)
def test_planar_symbols_of_a_stage_have_their_low_bytes_first(maximum: int, expected: str) -> None:
    specs = (LatentSpec("y", 1, 1, 0, maximum),)
    assert planar_content({"y": np.array([[[[1, 2]]]], np.int32)}, specs) == bytes.fromhex(expected)


def test_byte_planes_follow_each_other_from_low_to_high() -> None:
    specs = (LatentSpec("y", 1, 1, 0, 70_000),)
    latents = {"y": np.array([[[[0x010203, 0x011170]]]], np.int32)}
    assert planar_content(latents, specs) == bytes.fromhex("03 70  02 11  01 01  00 00")


# --- sorted ---------------------------------------------------------------------------------------------------------


def one_row(*frequencies: int) -> Tables:
    total = sum(frequencies)
    assert total & (total - 1) == 0
    return Tables(np.array([frequencies], np.uint32), 0, total.bit_length() - 1)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (one_row(65535, 1), 1),
        (one_row(65534, 1, 1), 2),
        (one_row(65536 - 4096, 4096), 13),
        (one_row(65536 - 4095, 4095), 12),
        (one_row(65536 - 32767, 32767), 15),
        (one_row(32768, 32768), 16),
        (one_row(32767, 32767, 2), 17),
        (one_row(16384, 16384, 16384, 16384), 17),
        (one_row(16383, 16383, 16383, 16383, 4), 18),
        (one_row(*[1] * 65536), 31),
        (one_row(255, 1), 9),  # precision 8 is scaled to 16
        (one_row(128, 128), 16),
        (one_row((1 << 20) - 1, 1), 0),  # finer than 16 bits can tell
        (one_row((1 << 20) - 16, 16), 1),
        (one_row(1, 1), 16),
    ],
)
def test_a_table_has_this_class(tables: Tables, expected: int) -> None:
    assert table_classes(tables).tolist() == [expected]


PEAKED_AND_FLAT = Tables(np.array([[65530, 3, 3], [16384, 16384, 32768], [65530, 3, 3]], np.uint32), -1, 16)
SORTED_SYMBOLS = np.array([0, 5, 1, -1, 0, -300, -2], np.int32)
SORTED_TABLES = np.array([0, 1, 0, 2, 2, 1, 0])  # classes 3 and 16


@pytest.mark.parametrize(
    ("quad_limit", "expected"),
    [
        # quad limit, classes, their counts; class 3; class 16; escapes
        (2, "02 11 00000005 000000000000000000000000 02  7f 80 7e 7f 7d  84 ff  d704"),
        (3, "03 11 00000005 000000000000000000000000 02  49 57  84 ff  03 d704"),
        (31, "1f 11 00000005 000000000000000000000000 02  49 57  5f  03 0a d704"),
    ],
)
def test_sorted_symbols_are_these_bytes(quad_limit: int, expected: str) -> None:
    alphabet = Alphabet(PEAKED_AND_FLAT, -1000, 1000, 7)
    stages = [StageSymbols(SORTED_SYMBOLS, SORTED_TABLES)]
    assert b"".join(sorted_segments(stages, alphabet, quad_limit)) == bytes.fromhex(expected)


def test_the_class_of_each_symbol_is_kept_when_stages_are_coded_one_after_another() -> None:
    alphabet = Alphabet(PEAKED_AND_FLAT, -1000, 1000, 7)
    stages = [
        StageSymbols(SORTED_SYMBOLS[:3], SORTED_TABLES[:3]),
        StageSymbols(SORTED_SYMBOLS[3:], SORTED_TABLES[3:]),
    ]
    whole = [StageSymbols(SORTED_SYMBOLS, SORTED_TABLES)]
    assert sorted_segments(stages, alphabet, 3) == sorted_segments(whole, alphabet, 3)


@given(quad_limit=st.integers(0, 255), count=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
@PROPERTY
def test_the_sorted_layout_is_read_back_under_any_quad_limit(quad_limit: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rest = np.array([0, 1, 10, 100, 1000, 4000, 9000, 9362, 5], np.uint32)[:, None]  # off the peak, in each column
    tables = Tables(np.hstack([1 + rest.repeat(6, axis=1), 65_530 - 6 * rest]), -2, 16)
    symbols = rng.choice([0, 0, 0, 1, -1, 2, -126, 126, 127, -127, 2**31 - 1, 1 - 2**31], count).astype(np.int32)
    which = rng.integers(0, 9, count)
    cut = int(rng.integers(0, count + 1))
    stages = [StageSymbols(symbols[:cut], which[:cut]), StageSymbols(symbols[cut:], which[cut:])]
    alphabet = Alphabet(tables, -(2**31) + 1, 2**31 - 1, count)
    content = b"".join(sorted_segments(stages, alphabet, quad_limit))
    assert len(content) <= sorted_bytes_bound(alphabet)
    reader = SortedReader(content, alphabet)
    for stage in stages:
        np.testing.assert_array_equal(reader.take(stage.tables), stage.symbols)
    reader.finish()


# --- payloads that contradict their model -------------------------------------------------------------------------


def test_a_planar_symbol_outside_the_range_is_refused() -> None:
    spec = (LatentSpec("y", 1, 1, -2, 3),)
    with pytest.raises(Corrupt, match="outside its alphabet"):
        decode_block(ZstdCoder(), compress(b"\x06"), PlainEntropy(spec), spec, {"y": (1, 1, 1, 1)})


def test_a_symbol_that_only_another_array_may_hold_is_refused() -> None:
    specs = (LatentSpec("y", 1, 1, 0, 200), LatentSpec("z", 1, 1, 0, 9))
    shapes = {"y": (1, 1, 1, 1), "z": (1, 1, 1, 1)}
    assert decode_block(ZstdCoder(), compress(b"\xc8\x09"), PlainEntropy(specs), specs, shapes)["z"].item() == 9
    with pytest.raises(Corrupt, match=r"outside 0\.\.9"):
        decode_block(ZstdCoder(), compress(b"\xc8\x0a"), PlainEntropy(specs), specs, shapes)


@pytest.mark.parametrize("size", [0, 1, 2, 4, 100])
def test_a_planar_payload_of_another_size_is_refused(size: int) -> None:
    spec = (LatentSpec("y", 1, 1, 0, 255),)
    with pytest.raises(Corrupt):
        decode_block(ZstdCoder(), compress(bytes(size)), PlainEntropy(spec), spec, {"y": (1, 1, 1, 3)})


class FixedContexts(EntropyModel):
    """One stage of seven symbols under `SORTED_TABLES`."""

    tables = PEAKED_AND_FLAT

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return [Stage("y", (slice(None),) * 4)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        return StageContext(SORTED_TABLES[None, None, None])


def decode_sorted(content: bytes, limit: int = 1000) -> IntArray:
    spec = (LatentSpec("y", 1, 1, -limit, limit),)
    return decode_block(ZstdCoder(), compress(content), FixedContexts(), spec, {"y": (1, 1, 1, 7)})["y"].ravel()


COUNTS = "11 00000005 000000000000000000000000 02"
SOUND = bytes.fromhex("03" + COUNTS + "49 57 84 ff 03 d704")


def test_a_sorted_payload_of_another_encoder_is_read() -> None:
    np.testing.assert_array_equal(decode_sorted(SOUND), SORTED_SYMBOLS)


def test_the_sorted_example_in_the_documentation_holds_these_symbols() -> None:
    text = (Path(__file__).parents[3] / "docs" / "format.md").read_text(encoding="utf-8")
    block = text.split("The content of a Zstandard frame in the sorted layout")[1].split("```hex\n")[1].split("```")[0]
    assert bytes.fromhex("".join(line[:36] for line in block.splitlines())) == SOUND


def test_a_sorted_payload_cut_anywhere_is_refused() -> None:
    for size in range(len(SOUND)):
        with pytest.raises(Corrupt):
            decode_sorted(SOUND[:size])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no symbol counts"),
        ("03 11 00000005", "inside its symbol counts"),
        ("03" + COUNTS + "49", "inside its symbols"),
        ("03" + COUNTS + "49 57 84", "inside its symbols"),
        (SOUND + b"\x00", "escapes"),
        (SOUND + b"\x80", "malformed escape"),
        ("03 21" + "00" * 26 + "07" + "00" * 6, "no symbol counts"),  # 33 classes
        ("03 11 00000006 000000000000000000000000 02 49 57 84 ff 03 d704", "do not add up"),
        ("03 11 00000005 000000000000000000000000 ffffffffff 49 57 84 ff 03 d704", "malformed symbol count"),
        ("03 11 00000006 000000000000000000000000 01 49 57 84 03", "fewer symbols"),
        ("03 11 00000004 000000000000000000000000 03 49 84 85 ff d704", "fewer symbols"),
        ("03 11 00000005 000000000000000000000000 01 49 57 84 03", "fewer symbols"),
        ("03 00", "fewer symbols"),
        ("03 12 00000005 000000000000000000000000 01 01 49 57 84 80 03", "fewer symbols"),
        ("03" + COUNTS + "49 97 84 ff 03 d704", "after its last one"),
        ("03" + COUNTS + "49 57 84 ff 03", "escapes"),
        ("03" + COUNTS + "49 57 84 85 03 d704", "escapes"),
        ("03" + COUNTS + "49 57 84 ff 03 80808080808001", "malformed escape"),
        ("03" + COUNTS + "49 57 84 ff 03 ffffffff0f", "escape out of range"),
        ("03" + COUNTS + "49 57 84 ff 03 ffffffff7f", "escape out of range"),
        ("03" + COUNTS + "49 57 84 ff 03 d10f", "outside"),  # -1001
    ],
)
def test_a_sorted_payload_that_contradicts_itself_is_refused(content: str | bytes, reason: str) -> None:
    with pytest.raises(Corrupt, match=reason):
        decode_sorted(content if isinstance(content, bytes) else bytes.fromhex(content))


@pytest.mark.parametrize(("escape", "value"), [("8080808008", 2**30), ("ffffffff07", -(2**30)), ("00", 0)])
def test_escapes_reach_from_one_end_of_the_allowed_range_to_the_other(escape: str, value: int) -> None:
    content = bytes.fromhex("03" + COUNTS + "49 57 84 ff 03" + escape)
    assert decode_sorted(content, limit=2**30)[5] == value


@given(st.data())
@PROPERTY
def test_any_sorted_payload_gives_latents_in_range_or_corrupt(data: st.DataObject) -> None:
    content = bytearray(SOUND)
    for place in data.draw(st.lists(st.integers(0, len(SOUND) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_sorted(bytes(content) + data.draw(st.binary(max_size=4)))
    except Corrupt:
        return
    assert np.abs(decoded).max() <= 1000
