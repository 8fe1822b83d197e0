"""Exact pictures come back to the bit, of any mode, bits, planes and size; nearly exact ones within their error."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import nncodec
from nncodec.coding import exact_encoder
from nncodec.errors import Corrupt, InvalidOption, LimitExceeded, ModelError, PluginError, UnsupportedImage
from nncodec.format.container import Container
from nncodec.limits import Limits
from nncodec.plugin import registry

MODES = ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16")


@pytest.fixture(scope="module", autouse=True)
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        toys.install_zipped(monkeypatch, tmp_path_factory.mktemp("models"))
        yield
    registry.refresh()


def noise(*shape: int, top: int = 256, kind: Any = np.uint8) -> NDArray[Any]:
    return np.random.default_rng(7).integers(0, top, shape).astype(kind)


def picture(mode: str, width: int = 23, height: int = 17) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(noise(height, width, top=5000, kind=np.uint16))
    rgba = Image.fromarray(noise(height, width, 4))
    if mode == "P":
        palette = rgba.convert("RGB").quantize(13)
        palette.info["transparency"] = bytes((0, 77, 255, 3))
        return palette
    return rgba.convert("RGB").convert(mode) if mode in ("1", "CMYK") else rgba.convert(mode)


def assert_same(found: Image.Image, original: Image.Image) -> None:
    assert (found.mode, found.size) == (original.mode, original.size)
    assert found.tobytes() == original.tobytes()
    assert found.getpalette("RGBA") == original.getpalette("RGBA")
    assert found.info.get("transparency") == original.info.get("transparency")


# --- modes and arrays ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_comes_back_as_it_was(mode: str) -> None:
    original = picture(mode)
    data = nncodec.encode(original, lossless=True)
    assert_same(nncodec.decode(data), original)
    box = (3, 2, 20, 11)
    assert_same(nncodec.decode(data, box=box), original.crop(box))
    info = nncodec.inspect(data)
    bits = {"1": 1, "P": 4, "I;16": 13}.get(mode, 8)
    assert (info.mode, info.lossless, info.max_error, info.quality) == (mode, True, 0, None)
    assert (info.bits, info.planes, info.coder, info.model) == (
        bits,
        len(original.getbands()),
        "lossless",
        "zipped/any",
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_arrays_of_any_bits_planes_and_size_come_back(data: st.DataObject) -> None:
    bits = data.draw(st.integers(1, 16))
    planes = data.draw(st.sampled_from([[], [1], [3], [4], [32]]))
    shape = [data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)), *planes]
    kind = data.draw(st.sampled_from([np.uint8, np.uint16] if bits <= 8 else [np.uint16]))
    array = noise(*shape, top=1 << bits, kind=kind)
    found = nncodec.decode(nncodec.encode(array, lossless=True), as_array=True)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array[..., 0] if shape[2:] == [1] else array)
    max_error = data.draw(st.integers(0, (1 << bits) - 1))
    near = nncodec.decode(nncodec.encode(array, max_error=max_error), as_array=True).reshape(array.shape)
    errors = np.abs(near.astype(int) - array)
    if array.ndim == 3 and array.shape[2] in (2, 4) and kind == np.uint8:
        assert not errors[..., -1].any()
    assert errors.max() <= max_error


def test_black_and_white_arrays_are_bool() -> None:
    array = noise(5, 6, top=2, kind=bool)
    found = nncodec.decode(nncodec.encode(array, lossless=True), as_array=True)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, array)


def test_tensors_of_many_planes_come_back() -> None:
    torch = pytest.importorskip("torch")
    array = noise(6, 5, 7)
    data = nncodec.encode(torch.from_numpy(array).permute(2, 0, 1), lossless=True)
    np.testing.assert_array_equal(nncodec.decode(data, as_array=True), array)


def test_planes_without_a_mode_are_decoded_to_arrays_only() -> None:
    array = noise(4, 5, 6, top=1 << 12, kind=np.uint16)
    data = nncodec.encode([array, array[::-1]], lossless=True, frames_per_block=1)
    np.testing.assert_array_equal(nncodec.decode(data, frame=1, as_array=True, box=(1, 0, 4, 3)), array[::-1][:3, 1:4])
    assert (nncodec.inspect(data).mode, nncodec.inspect(data).bits) == ("planes", 12)
    with pytest.raises(UnsupportedImage, match=r"no Pillow mode holds its 6 planes of 12 bits; use .*as_array=True"):
        nncodec.decode(data)
    with pytest.raises(UnsupportedImage, match="as_array"):
        nncodec.decode_batch([data])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((2, 2), np.float32), "float32"),
        (np.zeros((2, 2, 33), np.uint8), "at most 32 planes"),
        (np.zeros((2, 0, 5), np.uint8), "empty"),
        (np.zeros((2, 2, 2, 2), np.uint16), r"pass list\(array\)"),
        (Image.new("La", (2, 2)), "cannot write mode La as NNC without loss; convert to LA, it has transparency$"),
        (Image.new("PA", (2, 2)), "cannot write mode PA as NNC without loss; convert to RGBA, it has transparency$"),
        (
            Image.new("RGBa", (2, 2)),
            "cannot write mode RGBa as NNC without loss; convert to RGBA, it has transparency$",
        ),
        (Image.new("HSV", (2, 2)), "cannot write mode HSV as NNC without loss; convert to one of 1, L, LA"),
        (Image.new("F", (2, 2)), "cannot write mode F as NNC without loss; scale its samples to 0..255 first"),
        ([np.zeros((2, 2, 5), np.uint8), np.zeros((2, 2, 5), np.uint16)], "frame 1 is uint16 of 5 planes"),
        ([Image.new("L", (2, 2), level).quantize(2) for level in (9, 99)], "different palettes"),
        ([], "no picture"),
    ],
)
def test_what_cannot_be_stored_is_refused(source: Any, reason: str) -> None:
    with pytest.raises(UnsupportedImage, match=reason):
        nncodec.encode(source, lossless=True)


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("P", "png"), ("I;16", "png"), ("CMYK", "tiff"), ("RGBA", "png")]
)
def test_a_picture_file_keeps_its_mode(tmp_path: Path, mode: str, suffix: str) -> None:
    original = picture(mode)
    transparency = {} if mode != "P" else {"transparency": original.info["transparency"]}
    original.save(tmp_path / f"a.{suffix}", **transparency)
    assert_same(nncodec.decode(nncodec.encode(tmp_path / f"a.{suffix}", lossless=True)), original)


@pytest.mark.filterwarnings("ignore:the result is larger than the input")
def test_frames_with_palettes_of_their_own_become_colours(tmp_path: Path) -> None:
    frames = [picture("RGB"), picture("RGB").transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    frames[0].quantize(8).save(tmp_path / "a.gif", save_all=True, append_images=[frames[1].quantize(8)], duration=40)
    with pytest.warns(nncodec.NncWarning, match="all 2 frames"):
        data = nncodec.encode(tmp_path / "a.gif", lossless=True)
    with Image.open(tmp_path / "a.gif") as gif:
        for number, found in enumerate(nncodec.decode_frames(data)):
            gif.seek(number)
            assert found.tobytes() == gif.convert(found.mode).tobytes()
            assert found.info["duration"] == 40


def test_metadata_preview_and_hidden_colours_are_kept() -> None:
    original = Image.fromarray(noise(20, 30, 4) * np.array([1, 1, 1, 0], np.uint8))
    data = nncodec.encode(original, lossless=True, xmp=b"meta", dpi=72, preview=16, record_settings=True, effort=9)
    found = nncodec.decode(data)
    assert found.tobytes() == original.tobytes()
    assert (found.info["xmp"], found.info["dpi"]) == (b"meta", (72, 72))
    info = nncodec.inspect(data)
    assert info.chunks["preview"]
    assert (info.settings["effort"], info.settings["coder"]) == (6, "lossless")
    deep = nncodec.encode(picture("I;16"), lossless=True, preview=True)
    assert nncodec.inspect(deep).chunks["preview"]


def test_a_cmyk_profile_stays() -> None:
    profile = bytes(16) + b"CMYK" + bytes(16) + b"acsp"
    data = nncodec.encode(picture("CMYK"), lossless=True, icc_profile=profile)
    assert nncodec.decode(data).info["icc_profile"] == profile


def test_a_file_is_smaller_than_its_samples_and_a_few_bytes() -> None:
    for shape in ((1, 1), (6, 6, 3), (40, 30, 4), (33, 7, 11)):
        array = noise(*shape)
        assert len(nncodec.encode(array, lossless=True)) <= array.size + 64


# --- blocks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("source", [noise(70, 90, 3), noise(70, 90, 9, top=900, kind=np.uint16)], ids=["rgb", "planes"])
def test_blocks_of_several_threads_are_in_order(monkeypatch: pytest.MonkeyPatch, threads: str, source: Any) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(exact_encoder, "BLOCK_EDGE_LOG2", 5)
    told: list[tuple[int, int]] = []
    data = nncodec.encode([source, source[::-1]], lossless=True, on_progress=lambda *step: told.append(step))
    blocks = np.prod(nncodec.inspect(data).blocks)
    assert nncodec.inspect(data).blocks[1:] == (3, 3)
    assert told == [(done, blocks) for done in range(blocks + 1)]
    for frame, original in enumerate((source, source[::-1])):
        told.clear()
        found = nncodec.decode(data, frame=frame, as_array=True, on_progress=lambda *step: told.append(step))
        np.testing.assert_array_equal(found, original)
        assert (told[0][0], told[-1]) == (0, (9, 9))
        box = (31, 5, 65, 33)
        np.testing.assert_array_equal(nncodec.decode(data, frame=frame, as_array=True, box=box), original[5:33, 31:65])


def test_blocks_with_many_planes_are_smaller() -> None:
    header = Container(nncodec.encode(np.zeros((1100, 600, 32), np.uint16), lossless=True)).header
    assert header.block_edge_log2 == 9


def test_frames_of_a_stack_are_decoded_in_any_order() -> None:
    frames = [picture("P").transpose(turn) for turn in (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)]
    frames = [picture("P"), *frames]
    for frame in frames[1:]:
        frame.info["transparency"] = frames[0].info["transparency"]
    data = nncodec.encode(frames, lossless=True, frames_per_block=2)
    for number in (2, 0, 1):
        assert_same(nncodec.decode(data, frame=number), frames[number])


# --- models and options -------------------------------------------------------------------------------------------


def test_a_lossless_model_implies_lossless() -> None:
    assert nncodec.inspect(nncodec.encode(picture("P"), "lossless")).lossless
    assert nncodec.inspect(nncodec.encode_batch([picture("L")], "zipped/any")[0]).lossless
    with pytest.raises(ModelError, match="zipped/any is a lossless model, not a codec"):
        registry.open_model("zipped/any")
    with pytest.raises(
        ModelError, match="means/l is a codec, not a lossless model; choose a lossless model such as lossless"
    ):
        nncodec.encode(picture("L"), "means/l", lossless=True)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"lossless": 1.5}, "lossless"),
        ({"lossless": "yes"}, "lossless"),
        ({"max_error": -1}, "max_error"),
        ({"max_error": True}, "max_error"),
        ({"max_error": 1 << 16}, "max_error"),
        ({"max_error": 256}, "max_error"),
        ({"lossless": False, "max_error": 1}, "lossless"),
        ({"lossless": False, "model": "lossless"}, "lossless"),
        ({"lossless": True, "max_error": 3}, "max_error"),
        ({"lossless": True, "max_error": np.int64(1), "model": "lossless"}, "max_error"),
        ({"lossless": True, "quality": 50}, "quality"),
        ({"lossless": True, "target_size": 50}, "target_size"),
        ({"lossless": True, "coder": "zstd"}, "coder"),
        ({"lossless": True, "downscale": 2}, "downscale"),
        ({"lossless": True, "frames_per_block": 0}, "frames_per_block"),
        ({"lossless": True, "effort": 10}, "effort"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, Any], option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        nncodec.encode(picture("L"), **options)
    assert caught.value.option == option


def test_no_error_may_be_named_where_none_is_wanted() -> None:
    lossless = nncodec.encode(picture("L"), lossless=True)
    assert nncodec.encode(picture("L"), lossless=True, max_error=0) == lossless
    assert nncodec.encode(picture("L"), lossless=True, max_error=None) == lossless
    assert nncodec.inspect(nncodec.encode(picture("L"), lossless="auto", max_error=1)).max_error == 1
    with pytest.raises(InvalidOption, match="'lossless' is True") as caught:
        nncodec.encode_batch([picture("L")], lossless=True, max_error=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "most"),
    [(picture("RGBA"), 255), (np.zeros((2, 3, 5), np.uint8), 255), (np.zeros((2, 3), np.uint16), 65535)],
)
def test_an_error_is_within_the_range_of_the_samples(source: Any, most: int) -> None:
    near = nncodec.decode(nncodec.encode(source, max_error=most), as_array=True)
    assert near.shape == np.shape(source)
    with pytest.raises(InvalidOption, match="255 at most" if most == 255 else "0 to 65535"):
        nncodec.encode(source, max_error=most + 1)


@pytest.mark.filterwarnings("ignore:the result is larger than the input")
@pytest.mark.parametrize("mode", ["1", "P"])
def test_numbers_of_colours_cannot_change_a_little(mode: str) -> None:
    with pytest.raises(InvalidOption, match=r"max_error.*convert to RGB or L"):
        nncodec.encode(picture(mode), max_error=1)
    buffer = io.BytesIO()
    picture(mode).save(buffer, "PNG")
    with pytest.warns(nncodec.NncWarning, match=f"mode {mode}"):
        assert nncodec.inspect(nncodec.encode(buffer, max_error=1)).mode in ("L", "RGB", "RGBA")


def test_keep_stays_exact() -> None:
    first = nncodec.decode(nncodec.encode(picture("P"), lossless=True))
    assert_same(nncodec.decode(nncodec.encode(first, quality="keep")), picture("P"))


def test_a_model_that_takes_less_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        toys.install_zipped(patch, tmp_path, {"bits": 8, "planes": 3})
        with pytest.raises(
            UnsupportedImage, match="zipped/any takes up to 3 planes of 8 bits, this picture has 4 of 8"
        ):
            nncodec.encode(picture("RGBA"), lossless=True)
    registry.refresh()


# --- damage -------------------------------------------------------------------------------------------------------


def test_a_damaged_payload_is_corrupt_and_a_broken_plugin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = nncodec.encode(picture("L"), lossless=True)

    def answer(result: Any) -> None:
        def decode(*_: object) -> Any:
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setattr(toys.Zipped, "decode", decode)

    answer(ValueError("it ends\ntoo early"))
    with pytest.raises(Corrupt, match=r"\(a block: it ends\)"):
        nncodec.decode(data)
    for wrong in (
        KeyError("x"),
        SystemExit(3),
        np.zeros((1, 17, 23, 1), np.uint8),
        np.zeros((1, 17, 22, 1), np.uint16),
        None,
    ):
        answer(wrong)
        with pytest.raises(PluginError, match="'zipped'"):
            nncodec.decode(data)
    answer(np.full((1, 17, 23, 1), 256, np.uint16))
    with pytest.raises(PluginError, match="up to 256"):
        nncodec.decode(data)
    for payload, reason in ((None, "as NoneType instead of bytes"), (b"", "as no bytes; a block takes at least one")):
        monkeypatch.setattr(toys.Zipped, "encode", lambda *_, payload=payload: payload)
        with pytest.raises(PluginError, match=reason):
            nncodec.encode(picture("L"), lossless=True)


def test_a_block_within_the_limits_of_a_call() -> None:
    data = nncodec.encode(noise(40, 40, 12), lossless=True)
    with pytest.raises(LimitExceeded, match="block pixels"):
        nncodec.decode(data, as_array=True, limits=Limits(block_pixels=4799))


@pytest.mark.parametrize("options", [{"max_error": 2}, {"lossless": True}], ids=str)
def test_what_is_not_kept_is_told_once(options: dict[str, Any]) -> None:
    file = io.BytesIO()
    Image.fromarray(noise(17, 23, top=1 << 16, kind=np.uint16)).save(file, "PNG", transparency=5)
    with pytest.warns(nncodec.NncWarning) as caught:
        nncodec.encode(Image.open(file), **options)
    assert [str(one.message) for one in caught] == ["a transparent colour of mode I;16 is not kept"]
