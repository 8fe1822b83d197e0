"""Coders and the stage loop: what goes in comes out, and what is no payload is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.container import CoderId
from nncodec.entropy import Coder, coder_by_id, decode_block, encode_block
from nncodec.entropy.base import Alphabet, StageSymbols
from nncodec.entropy.layout import SortedReader, sorted_bytes_bound, sorted_segments, table_classes
from nncodec.entropy.stored import StoredCoder
from nncodec.entropy.zstd import ZstdCoder, compress, decompress
from nncodec.errors import Corrupt, InvalidOption, PluginError
from nncodec.latents import IntArray, Latents, LatentSpec
from nncodec.model import EntropyModel, PlainEntropy, Stage, StageContext, Tables

PROPERTY = settings(deadline=None, max_examples=100)
WHOLE = (slice(None),) * 4


# --- a model to code with -----------------------------------------------------------------------------------------


class ContextEntropy(EntropyModel):
    """Side latents first, then the others in two checkerboard halves, each under tables that the former decide."""

    def __init__(self, tables: Tables, shift: int) -> None:
        self._tables = tables
        self._shift = shift
        self.seen: list[dict[str, IntArray]] = []

    @property
    def tables(self) -> Tables:
        return self._tables

    def stages(self) -> Sequence[Stage]:
        even = (slice(None), slice(None), slice(None), slice(0, None, 2))
        odd = (slice(None), slice(None), slice(None), slice(1, None, 2))
        return [Stage("side", WHOLE), Stage("main", even), Stage("main", odd)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        self.seen.append({name: array.copy() for name, array in known.items()})
        count = len(self._tables.frequencies)
        if stage == 0:
            return StageContext(np.arange(known["side"].shape[1])[None, :, None, None] % count)
        main = known["main"]
        side = np.abs(known["side"]).sum(axis=1, keepdims=True)  # (N, 1, h / 2, w / 2)
        side = side.repeat(2, axis=2).repeat(2, axis=3)[:, :, : main.shape[2], : main.shape[3]]  # (N, 1, h, w)
        reach = side + np.abs(np.roll(main, 1, axis=3))  # (N, C, h, w)
        half = self.stages()[stage].where
        offsets = np.clip(np.roll(main, 1, axis=3), -self._shift, self._shift)
        return StageContext((reach % count)[half], offsets[half] if stage == 2 else self._shift)


def random_tables(rng: np.random.Generator, rows: int, precision: int, columns: int = 6) -> Tables:
    """From nearly certain to flat; every frequency at least 1, every row summing to the total."""
    frequencies = np.ones((rows, columns), np.uint32)
    for row in frequencies:
        rest = (1 << precision) - columns
        peak = int(rest * rng.uniform())
        row[rng.integers(columns)] += peak
        row[rng.integers(columns)] += rest - peak
    return Tables(frequencies, -2, precision)


def random_latents(rng: np.random.Generator, specs: Sequence[LatentSpec], frames: int, h: int, w: int) -> Latents:
    """Mostly small, some anywhere in the range, its ends among them."""
    latents = {}
    for spec in specs:
        shape = spec.shape(frames, h, w)
        values = np.clip(rng.integers(-2, 3, shape), spec.minimum, spec.maximum)
        wild = rng.integers(spec.minimum, spec.maximum, shape, endpoint=True)
        ends = rng.choice([spec.minimum, spec.maximum], shape)
        choice = rng.uniform(size=shape)
        latents[spec.name] = np.where(choice < 0.9, values, np.where(choice < 0.95, wild, ends)).astype(np.int32)
    return latents


def assert_same(found: Latents, expected: Latents) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.int32
        np.testing.assert_array_equal(found[name], array)


def shapes_of(latents: Latents) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in latents.items()}


def specs_for(minimum: int, maximum: int) -> tuple[LatentSpec, ...]:
    return LatentSpec("main", 3, 1, minimum, maximum), LatentSpec("side", 2, 2, minimum, maximum)


SIZES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
RANGES = st.sampled_from(
    [(0, 1), (-1, 1), (5, 5), (-128, 127), (0, 256), (-300, 900), (-32768, 32767), (0, 65536), (-(2**30), 2**30)]
)
SEEDS = st.integers(0, 2**32 - 1)


# --- models that break their promises ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "context"),
    [
        (Stage("unheard_of", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int))),
        (Stage("main", (slice(None),) * 5), StageContext(np.zeros((1, 1, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 7, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), np.zeros((1, 7, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), np.zeros((1, 1, 1, 1)))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1)))),
        (Stage("main", WHOLE), StageContext(np.ones((1, 1, 1, 1), int))),
    ],
)
def test_stages_and_contexts_that_do_not_fit_are_the_plugins_fault(stage: Stage, context: StageContext) -> None:
    class Broken(ContextEntropy):
        def stages(self) -> Sequence[Stage]:
            return [stage]

        def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
            return context

    specs = (LatentSpec("main", 3, 1, -1, 1),)
    latents = {"main": np.zeros((1, 3, 2, 2), np.int32)}
    entropy = Broken(random_tables(np.random.default_rng(0), 1, 8), 0)
    with pytest.raises(PluginError, match="Broken"):
        encode_block(ZstdCoder(), latents, entropy, specs)
    sound = encode_block(ZstdCoder(), latents, Whole(entropy.tables, 0), specs)
    with pytest.raises(PluginError, match="Broken"):
        decode_block(ZstdCoder(), sound, entropy, specs, shapes_of(latents))


class Whole(ContextEntropy):
    """One stage under the first table."""

    def stages(self) -> Sequence[Stage]:
        return [Stage("main", WHOLE)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        return StageContext(np.zeros((1, 1, 1, 1), int))


# --- what goes in comes out ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("coder", [StoredCoder(), ZstdCoder()], ids=lambda c: c.id.name)
@given(size=SIZES, limits=RANGES, seed=SEEDS)
@PROPERTY
def test_latents_without_tables_come_back(
    coder: Coder, size: tuple[int, int, int], limits: tuple[int, int], seed: int
) -> None:
    specs = specs_for(*limits)
    latents = random_latents(np.random.default_rng(seed), specs, *size)
    payload = encode_block(coder, latents, PlainEntropy(specs), specs)
    assert payload
    assert_same(decode_block(coder, payload, PlainEntropy(specs), specs, shapes_of(latents)), latents)


@given(
    size=SIZES,
    limits=RANGES,
    rows=st.integers(1, 12),
    precision=st.integers(4, 24),
    shift=st.integers(0, 200),
    seed=SEEDS,
)
@PROPERTY
def test_latents_under_contexts_that_depend_on_earlier_ones_come_back(
    size: tuple[int, int, int], limits: tuple[int, int], rows: int, precision: int, shift: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    specs = specs_for(*limits)
    latents = random_latents(rng, specs, *size)
    tables = random_tables(rng, rows, precision)
    writer, reader = ContextEntropy(tables, shift), ContextEntropy(tables, shift)
    payload = encode_block(ZstdCoder(), latents, writer, specs)
    assert_same(decode_block(ZstdCoder(), payload, reader, specs, shapes_of(latents)), latents)


def test_contexts_see_the_same_past_and_zeros_for_the_future_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    specs = specs_for(-9, 9)
    latents = random_latents(rng, specs, 1, 4, 6)
    tables = random_tables(rng, 5, 12)
    writer, reader = ContextEntropy(tables, 1), ContextEntropy(tables, 1)
    decode_block(ZstdCoder(), encode_block(ZstdCoder(), latents, writer, specs), reader, specs, shapes_of(latents))
    assert len(writer.seen) == len(reader.seen) == 3
    for written, read in zip(writer.seen, reader.seen, strict=True):
        assert_same(read, written)
    assert not writer.seen[0]["side"].any()
    np.testing.assert_array_equal(writer.seen[2]["main"][..., 0::2], latents["main"][..., 0::2])
    assert not writer.seen[2]["main"][..., 1::2].any()


@given(quad_limit=st.integers(0, 255), count=st.integers(1, 60), seed=SEEDS)
@PROPERTY
def test_the_sorted_layout_is_read_back_under_any_quad_limit(quad_limit: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, 9, 16)
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


@given(st.binary(max_size=300))
@PROPERTY
def test_compressed_bytes_come_back_and_declare_their_size(data: bytes) -> None:
    frame = compress(data)
    assert zstandard.frame_content_size(frame) == len(data)
    assert decompress(frame, len(data), exact=True) == data


@pytest.mark.parametrize("coder", [CoderId.STORED, CoderId.ZSTD])
def test_a_coder_is_found_by_what_a_file_calls_it(coder: CoderId) -> None:
    assert coder_by_id(coder).id is coder


def test_unlike_pieces_do_not_cost_more_than_one_frame_of_all_of_them() -> None:
    rng = np.random.default_rng(1)
    spec = (LatentSpec("y", 8, 1, -128, 127),)
    scale = np.array([0.2, 0.2, 1, 1, 20, 20, 40, 40])[None, :, None, None]
    latents = {"y": np.clip(np.rint(rng.normal(size=(1, 8, 40, 40)) * scale), -128, 127).astype(np.int32)}
    payload = encode_block(ZstdCoder(), latents, PlainEntropy(spec), spec)
    assert len(payload) < len(compress((latents["y"] + 128).astype(np.uint8).tobytes()))


# --- literal bytes ------------------------------------------------------------------------------------------------


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


# --- payloads that contradict their model -------------------------------------------------------------------------


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


def test_a_model_with_tables_has_no_stored_form() -> None:
    specs = specs_for(-9, 9)
    latents = random_latents(np.random.default_rng(0), specs, 1, 4, 4)
    entropy = ContextEntropy(PEAKED_AND_FLAT, 0)
    with pytest.raises(InvalidOption, match="stored"):
        encode_block(StoredCoder(), latents, entropy, specs)
    with pytest.raises(Corrupt):
        decode_block(StoredCoder(), b"\x00", entropy, specs, shapes_of(latents))


class FixedContexts(EntropyModel):
    """One stage of seven symbols under `SORTED_TABLES`."""

    tables = PEAKED_AND_FLAT

    def stages(self) -> Sequence[Stage]:
        return [Stage("y", WHOLE)]

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
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    block = text.split("```hex\n")[2].split("```")[0]
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


@given(st.data())
@PROPERTY
def test_any_payload_under_depending_contexts_gives_latents_in_range_or_corrupt(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(SEEDS))
    specs = specs_for(-40, 40)
    latents = random_latents(rng, specs, 1, 4, 5)
    entropy = ContextEntropy(random_tables(rng, 4, 16), 1)
    content = bytearray(zstandard.decompress(encode_block(ZstdCoder(), latents, entropy, specs)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_block(ZstdCoder(), compress(bytes(content)), entropy, specs, shapes_of(latents))
    except Corrupt:
        return
    assert max(np.abs(array).max() for array in decoded.values()) <= 40
