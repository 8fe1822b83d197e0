"""Images through the Python API: encoded, decoded, and refused for good reasons."""

from __future__ import annotations

import io
import math
import mmap
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec.coding import decoder
from nncodec.coding.encoder import Encoder
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, Header
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.pixels import from_images
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize, DecoderModel

pytestmark = pytest.mark.usefixtures("codecs_only")  # smooth little pictures would become exact files


def ramp(width: int, height: int, mode: str, turn: int = 0) -> Image.Image:
    """Return a smooth picture with a different ramp in each plane."""
    x, y = np.linspace(0, 180, width)[None, :], np.linspace(0, 60, height)[:, None]
    planes = [np.roll((x + y + 5 * band).astype(np.uint8), turn, 1) for band in range(len(mode))]
    return Image.fromarray(planes[0]) if mode == "L" else Image.merge(mode, [Image.fromarray(p) for p in planes])


def apart(one: Image.Image, other: Image.Image) -> int:
    assert (one.mode, one.size) == (other.mode, other.size)
    return int(np.abs(np.asarray(one).astype(np.int16) - np.asarray(other)).mean())


def rewritten(
    data: bytes, change: Callable[[Header], Header] = lambda header: header, chunks: dict[int, bytes] | None = None
) -> bytes:
    """Return a file with another header or other chunks and right checksums."""
    container = Container(data)
    return write(change(container.header), chunks or {}, [container.block(i) for i in range(container.block_count)])


# --- there and back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(("downscale", "frames_per_block"), [(1, 1), (1, 2), (2, 2), (3, 5)])
def test_frames_of_every_mode_come_back_in_their_size_with_exact_alpha(
    mode: str, downscale: int, frames_per_block: int
) -> None:
    pictures = [ramp(37, 21, mode, turn=3 * n) for n in range(3)]
    data = nncodec.encode(pictures, quality=95, downscale=downscale, frames_per_block=frames_per_block)
    decoded = list(nncodec.decode_frames(data))
    for number, (found, picture) in enumerate(zip(decoded, pictures, strict=True)):
        assert apart(found, picture) <= 8
        assert apart(nncodec.decode(data, frame=number), found) == 0
        if mode.endswith("A"):
            assert found.getchannel("A").tobytes() == picture.getchannel("A").tobytes()


@pytest.mark.parametrize(
    ("width", "height", "blocks"), [(1024, 5, (1, 1, 1)), (1025, 5, (1, 1, 2)), (3, 2049, (1, 3, 1))]
)
def test_pictures_around_the_edge_of_a_block(width: int, height: int, blocks: tuple[int, int, int]) -> None:
    picture = ramp(width, height, "RGBA")
    data = nncodec.encode(picture, quality=95)
    assert nncodec.inspect(data).blocks == blocks
    assert apart(nncodec.decode(data), picture) <= 2


def test_a_batch_is_what_one_after_another_would_be() -> None:
    pictures = [ramp(20, 12, "RGBA"), ramp(30, 9, "L"), ramp(20, 12, "RGBA", turn=7)]
    files = nncodec.encode_batch(pictures, quality=80)
    for data, found, picture in zip(files, nncodec.decode_batch(files), pictures, strict=True):
        assert apart(found, nncodec.decode(data)) == 0
        assert apart(found, picture) <= 5


def test_a_batch_has_an_image_for_every_file_whatever_the_decoder_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    files = nncodec.encode_batch([ramp(16, 16, "RGB"), ramp(24, 16, "RGB")])
    decode_together = decoder.decode_together

    def lose_wide(containers: Sequence[Container], *args: Any) -> Iterator[Image.Image | None]:
        lost = containers[0].header.width == 24
        return iter([None]) if lost else decode_together(containers, *args)

    monkeypatch.setattr(decoder, "decode_together", lose_wide)
    images = nncodec.decode_batch(files)
    assert [image is None for image in images] == [False, True]


def test_a_batch_from_which_the_decoder_drops_an_image_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "decode_together", lambda *_: iter([]))
    with pytest.raises(ValueError, match="shorter"):
        nncodec.decode_batch(nncodec.encode_batch([ramp(16, 16, "RGB")]))


