"""The preview: a small WebP picture, untrusted like everything else."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nncodec.errors import Corrupt, FormatError, LimitExceeded
from nncodec.format.preview import make_preview, read_preview
from nncodec.limits import DEFAULT_LIMITS, Limits

PROPERTY = settings(deadline=None, max_examples=100)


def picture(height: int = 40, width: int = 60, mode: str = "RGB") -> Image.Image:
    ramp = np.linspace(0, 255, height * width, dtype=np.uint8).reshape(height, width)
    return Image.fromarray(ramp).convert(mode)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("height", "width", "edge", "size"),
    [(40, 60, 30, (30, 20)), (60, 40, 30, (20, 30)), (10, 8, 30, (8, 10)), (500, 1, 16, (1, 16))],
)
def test_a_preview_fits_its_edge_and_keeps_the_proportions(
    height: int, width: int, edge: int, size: tuple[int, int], mode: str
) -> None:
    preview = read_preview(make_preview(picture(height, width, mode), edge), DEFAULT_LIMITS)
    assert preview.size == size
    assert preview.mode == "RGB"


def test_a_preview_looks_like_the_picture() -> None:
    colour = np.zeros((64, 64, 3), np.uint8)
    colour[:, 32:] = 200, 100, 50
    preview = np.asarray(read_preview(make_preview(Image.fromarray(colour), 32), DEFAULT_LIMITS)).astype(int)
    assert np.abs(preview[16, 4] - [0, 0, 0]).max() < 24
    assert np.abs(preview[16, 28] - [200, 100, 50]).max() < 24


def test_a_preview_is_a_webp_file_that_any_reader_shows() -> None:
    with Image.open(io.BytesIO(make_preview(picture(), 32))) as image:
        assert image.format == "WEBP"


def test_a_preview_of_a_picture_of_noise_is_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    assert len(make_preview(Image.fromarray(noise), 64)) < 4096


def test_a_preview_cut_anywhere_is_refused() -> None:
    chunk = make_preview(picture(), 16)
    for size in range(len(chunk)):
        with pytest.raises(Corrupt):
            read_preview(chunk[:size], DEFAULT_LIMITS)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF"])
def test_another_picture_format_is_no_preview(form: str) -> None:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, form)
    with pytest.raises(Corrupt):
        read_preview(buffer.getvalue(), DEFAULT_LIMITS)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_limit_holds_for_every_kind_of_webp(mode: str, lossless: bool) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((30, 20), 50).convert(mode).save(buffer, "WEBP", lossless=lossless, exif=b"Exif\0\0")
    assert read_preview(buffer.getvalue(), Limits(preview_pixels=600)).size == (30, 20)
    with pytest.raises(LimitExceeded) as caught:
        read_preview(buffer.getvalue(), Limits(preview_pixels=599))
    assert caught.value.value == 600


@pytest.mark.parametrize("edge", [16_383, 60_000])
def test_a_preview_that_declares_a_huge_canvas_is_refused(edge: int) -> None:
    canvas = bytes((2, 0, 0, 0)) + 2 * (edge - 1).to_bytes(3, "little")
    small = make_preview(picture(), 16)
    frame = bytes(6) + (15).to_bytes(3, "little") + (10).to_bytes(3, "little") + bytes(4) + small[12:]
    with pytest.raises(LimitExceeded):
        read_preview(webp((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame)), DEFAULT_LIMITS)


def test_pillows_own_limit_is_not_an_error_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = make_preview(picture(), 16)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
    with pytest.raises(Corrupt):
        read_preview(chunk, DEFAULT_LIMITS)


@given(st.data())
@PROPERTY
def test_any_damage_gives_a_picture_within_the_limits_or_a_format_error(data: st.DataObject) -> None:
    chunk = bytearray(make_preview(picture(), 16))
    for place in data.draw(st.lists(st.integers(0, len(chunk) - 1), min_size=1, max_size=4)):
        chunk[place] = data.draw(st.integers(0, 255))
    try:
        preview = read_preview(bytes(chunk), DEFAULT_LIMITS)
    except FormatError:
        return
    assert preview.width * preview.height <= DEFAULT_LIMITS.preview_pixels
