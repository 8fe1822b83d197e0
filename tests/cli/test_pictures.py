"""Pictures of every kind, as `encode` takes them."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import ExifTags, Image, ImageCms

import nncodec

TINY = ("-m", "tiny/rgb", "-q", 100)


@pytest.fixture
def stored(run):
    """Encode a file; return what its .nnc file decodes to, and what was said on stderr."""

    def call(name: str, *options: object) -> tuple[list[Image.Image], str]:
        result = run("encode", name, *TINY, "-o", "stored.nnc", "-f", *options)
        assert result.exit_code == 0, result.stderr
        return list(nncodec.decode_frames(Path("stored.nnc").read_bytes())), result.stderr

    return call


def without_size(said: str) -> str:
    """Return what was said without the note that these small pictures became larger."""
    return "".join(line for line in said.splitlines(keepends=True) if "is larger than the input" not in line)


def assert_close(image: Image.Image, expected: Image.Image, mean: float = 8) -> None:
    assert (image.mode, image.size) == (expected.mode, expected.size)
    assert np.abs(np.asarray(image, np.int16) - np.asarray(expected, np.int16)).mean() < mean


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_modes_that_are_kept(stored, photo, mode):
    image = photo.convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save("in.png")
    (decoded,), said = stored("in.png")
    assert said == ""
    assert_close(decoded, image)
    if mode.endswith("A"):
        assert decoded.getchannel("A").tobytes() == image.getchannel("A").tobytes()


@pytest.mark.parametrize(
    ("mode", "suffix", "kept"),
    [("1", "png", "L"), ("P", "png", "RGB"), ("CMYK", "jpg", "RGB"), ("CMYK", "tif", "RGB"), ("LAB", "tif", "RGB")],
)
def test_modes_that_are_converted_and_said(stored, photo, mode, suffix, kept):
    image = photo
    if mode == "1":
        image = photo.resize((2, 2)).convert("L").point(lambda v: 255 * (v > 120)).resize(photo.size)
    if mode == "P":
        image = photo.quantize(32)
    if mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        image = ImageCms.applyTransform(photo, transform)
    image.convert(mode).save(f"in.{suffix}")
    (decoded,), said = stored(f"in.{suffix}")
    assert without_size(said) == f"nncodec: in.{suffix}: mode {mode} is stored as {kept}\n"
    assert_close(decoded, image if mode == "1" else photo, 12)


def test_a_palette_with_transparency_keeps_it(stored, photo):
    image = photo.quantize(32)
    image.save("in.png", transparency=5)
    (decoded,), said = stored("in.png")
    assert without_size(said) == "nncodec: in.png: mode P with transparency is stored as RGBA\n"
    assert_close(decoded.convert("RGB"), image.convert("RGB"))
    transparent = np.asarray(image) == 5
    assert transparent.any()
    assert np.array_equal(np.asarray(decoded.getchannel("A")) == 0, transparent)


@pytest.mark.parametrize(("mode", "kept", "key"), [("L", "LA", 77), ("RGB", "RGBA", (1, 2, 3))])
def test_a_transparent_colour_becomes_alpha(stored, photo, mode, kept, key):
    image = photo.convert(mode)
    image.paste(key, (0, 0, 10, 10))
    image.save("in.png", transparency=key)
    (decoded,), said = stored("in.png")
    assert without_size(said) == f"nncodec: in.png: mode {mode} with transparency is stored as {kept}\n"
    assert decoded.getpixel((5, 5))[-1] == 0
    assert decoded.getpixel((90, 60))[-1] == 255


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_scaled(stored, suffix):
    ramp = np.linspace(0, 0xFFFF, 256).astype(np.uint16)[None].repeat(32, axis=0)
    Image.fromarray(ramp).save(f"in.{suffix}")
    (decoded,), said = stored(f"in.{suffix}")
    assert "16 bits a sample reduced to 8" in said
    assert_close(decoded, Image.fromarray((ramp // 257).astype(np.uint8)), 2)
    assert np.asarray(decoded).max() >= 254


def test_sixteen_bit_colour_is_said(stored, photo):
    # Pillow writes no such PNG: this one is put together by hand.
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.asarray(photo, ">u2") * 257
    raw = b"".join(b"\0" + row.tobytes() for row in rows.astype(">u2"))
    head = struct.pack(">IIBBBBB", photo.width, photo.height, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    Path("in.png").write_bytes(data)
    (decoded,), said = stored("in.png")
    assert without_size(said) == "nncodec: in.png: 16 bits a sample are reduced to 8\n"
    assert_close(decoded, photo)


@pytest.mark.parametrize("samples", [np.float32([[0.5, 1.5]]), np.int32([[0, 1 << 20]])])
def test_samples_without_a_known_range_are_refused(run, samples):
    Image.fromarray(samples).save("in.tif")
    result = run("encode", "in.tif", *TINY)
    assert result.exit_code == 1
    assert "8 bits" in result.stderr
    assert result.stderr.count("\n") == 1


def test_cmyk_is_converted_by_its_profile_which_is_then_left_out(stored, photo):
    # No CMYK profile ships with Pillow: one that does not fit must not do harm, and must not stay.
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo.convert("CMYK").save("in.tif", icc_profile=srgb)
    (decoded,), _ = stored("in.tif")
    assert "icc_profile" not in decoded.info
    assert_close(decoded, photo, 12)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_all_frames_are_encoded_and_it_is_said(stored, photo, suffix):
    turned = [photo.rotate(angle) for angle in (0, 90, 180)]
    turned[0].save(f"in.{suffix}", save_all=True, append_images=turned[1:])
    frames, said = stored(f"in.{suffix}")
    assert "all 3 frames are used" in said
    assert len(frames) == 3
    for frame, expected in zip(frames, turned, strict=True):
        assert_close(frame.convert("RGB"), expected, 12)


def test_one_frame_of_several(stored, run, photo):
    turned = [photo, photo.rotate(180)]
    turned[0].save("in.tif", save_all=True, append_images=turned[1:])
    frames, said = stored("in.tif", "--frame", 1)
    assert said == ""
    assert len(frames) == 1
    assert_close(frames[0], turned[1])
    result = run("encode", "in.tif", *TINY, "--frame", 2)
    assert result.exit_code == 1
    assert "frames 0 to 1" in result.stderr


def test_frames_that_differ(stored, run, photo):
    photo.save("sizes.tif", save_all=True, append_images=[photo.resize((10, 10))])
    result = run("encode", "sizes.tif", *TINY)
    assert result.exit_code == 1
    assert "choose one, on the command line with --frame" in result.stderr
    photo.convert("L").save("modes.tif", save_all=True, append_images=[photo])
    frames, _ = stored("modes.tif")
    assert [frame.mode for frame in frames] == ["RGB", "RGB"]


def test_many_frames_count_against_the_limit(run, photo):
    photo.save("in.gif", save_all=True, append_images=[photo.rotate(angle) for angle in range(90, 360, 90)])
    result = run("encode", "in.gif", *TINY, "--max-pixels", 3 * 96 * 64)
    assert result.exit_code == 1
    assert "4 frames" in result.stderr
    assert "--max-pixels" in result.stderr


def test_pictures_inside_a_phone_photo_are_not_frames(stored, photo):
    photo.save("in.mpo", save_all=True, append_images=[photo.resize((48, 32))])
    frames, said = stored("in.mpo")
    assert len(frames) == 1
    assert "of 2 pictures in this MPO file, the first is used" in said


def test_a_real_stack_of_pages(stored):
    path = Path(skimage.data.__file__).parent / "multipage.tif"
    frames, _ = stored(str(path))
    with Image.open(path) as expected:
        assert len(frames) == expected.n_frames == 2
        assert_close(frames[0], expected.convert("L"), 30)


@pytest.fixture
def exif():
    facts = Image.Exif()
    facts[ExifTags.Base.Model] = "Camera"
    facts[ExifTags.Base.Orientation] = 6
    facts.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return facts


ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_metadata_is_kept(stored, photo, exif, suffix):
    photo.save(f"in.{suffix}", exif=exif, icc_profile=ICC, xmp=XMP)
    (decoded,), _ = stored(f"in.{suffix}")
    assert decoded.info["icc_profile"] == ICC
    assert decoded.info["xmp"] == XMP
    kept = decoded.getexif()
    assert kept[ExifTags.Base.Model] == "Camera"
    assert kept[ExifTags.Base.Orientation] == 6
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert decoded.size == photo.size


def test_strip_leaves_the_profile_and_turns_the_picture_upright(stored, photo, exif):
    photo.save("in.jpg", exif=exif, icc_profile=ICC, xmp=XMP, quality=95)
    (decoded,), _ = stored("in.jpg", "--strip")
    assert decoded.info["icc_profile"] == ICC
    assert "xmp" not in decoded.info
    assert "exif" not in decoded.info
    assert b"Camera" not in Path("stored.nnc").read_bytes()
    assert_close(decoded, photo.transpose(Image.Transpose.ROTATE_270))


def test_what_a_tiff_says_of_the_picture_is_kept_and_not_its_layout(stored, photo, exif):
    exif[ExifTags.Base.Artist] = "Somebody"
    exif[ExifTags.Base.Orientation] = 1
    photo.save("in.tif", exif=exif.tobytes(), dpi=(300, 300))
    (decoded,), _ = stored("in.tif")
    kept = decoded.getexif()
    assert kept[ExifTags.Base.Artist] == "Somebody"
    assert kept[ExifTags.Base.XResolution] == 300
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert ExifTags.Base.StripOffsets not in kept


def test_broken_exif_does_no_harm(stored, photo):
    photo.save("in.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff broken")
    for options in ((), ("--strip",)):
        (decoded,), _ = stored("in.png", *options)
        assert_close(decoded, photo)


def test_stdin_takes_any_picture(run, photo):
    buffer = io.BytesIO()
    photo.quantize(16).save(buffer, "GIF")
    result = run("encode", "-", *TINY, input=buffer.getvalue())
    assert result.exit_code == 0
    assert nncodec.decode(result.stdout_bytes).size == photo.size


def test_what_pillow_logs_of_a_damaged_picture_is_no_second_line(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    Image.new("RGB", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    directory = int.from_bytes(data[4:8], "little")
    entries = range(directory + 2, directory + 2 + 12 * int.from_bytes(data[directory : directory + 2], "little"), 12)
    (samples_per_pixel,) = (at for at in entries if int.from_bytes(data[at : at + 2], "little") == 277)
    data[samples_per_pixel + 8 : samples_per_pixel + 10] = (100).to_bytes(2, "little")
    path.write_bytes(data)
    done = subprocess.run([sys.executable, "-m", "nncodec", "encode", str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