class Silent(io.RawIOBase):
    """A stream whose `seek` returns nothing, as that of `mmap` before Python 3.13."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def seek(self, place: int, whence: int = 0) -> None:  # type: ignore[override]
        self._stream.seek(place, whence)

    def tell(self) -> int:
        return self._stream.tell()


@pytest.mark.parametrize(
    "call",
    [
        nncodec.decode,
        lambda s: next(nncodec.decode_frames(s)),
        nncodec.inspect,
        nncodec.check,
        lambda s: Image.open(s).load(),
    ],
)
def test_a_stream_whose_seek_returns_nothing_is_read(call: Callable[[Any], object]) -> None:
    nncodec_pillow.register_nnc_opener()
    data = nncodec.encode(ramp(16, 16, "RGB"))
    call(Silent(data))
    with mmap.mmap(-1, len(data)) as mapped:
        mapped.write(data)
        mapped.seek(0)
        call(mapped)


def test_such_a_stream_at_its_end_is_told() -> None:
    at_end = Silent(nncodec.encode(ramp(16, 16, "RGB")))
    at_end.seek(0, io.SEEK_END)
    with pytest.raises(nncodec.InvalidOption, match="stands at its end"):
        nncodec.decode(at_end)  # type: ignore[call-overload]


def test_the_size_of_a_picture_in_such_a_stream_is_known() -> None:
    png = io.BytesIO()
    Image.new("L", (1, 1)).save(png, "PNG")
    with pytest.warns(nncodec.NncWarning, match=f"larger than the input: {len(png.getvalue())} -> "):
        nncodec.encode(Silent(png.getvalue()), exif=bytes(200))  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", [range(5), range(4, -1, -1), range(0, 5, 3), range(3, 0, -2), range(0)])
def test_frames_come_in_the_order_asked_for(wanted: range) -> None:
    grey = [Image.new("L", (16, 16), 50 * n) for n in range(5)]
    data = nncodec.encode(grey, frames_per_block=2)
    found = [round(np.asarray(image).mean() / 50) for image in nncodec.decode_frames(data, frames=wanted)]
    assert found == list(wanted)


@pytest.mark.parametrize("wanted", [range(-1, 1), range(5, 6), range(4, 6)])
def test_frames_that_are_not_there_are_refused(wanted: range) -> None:
    data = nncodec.encode([Image.new("L", (16, 16))] * 5)
    with pytest.raises(nncodec.InvalidOption, match="frames 0 to 4"):
        nncodec.decode_frames(data, frames=wanted)


def test_a_stream_is_read_from_where_it_stands() -> None:
    data = nncodec.encode(ramp(16, 16, "RGB"))
    stream = io.BytesIO(b"before" + data)
    for call in (nncodec.decode, nncodec.inspect, nncodec.check):
        stream.seek(6)
        call(stream)
    stream.seek(6)
    assert nncodec.check(stream) == nncodec.inspect(data)


@pytest.mark.parametrize("call", [nncodec.decode, nncodec.inspect, nncodec.check])
def test_a_closed_stream_is_a_value_error_and_no_bad_bytes(call: Callable[[io.BytesIO], object]) -> None:
    stream = io.BytesIO(nncodec.encode(ramp(16, 16, "RGB")))
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        call(stream)


def encode_listed(source: object) -> bytes:
    return nncodec.encode([source])


def encode_in_batch(source: object) -> list[bytes]:
    return nncodec.encode_batch([source])


ENCODING = (nncodec.encode, encode_listed, encode_in_batch)


@pytest.mark.parametrize("call", [nncodec.decode, nncodec.inspect, nncodec.check, *ENCODING])
def test_a_stream_that_cannot_seek_is_read_whole(call: Callable[[io.BufferedReader | bytes], object]) -> None:
    data = io.BytesIO()
    if call in ENCODING:
        ramp(16, 16, "RGB").save(data, "PNG")
    else:
        data.write(nncodec.encode(ramp(16, 16, "RGB")))
    reading, writing = os.pipe()
    os.write(writing, data.getvalue())
    os.close(writing)
    with os.fdopen(reading, "rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore", nncodec.NncWarning)
        assert call(stream) == call(data.getvalue())


@pytest.mark.parametrize("call", [nncodec.decode, nncodec.inspect, nncodec.check])
def test_a_stream_at_its_end_is_told(call: Callable[[io.BytesIO], object]) -> None:
    stream = io.BytesIO()
    stream.write(nncodec.encode(ramp(16, 16, "RGB")))
    with pytest.raises(nncodec.InvalidOption, match=r"seek\(0\)"):
        call(stream)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 101},
        {"quality": 50.0},
        {"effort": True},
        {"coder": []},
        {"coder": "stored"},
        {"preview": 8},
        {"downscale": 0},
        {"frames_per_block": 0},
        {"exif": "text"},
        {"unheard_of": 1},
    ],
)
def test_a_bad_option_is_named(options: dict[str, object]) -> None:
    with pytest.raises(nncodec.InvalidOption, match=next(iter(options))):
        nncodec.encode(ramp(16, 16, "RGB"), **options)  # type: ignore[arg-type]


# --- what is written can be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (600, 1), (1, 513), (17, 17), (2047, 3)])
@pytest.mark.parametrize("frames_per_block", [None, "most"])
def test_no_block_is_larger_with_its_padding_than_a_decoder_takes(
    size: tuple[int, int], frames_per_block: str | None
) -> None:
    frames = from_images([Image.new("L", size)])
    frames = replace(frames, images=frames.images * (1 << 20))
    plan = Encoder("photo", 50, {})
    if frames_per_block:
        with pytest.raises(nncodec.InvalidOption, match="frames_per_block") as caught:
            Encoder("photo", 50, {"frames_per_block": 1 << 40})._header(frames, frames)
        plan = Encoder("photo", 50, {"frames_per_block": int(caught.value.reason.split()[-1])})
    per_block = plan._header(frames, frames).frames_per_block
    taken = plan.model.traits.size
    assert isinstance(taken, AnySize)
    padded = math.prod(-(-edge // taken.multiple) * taken.multiple for edge in size)
    assert per_block * padded <= DEFAULT_LIMITS.block_pixels // 2


# --- hostile files with right checksums ---------------------------------------------------------------------------


def test_a_display_edge_that_resampling_cannot_afford_is_refused() -> None:
    data = nncodec.encode(ramp(16, 16, "RGB"))
    longer = DEFAULT_LIMITS.resampled_edge + 1
    with pytest.raises(nncodec.LimitExceeded, match="resampled edge"):
        nncodec.decode(rewritten(data, lambda header: replace(header, display_size=(longer, 1))))
    with pytest.raises(nncodec.InvalidOption, match="downscale"):
        nncodec.encode(Image.new("L", (longer, 1)), downscale=2)


@pytest.mark.parametrize(
    "settings",
    [b"\xff{", b"[]", b"1", b'{"a":' + 900 * b"[" + 900 * b"]" + b"}", b'{"a":NaN,"b":1e999}', (1 << 16) * b"["],
)
def test_settings_that_nobody_could_show_are_left_out(settings: bytes) -> None:
    data = rewritten(nncodec.encode(ramp(16, 16, "RGB")), chunks={ChunkType.SETTINGS: settings})
    assert nncodec.inspect(data).settings == {}
    nncodec.decode(data)


def test_a_model_name_is_cut_and_escaped_in_messages() -> None:
    data = nncodec.encode(ramp(16, 16, "RGB"))
    name = {ChunkType.MODEL_NAME: b"\x1b[31m\n\xff" + 100_000 * b"a"}
    foreign = rewritten(data, lambda header: replace(header, model_id=b"none"), name)
    with pytest.raises(nncodec.UnknownModel) as caught:
        nncodec.decode(foreign)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    assert len(nncodec.inspect(foreign).model or "") <= 100


# --- plugins that break their promises ----------------------------------------------------------------------------


@pytest.fixture
def opened() -> Iterator[pytest.MonkeyPatch]:
    """Patches of the opened photo model, undone afterwards."""
    with pytest.MonkeyPatch.context() as patches:
        yield patches


NAMED = r"the plugin 'hyperprior' \(nncodec-image \S+\) failed with the model 'hyperprior/photo': "


def failing(*_: object) -> object:
    raise ZeroDivisionError("one\ntwo")


def test_the_error_names_a_plugin_as_the_list_of_plugins_does() -> None:
    listed = next(plugin for plugin in registry.catalog().plugins if plugin.name == "hyperprior")
    guard = registry.catalog().guard_of(registry.catalog().find("photo"))
    assert (guard.plugin, guard.distribution, guard.model) == (listed.name, listed.distribution, "hyperprior/photo")


def test_an_entropy_model_that_fails_is_the_plugins_fault(opened: pytest.MonkeyPatch) -> None:
    picture = ramp(16, 16, "RGB")
    data = nncodec.encode(picture, coder="zstd")
    model = registry.open_model("photo")
    broken = model.entropy(50)
    broken.begin_block = failing  # type: ignore[method-assign]
    opened.setattr(model, "entropy", lambda _: broken)
    for call in (lambda: nncodec.encode(picture, coder="zstd"), lambda: nncodec.decode(data)):
        with pytest.raises(nncodec.PluginError, match=f"{NAMED}ZeroDivisionError: one;"):
            call()


def test_an_entropy_model_that_cannot_be_had_is_the_plugins_fault(opened: pytest.MonkeyPatch) -> None:
    picture = ramp(16, 16, "RGB")
    data = nncodec.encode(picture)
    opened.setattr(registry.open_model("photo"), "entropy", failing)
    for call in (lambda: nncodec.encode(picture), lambda: nncodec.decode(data)):
        with pytest.raises(nncodec.PluginError, match=f"{NAMED}ZeroDivisionError: one;"):
            call()


@pytest.mark.parametrize("pixels", [None, np.zeros((1, 16, 16, 1), np.uint8), np.zeros((1, 16, 16, 3))])
def test_a_synthesis_that_returns_something_else_is_the_plugins_fault(
    opened: pytest.MonkeyPatch, pixels: object
) -> None:
    data = nncodec.encode(ramp(16, 16, "RGB"))
    model = registry.open_model("photo")
    wrong = f"{NAMED}its synthesis returned"
    opened.setattr(model, "synthesis_within", lambda *_: pixels)
    with pytest.raises(nncodec.PluginError, match=wrong):
        nncodec.decode(data)
    opened.setattr(model, "synthesis", lambda *_: pixels)
    opened.setattr(model, "synthesis_within", partial(DecoderModel.synthesis_within, model))
    with pytest.raises(nncodec.PluginError, match=wrong):
        nncodec.decode(data)


# --- what newcomers get wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [1.5, [ramp(8, 8, "RGB"), None]])
def test_what_is_not_an_image_is_named(image: object) -> None:
    with pytest.raises(nncodec.UnsupportedImage, match="expected a Pillow image, the path or the bytes of a picture"):
        nncodec.encode(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read(kind: Callable[[Path], str | Path], tmp_path: Path) -> None:
    path = tmp_path / "cat.nnc"
    data = nncodec.encode(ramp(16, 16, "RGB"))
    path.write_bytes(data)
    name = kind(path)
    assert nncodec.decode(name) == nncodec.decode(data)
    assert next(iter(nncodec.decode_frames(name))) == nncodec.decode_batch([name])[0] == nncodec.decode(data)
    assert nncodec.inspect(name) == nncodec.check(name) == nncodec.inspect(data)


def test_a_path_that_is_not_there_and_a_file_open_as_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        nncodec.decode(tmp_path / "cat.nnc")
    (tmp_path / "cat.nnc").write_bytes(nncodec.encode(ramp(16, 16, "RGB")))
    with (tmp_path / "cat.nnc").open() as stream, pytest.raises(nncodec.InvalidOption, match="mode 'rb'"):
        nncodec.decode(stream)  # type: ignore[arg-type]
    with pytest.raises(nncodec.InvalidOption, match="expected a path, bytes or a binary stream, got float"):
        nncodec.decode(1.0)  # type: ignore[arg-type]


def test_more_pixels_than_readers_take_are_refused_before_they_are_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    large = Image.new("L", (1, 1))
    monkeypatch.setattr(Image.Image, "size", (20_000, 20_000))
    monkeypatch.setattr(Image.Image, "width", 20_000)
    monkeypatch.setattr(Image.Image, "height", 20_000)
    with pytest.raises(nncodec.UnsupportedImage, match="400,000,000 pixels"):
        from_images([large])


@pytest.mark.parametrize(
    ("model", "size", "quality"), [("conv/photo", (16, 16), None), ("dense/fashion", (28, 28), 50)]
)
def test_a_quality_that_does_not_suit_the_model_is_damage(
    model: str, size: tuple[int, int], quality: int | None
) -> None:
    data = nncodec.encode(Image.new("L", size), model)
    with pytest.raises(nncodec.Corrupt, match="qualities"):
        nncodec.decode(rewritten(data, lambda header: replace(header, quality=quality)))
