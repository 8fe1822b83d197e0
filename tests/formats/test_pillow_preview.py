"""Drafts and thumbnails from the preview."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from nncodec import Corrupt
from nncodec_pillow import frames


def _file(image: Image.Image, **options: object) -> io.BytesIO:
    out = io.BytesIO()
    image.save(out, "NNC", **options)
    return out


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "decode_frames", lambda *_: pytest.fail("decoded"))


@pytest.fixture
def previewed(photo: Image.Image) -> bytes:
    """A file of 48 x 32 with a preview of 24 x 16."""
    return _file(photo, preview=24).getvalue()


@pytest.mark.usefixtures("no_decoding")
def test_a_draft_is_the_preview_where_it_is_large_enough(previewed: bytes, photo: Image.Image) -> None:
    with Image.open(io.BytesIO(previewed)) as image:
        assert image.draft(None, (24, 16)) == ("RGB", (0, 0, 24, 16))
        assert image.size == (24, 16)
        assert image.draft(None, (12, 8)) is None
        image.load()
        assert image.getpixel((12, 8)) == pytest.approx(photo.resize((24, 16)).getpixel((12, 8)), abs=40)


@pytest.mark.parametrize("size", [(25, 16), (24, 17), (48, 32), None])
def test_a_larger_draft_is_the_picture(previewed: bytes, size: tuple[int, int] | None) -> None:
    with Image.open(io.BytesIO(previewed)) as image:
        assert image.draft(None, size) is None
        image.load()
        assert image.size == (48, 32)
        assert image.draft(None, (4, 4)) is None


def test_a_file_without_preview_has_no_draft(small: bytes) -> None:
    with Image.open(io.BytesIO(small)) as image:
        assert image.draft("L", (4, 4)) is None


@pytest.mark.usefixtures("no_decoding")
def test_a_thumbnail_comes_from_the_preview(previewed: bytes) -> None:
    with Image.open(io.BytesIO(previewed)) as image:
        image.thumbnail((12, 12))
        image.load()
        assert (image.mode, image.size) == ("RGB", (12, 8))
    with Image.open(io.BytesIO(previewed)) as image:
        image.thumbnail((24, 24), reducing_gap=1.0)
        image.load()
        assert image.size == (24, 16)


def test_a_thumbnail_too_large_for_the_preview_comes_from_the_picture(previewed: bytes) -> None:
    with Image.open(io.BytesIO(previewed)) as image, Image.open(io.BytesIO(previewed)) as decoded:
        decoded.load()
        for one in (image, decoded):
            one.thumbnail((20, 20))
        assert image.tobytes() == decoded.tobytes()


@pytest.mark.usefixtures("no_decoding")
def test_the_thumbnail_of_a_grey_picture_is_grey(greys: list[Image.Image]) -> None:
    with Image.open(_file(greys[0], model="dense/fashion", preview=16)) as image:
        image.thumbnail((8, 8))
        image.load()
        assert (image.mode, image.size) == ("L", (8, 8))


def test_transparency_is_never_lost_to_a_preview(greys: list[Image.Image]) -> None:
    clear = Image.merge("LA", (greys[0], Image.new("L", (28, 28), 0)))
    with Image.open(_file(clear, model="dense/fashion", preview=16)) as image:
        image.thumbnail((8, 8))
        assert image.mode == "LA"
        assert image.getextrema()[1] == (0, 0)


def test_the_preview_stands_for_the_first_frame_only(greys: list[Image.Image]) -> None:
    file = _file(greys[0], append_images=greys[1:], model="dense/fashion", preview=16)
    with Image.open(file) as image:
        image.seek(1)
        assert image.draft(None, (8, 8)) is None
        image.seek(0)
        assert image.draft(None, (8, 8)) is not None
        image.load()
        assert image.size == (16, 16)
        image.seek(2)
        image.load()
        assert image.size == (28, 28)


def test_a_damaged_preview_is_an_error(previewed: bytes) -> None:
    place = previewed.index(b"WEBP") + 20
    damaged = previewed[:place] + bytes((previewed[place] ^ 1,)) + previewed[place + 1 :]
    with Image.open(io.BytesIO(damaged)) as image, pytest.raises(Corrupt):
        image.draft(None, (8, 8))
