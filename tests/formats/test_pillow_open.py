"""Opening a file: what the header gives, and which errors come from it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageFile, UnidentifiedImageError

import nncodec_pillow
from nncodec import (
    Corrupt,
    FormatError,
    InvalidOption,
    LimitExceeded,
    Limits,
    ModelError,
    Truncated,
    UnsupportedVersion,
)
from nncodec.format.header import ChunkType, ColourMode
from nncodec.plugin import registry
from nncodec_pillow.opening import accept

Forge = Callable[..., io.BytesIO]


def test_pillow_knows_the_format() -> None:
    assert Image.registered_extensions()[".nnc"] == "NNC"
    assert Image.MIME["NNC"] == "image/x-nnc"
    assert "NNC" in Image.OPEN
    assert "NNC" in Image.SAVE
    assert "NNC" in Image.SAVE_ALL


def test_registering_again_changes_nothing() -> None:
    before = list(Image.ID), dict(Image.OPEN)
    nncodec_pillow.register_nnc_opener()
    assert (list(Image.ID), dict(Image.OPEN)) == before
    assert Image.ID.count("NNC") == 1


@pytest.mark.parametrize("prefix", [b"", b"\x8eNN", b"\x8eNNc", b"\x8fNNC", b" \x8eNNC"])
def test_only_the_magic_is_accepted(prefix: bytes) -> None:
    assert accept(b"\x8eNNC")
    assert not accept(prefix)


@pytest.mark.parametrize(
    ("mode", "chunks", "expected"),
    [
        (ColourMode.L, {}, "L"),
        (ColourMode.L, {ChunkType.ALPHA: b"a"}, "LA"),
        (ColourMode.RGB, {}, "RGB"),
        (ColourMode.RGB, {ChunkType.ALPHA: b"a"}, "RGBA"),
    ],
)
def test_the_header_gives_size_mode_and_info(
    forged: Forge, mode: ColourMode, chunks: dict[int, bytes], expected: str
) -> None:
    texts = {ChunkType.EXIF: b"MM", ChunkType.ICC: b"icc", ChunkType.XMP: b"<x/>", ChunkType.MODEL_NAME: b"a/b"}
    with Image.open(forged(chunks | texts, mode=mode, quality=7, width=30, display_size=(60, 56))) as image:
        assert (image.format, image.size, image.mode) == ("NNC", (60, 56), expected)
        assert image.get_format_mimetype() == "image/x-nnc"
        assert image.info == {
            "exif": b"Exif\0\0MM",
            "icc_profile": b"icc",
            "xmp": b"<x/>",
            "model": "a/b",
            "quality": 7,
        }
        assert (image.n_frames, image.is_animated, image.tell()) == (1, False, 0)


def test_info_names_the_model_by_its_id_where_the_file_has_no_name(forged: Forge) -> None:
    with Image.open(forged()) as image:
        assert image.info == {"model": b"none".hex()}


def test_opening_looks_up_no_model_unless_the_file_leaves_out_its_name(
    forged: Forge, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(io.BytesIO(small)) as image:
        assert image.info["model"] == "dense/fashion"
    monkeypatch.setattr(registry, "catalog", lambda: pytest.fail("looked up"))
    with Image.open(forged({ChunkType.MODEL_NAME: b"a/name"})) as image:
        assert (image.size, image.info["model"]) == ((28, 28), "a/name")


def test_opening_verifying_and_a_thumbnail_from_the_preview_load_no_torch(photo: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    photo.save(path, preview=32)
    script = f"""
import sys, nncodec_pillow
from PIL import Image
with Image.open({str(path)!r}) as image:
    print(image.size, image.mode, image.info["quality"])
    image.verify()
with Image.open({str(path)!r}) as image:
    image.thumbnail((16, 16))
    print(image.size, image.getpixel((0, 0)) is not None)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["(48, 32) RGB 50", "(16, 11) True"]


def test_formats_can_be_restricted(small: bytes) -> None:
    with Image.open(io.BytesIO(small), formats=["NNC"]) as image:
        assert image.format == "NNC"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(small), formats=["PNG"])


def test_another_magic_is_left_to_other_formats(small: bytes) -> None:
    with pytest.raises(SyntaxError, match="8E 4E 4E 43"):
        nncodec_pillow.NncImageFile(io.BytesIO(b"\x8eNNX" + small[4:]))
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"\x8eNNX" + small[4:]))


