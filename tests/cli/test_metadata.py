"""Metadata and animations through the command line: encode, decode and enhance."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pictures_with_metadata import (
    DURATIONS,
    GAIN_MAP_XMP,
    SRGB,
    file_of,
    frames,
    photo,
    png_with_chunk,
    png_with_raw_profiles,
    profile_of,
    turned_exif,
)
from PIL import ExifTags, Image

import nncodec

TINY = ("-m", "tiny/rgb", "-q", 100)


@pytest.fixture
def stored(run):
    """Encode a file; return what it decodes to, and what was said on stderr."""

    def call(data: bytes, *options: object) -> tuple[Image.Image, str]:
        Path("in.bin").write_bytes(data)
        result = run("encode", "in.bin", *TINY, "-o", "stored.nnc", "-f", *options)
        assert result.exit_code == 0, result.stderr
        return nncodec.decode(Path("stored.nnc").read_bytes()), result.stderr

    return call


@pytest.fixture
def decoded(run):
    """Decode stored.nnc to a file; return it and what was said on stderr."""

    def call(name: str, *options: object) -> tuple[Image.Image, str]:
        result = run("decode", "stored.nnc", "-o", name, "-f", *options)
        assert result.exit_code == 0, result.stderr
        return Image.open(io.BytesIO(Path(name).read_bytes())), result.stderr

    return call


def test_raw_profiles_of_a_png_are_kept(stored):
    image, _ = stored(png_with_raw_profiles())
    assert image.getexif()[ExifTags.Base.Orientation] == 6
    assert image.info["xmp"].startswith(b"<x:xmpmeta")


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (file_of(photo(), "JPEG", comment=b"me"), "its comment is not kept"),
        (file_of(photo(), "JPEG", xmp=GAIN_MAP_XMP), "its HDR gain map is not kept"),
        (file_of(photo(), "JPEG", icc_profile=profile_of(b"GRAY")), "does not fit mode RGB"),
        (png_with_chunk(b"cICP", bytes((9, 16, 0, 1))), "HDR picture (PQ)"),
    ],
)
def test_what_is_lost_is_told_once(stored, data, note):
    image, said = stored(data)
    assert said.count(note) == 1
    assert not {"xmp", "icc_profile"} & image.info.keys()


def test_gamma_becomes_a_profile(stored):
    image, _ = stored(png_with_chunk(b"gAMA", (100_000).to_bytes(4, "big")))
    assert image.info["icc_profile"][36:40] == b"acsp"


def test_strip_tells_nothing_of_text(stored):
    image, said = stored(file_of(photo(), "JPEG", comment=b"me", exif=turned_exif()), "--strip")
    assert "comment" not in said
    assert "exif" not in image.info


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.tif", "out.bmp"])
def test_dpi_goes_into_the_picture(stored, decoded, name):
    stored(file_of(photo(), "JPEG", dpi=(300, 150)))
    image, said = decoded(name)
    assert said == ""
    assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)


def test_dpi_that_a_format_does_not_hold_is_told(stored, decoded):
    stored(file_of(photo(), "JPEG", dpi=(300, 150)))
    assert "WEBP does not carry its resolution" in decoded("out.webp")[1]


def test_info_shows_resolution_and_animation(stored, run):
    several = frames()
    stored(file_of(several[0], "GIF", save_all=True, append_images=[several[1], several[3]], duration=[50, 90, 50]))
    said = run("info", "stored.nnc").stdout
    assert "each frame 50 to 90 ms, 190 ms in all, once" in said
    stored(file_of(photo(), "JPEG", dpi=(300, 150)))
    assert "300 x 150" in run("info", "stored.nnc").stdout
    assert '"dpi"' in run("info", "--json", "stored.nnc").stdout


@pytest.mark.parametrize("key", ["exif", "xmp"])
def test_metadata_too_large_for_jpeg_is_left_out(decoded, key):
    image = photo()
    exif = turned_exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 70_000
    large = {"exif": exif, "xmp": b"<x:xmpmeta/>".ljust(70_000)}[key]
    Path("stored.nnc").write_bytes(nncodec.encode(image, "tiny/rgb", 100, **{key: large}))
    written, said = decoded("out.jpg")
    assert f"its {key.upper()} of 70," in said
    assert "is left out" in said
    assert key not in written.info
    assert written.size == ((32, 48) if key == "exif" else (48, 32))  # upright, as EXIF said
    assert decoded("out.png")[1] == ""


@pytest.mark.parametrize("name", ["out.webp", "out.avif"])
def test_a_grey_profile_stays_out_of_formats_that_store_rgb(decoded, name):
    grey = photo().convert("L")
    Path("stored.nnc").write_bytes(nncodec.encode(grey, "tiny/rgb", 100, icc_profile=profile_of(b"GRAY")))
    written, said = decoded(name)
    assert "does not fit mode RGB" in said
    assert "icc_profile" not in written.info


def test_a_grey_file_with_another_profile_is_written_without_it(decoded, run):
    # Files of earlier versions may hold a profile that does not fit.
    from nncodec.format.container import Container, write
    from nncodec.format.header import ChunkType

    container = Container(nncodec.encode(photo(), "tiny/rgb", 100))
    block = container.block(0)
    data = write(container.header, {ChunkType.ICC: profile_of(b"CMYK")}, [block])
    Path("stored.nnc").write_bytes(data)
    written, said = decoded("out.png")
    assert "a CMYK one and does not fit mode RGB" in said
    assert "icc_profile" not in written.info


def _durations(image: Image.Image) -> list[int]:
    durations = []
    for number in range(image.n_frames):
        image.seek(number)
        image.load()
        durations.append(round(image.info["duration"]))
    return durations


@pytest.mark.parametrize("source", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("name", ["out.gif", "out.webp", "out.png", "out.avif"])
@pytest.mark.parametrize("loop", [0, 3])
def test_an_animation_comes_back(stored, decoded, source, name, loop):
    several = [photo(), photo().rotate(90), photo().rotate(180)]
    stored(file_of(several[0], source, save_all=True, append_images=several[1:], duration=[40, 100, 300], loop=loop))
    image, said = decoded(name, "--animate")
    assert _durations(image) == [40, 100, 300]
    if name == "out.avif":
        assert "AVIF does not carry its loop count" in said
    else:
        assert image.info["loop"] == loop


def test_an_animation_that_is_shown_once_is_not_shown_for_ever(stored, decoded):
    several = [photo(), photo().rotate(90)]
    stored(file_of(several[0], "GIF", save_all=True, append_images=several[1:], duration=100))
    assert "loop" not in decoded("out.gif")[0].info
    assert decoded("out.webp")[0].info["loop"] == 1
    assert decoded("out.png", "--animate")[0].info["loop"] == 1


@pytest.mark.parametrize("name", ["out.gif", "out.webp", "out.png"])
def test_equal_frames_are_kept_or_told(decoded, name):
    several = frames()
    Path("stored.nnc").write_bytes(nncodec.encode(several, "tiny/rgb", 100, duration=DURATIONS, loop=0))
    image, said = decoded(name, "--animate")
    if image.n_frames != len(several):
        assert f"has {image.n_frames} frames instead of 5" in said
    assert sum(_durations(image)) == sum(DURATIONS)


def test_transparent_frames_do_not_show_through_in_gif(decoded):
    several = [frame for number, frame in enumerate(frames(alpha=True)) if number in (0, 1, 3)]
    Path("stored.nnc").write_bytes(nncodec.encode(several, "tiny/rgb", 100, duration=100))
    image, _ = decoded("out.gif")
    for number, frame in enumerate(several):
        image.seek(number)
        assert image.convert("RGBA").getchannel("A").tobytes() == frame.getchannel("A").tobytes()


def test_durations_that_gif_and_tiff_do_not_hold_are_told(decoded):
    several = [photo(), photo().rotate(90)]
    Path("stored.nnc").write_bytes(nncodec.encode(several, "tiny/rgb", 100, duration=[33, 100]))
    image, said = decoded("out.gif")
    assert _durations(image) == [30, 100]
    assert "steps of 10 ms" in said
    assert "TIFF does not carry the durations" in decoded("out.tif")[1]


def test_a_default_image_is_kept_in_apng_and_told_elsewhere(stored, decoded):
    several = [photo(), photo().rotate(90), photo().rotate(180)]
    stored(file_of(several[0], "PNG", save_all=True, default_image=True, append_images=several[1:], duration=[70, 90]))
    image, _ = decoded("out.png", "--animate")
    assert (image.info["default_image"], image.n_frames) == (True, 3)
    assert "still picture" in decoded("out.webp")[1]


def test_frames_become_pngs_of_their_own_unless_animated(decoded, run):
    several = [photo(), photo().rotate(90)]
    Path("stored.nnc").write_bytes(nncodec.encode(several, "tiny/rgb", 100, duration=100))
    result = run("decode", "stored.nnc")
    assert "--animate writes one animated PNG" in result.stderr
    assert Path("stored-0001.png").exists()
    result = run("decode", "stored.nnc", "-o", "out.jpg", "--animate")
    assert result.exit_code == 1
    assert "JPEG files hold one picture" in result.stderr


def test_enhance_keeps_metadata_sizes_and_times(run):
    data = file_of(photo((160, 100)), "JPEG", exif=turned_exif(), icc_profile=SRGB, dpi=(200, 200))
    Path("in.jpg").write_bytes(data)
    assert run("enhance", "in.jpg", "-m", "tiny/triple", "-o", "out.png").exit_code == 0
    with Image.open("out.png") as image:
        own = image.getexif().get_ifd(ExifTags.IFD.Exif)
        assert (own[0xA002], own[0xA003]) == image.size == (480, 300)
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.02)
    several = [photo(), photo().rotate(90)]
    Path("in.webp").write_bytes(
        file_of(several[0], "WEBP", save_all=True, append_images=several[1:], duration=[50, 90], loop=2)
    )
    assert run("enhance", "in.webp", "-m", "tiny/keep", "-o", "animated.png", "--animate").exit_code == 0
    with Image.open("animated.png") as image:
        assert (_durations(image), image.info["loop"]) == ([50, 90], 2)