def test_a_stream_that_cannot_seek_is_read(small: bytes) -> None:
    class Pipe(io.RawIOBase):
        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def read(self, size: int = -1) -> bytes:
            assert size == -1
            return small

    with Image.open(Pipe()) as image:
        image.load()
        assert image.size == (28, 28)


def test_a_stream_is_read_from_its_beginning_wherever_it_stands(small: bytes) -> None:
    stream = io.BytesIO(small)
    stream.seek(9)
    with Image.open(stream) as image:
        stream.seek(3)
        image.load()
        assert image.size == (28, 28)


def test_the_incremental_parser_waits_for_the_whole_file(small: bytes) -> None:
    parser = ImageFile.Parser()
    for start in range(0, len(small), 7):
        parser.feed(small[start : start + 7])
    with Image.open(io.BytesIO(small)) as expected:
        assert parser.close().tobytes() == expected.tobytes()


def _flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


@pytest.mark.parametrize(
    ("damage", "error", "sentence"),
    [
        (lambda data: data[:4], Truncated, "ends inside its header"),
        (lambda data: data[:14], Truncated, "ends inside its header"),
        (lambda data: _flip(data, 9), Corrupt, "header does not match its checksum"),
        (lambda data: data[:4] + b"\x02" + data[5:], UnsupportedVersion, "version 2"),
    ],
)
def test_a_bad_header_says_what_is_wrong(
    small: bytes, tmp_path: Path, damage: Callable[[bytes], bytes], error: type[FormatError], sentence: str
) -> None:
    path = tmp_path / "x.nnc"
    path.write_bytes(damage(small))
    with pytest.raises(error, match=sentence) as caught:
        Image.open(path)
    assert isinstance(caught.value, OSError)


def test_damaged_metadata_is_an_error_on_opening(forged: Forge) -> None:
    data = forged({ChunkType.EXIF: b"MM\0*there"}).getvalue()
    place = data.index(b"there")
    with pytest.raises(Corrupt, match="checksum"):
        Image.open(io.BytesIO(_flip(data, place)))


@pytest.mark.parametrize("bomb", ["as coded", "as returned"])
def test_a_decompression_bomb_is_refused_on_opening(forged: Forge, monkeypatch: pytest.MonkeyPatch, bomb: str) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    def file(edge: int) -> io.BytesIO:
        coded, returned = ((edge, edge), (9, 9)) if bomb == "as coded" else ((9, 9), (edge, edge))
        return forged(width=coded[0], height=coded[1], display_size=returned)

    with pytest.raises(Image.DecompressionBombError):
        Image.open(file(50))
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(file(40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(file(50)) as image:
        assert image.format == "NNC"


def test_a_long_stack_of_small_pictures_opens(forged: Forge) -> None:
    with Image.open(forged(frames=1 << 19, frames_per_block=1 << 13)) as image:
        assert image.n_frames == 1 << 19


def test_limits_can_be_set(forged: Forge) -> None:
    nncodec_pillow.register_nnc_opener(limits=Limits(frames=10))
    with pytest.raises(LimitExceeded, match="11 frames, over the limit of 10"):
        Image.open(forged(frames=11))
    nncodec_pillow.register_nnc_opener(limits=None)
    with Image.open(forged(frames=11)) as image:
        assert image.n_frames == 11


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"qualty": 3}, "'qualty': there is no such"),
        ({"limits": 9}, "expected nncodec.Limits"),
        ({"quality": 3, "target_bpp": 1}, "'target_bpp': it and 'quality' are both given"),
        ({"quality": 200}, "200 is not a whole number from 0 to 100"),
        ({"target_size": 0}, "0 is not a whole number above 0"),
        ({"target_psnr": float("nan")}, "nan is not a number above 0"),
        ({"effort": 10}, "10 is not a whole number from 0 to 9"),
        ({"coder": "zip"}, "'zip' is not one of"),
        ({"preview": 3}, "3 is not a whole number from 16"),
        ({"device": "abacus"}, "abacus"),
        ({"model": 3}, "expected a name, got int"),
        ({"model": "nope"}, "'nope'"),
        ({"model": "x4"}, "is an enhancer, not a codec"),
        ({"model": "lossless", "quality": 3}, "an exact picture has none"),
        ({"enhancer": "nope"}, "no installed enhancer is 'nope'"),
    ],
)
def test_wrong_options_of_the_opener_are_refused_and_change_nothing(options: dict, sentence: str) -> None:
    with pytest.raises((InvalidOption, ModelError), match=sentence):
        nncodec_pillow.register_nnc_opener(**{"model": "dense/fashion"} | options)
    assert nncodec_pillow.options.with_defaults({}) == {}
