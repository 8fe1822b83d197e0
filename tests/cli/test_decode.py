"""`nncodec decode`, and the formats it writes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

import nncodec
from nncodec.plugin import discovery

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def write(name: str, images: Image.Image | list[Image.Image], **options: object) -> nncodec.FileInfo:
    data = nncodec.encode(images, "tiny/rgb", 100, **options)
    Path(name).write_bytes(data)
    return nncodec.inspect(data)


def read(name: str) -> Image.Image:
    with Image.open(name) as image:
        image.load()
    return image


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int16)


def test_png_beside_the_input_holds_the_decoded_pixels(run, photo_nnc):
    Path("photo.png").unlink()
    result = run("decode", photo_nnc)
    assert (result.exit_code, result.output) == (0, "")
    expected = nncodec.decode(photo_nnc.read_bytes())
    assert np.array_equal(pixels(read("photo.png")), pixels(expected))


def test_stdin_to_stdout(run, photo_nnc):
    result = run("decode", "-", input=photo_nnc.read_bytes())
    image = Image.open(io.BytesIO(result.stdout_bytes))
    assert (image.format, image.size) == ("PNG", (96, 64))
    result = run("decode", photo_nnc, "-o", "-", "--format", "JPG")
    assert Image.open(io.BytesIO(result.stdout_bytes)).format == "JPEG"


@pytest.mark.parametrize("command", ["decode", "enhance"])
@pytest.mark.parametrize(
    ("output", "given"),
    [("out.png", "jpg"), ("out.JPG", "png"), ("out.heic", "png"), ("o.nnc", "png"), ("o.dng", "tif")],
)
def test_a_name_of_another_format_than_the_one_asked_for_is_refused(run, photo_nnc, command, output, given):
    result = run(command, photo_nnc, "-o", output, "--format", given, *(("-m", "tiny/keep") * (command == "enhance")))
    assert result.exit_code == 2
    assert f"{output} names another format than --format {given}" in result.stderr
    assert not Path(output).exists()


@pytest.mark.parametrize(("output", "given"), [("o.jpeg", "jpg"), ("o.TIFF", ".tif"), ("out", "png"), ("a.b", "png")])
def test_a_name_of_the_format_asked_for_or_of_none_is_taken(run, photo_nnc, output, given):
    assert run("decode", photo_nnc, "-o", output, "--format", given).exit_code == 0
    assert Path(output).is_file()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", ["png", "webp", "avif", "tif", "jp2", "tga", "qoi", "gif"])
def test_every_mode_in_formats_that_hold_it(run, photo, mode, suffix):
    image = photo.convert(mode)
    write("in.nnc", image)
    result = run("decode", "in.nnc", "-o", f"out.{suffix}")
    notes = "nncodec: in.nnc: GIF holds 256 colours a frame; the picture has more and is reduced\n"
    assert (result.exit_code, result.stderr) == (0, notes if suffix == "gif" and mode.startswith("RGB") else "")
    decoded = nncodec.decode(Path("in.nnc").read_bytes()).convert("RGBA")
    mean = np.abs(pixels(read(f"out.{suffix}").convert("RGBA")) - pixels(decoded)).mean()
    assert mean < (6 if suffix == "gif" else 2 if suffix == "avif" else 0.001)


@pytest.mark.parametrize("suffix", ["jpg", "ppm", "bmp", "dib"])
def test_transparency_is_never_lost_silently(run, photo, suffix):
    opaque, clear = photo.convert("RGBA"), photo.convert("RGBA")
    clear.putpixel((5, 5), (0, 0, 0, 254))
    write("opaque.nnc", opaque)
    assert run("decode", "opaque.nnc", "-o", f"opaque.{suffix}").exit_code == 0
    assert read(f"opaque.{suffix}").mode == "RGB"
    write("in.nnc", clear)
    result = run("decode", "in.nnc", "-o", f"out.{suffix}")
    assert result.exit_code == 1
    assert "transparency" in result.stderr
    assert ".png" in result.stderr
    assert not Path(f"out.{suffix}").exists()


def test_jpeg_is_good(run, photo):
    write("in.nnc", photo)
    assert run("decode", "in.nnc", "-o", "out.jpg").exit_code == 0
    decoded = nncodec.decode(Path("in.nnc").read_bytes())
    assert np.abs(pixels(read("out.jpg")) - pixels(decoded)).mean() < 3


@pytest.mark.parametrize("output", ["out.xyz", "out.nnc", "out", "out.psd"])
def test_formats_that_cannot_be_written_are_usage_errors(run, photo_nnc, output):
    result = run("decode", photo_nnc, "-o", output)
    assert result.exit_code == 2
    assert not Path(output).exists()


def test_metadata_is_carried(run, photo):
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Camera"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    write("in.nnc", photo, exif=exif, icc_profile=ICC, xmp=XMP)
    for suffix in ("png", "jpg", "webp", "avif", "tif"):
        result = run("decode", "in.nnc", "-o", f"out.{suffix}")
        assert (result.exit_code, result.stderr) == (0, "")
        with Image.open(f"out.{suffix}") as image:
            assert image.info["icc_profile"] == ICC
            assert image.info["xmp"] == XMP
            kept = image.getexif()
            assert kept[ExifTags.Base.Model] == "Camera"
            assert kept[ExifTags.Base.Orientation] == 6
            assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


@pytest.mark.parametrize(("options", "suffix"), [(("--strip",), "png"), (("--strip",), "webp"), ((), "bmp")])
def test_without_exif_the_picture_is_upright(run, photo, options, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    write("in.nnc", photo, exif=exif, icc_profile=ICC, xmp=XMP)
    result = run("decode", "in.nnc", "-o", f"out.{suffix}", *options)
    assert result.exit_code == 0
    image = read(f"out.{suffix}")
    decoded = nncodec.decode(Path("in.nnc").read_bytes())
    assert np.array_equal(pixels(image), pixels(decoded.transpose(Image.Transpose.ROTATE_270)))
    assert "xmp" not in image.info
    assert not image.getexif()
    if suffix == "bmp":
        assert result.stderr == "nncodec: in.nnc: BMP does not carry its EXIF, ICC profile, XMP\n"
    else:
        assert image.info["icc_profile"] == ICC


@pytest.fixture
def three(photo):
    write("in.nnc", [photo, photo.rotate(90), photo.rotate(180)])
    return list(nncodec.decode_frames(Path("in.nnc").read_bytes()))


def test_several_frames_become_numbered_files(run, three):
    result = run("decode", "in.nnc")
    assert result.exit_code == 0
    assert "3 frames" in result.stderr
    assert sorted(p.name for p in Path().glob("*.png")) == ["in-0000.png", "in-0001.png", "in-0002.png"]
    for number, frame in enumerate(three):
        assert np.array_equal(pixels(read(f"in-{number:04}.png")), pixels(frame))
    result = run("decode", "in.nnc")
    assert result.exit_code == 1
    assert "in-0000.png is already there" in result.stderr


def test_one_frame(run, three):
    assert run("decode", "in.nnc", "--frame", 1, "-o", "out.png").exit_code == 0
    assert np.array_equal(pixels(read("out.png")), pixels(three[1]))
    result = run("decode", "in.nnc", "--frame", 3, "-o", "none.png")
    assert result.exit_code == 1
    assert "frames 0 to 2" in result.stderr


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "avif"])
def test_several_frames_in_one_file(run, three, suffix):
    assert run("decode", "in.nnc", "-o", f"out.{suffix}").exit_code == 0
    with Image.open(f"out.{suffix}") as image:
        assert image.n_frames == 3
        image.seek(2)
        assert np.abs(pixels(image.convert("RGB")) - pixels(three[2])).mean() < 6


def test_several_frames_do_not_fit_through_stdout(run, three):
    result = run("decode", "in.nnc", "-o", "-")
    assert result.exit_code == 1
    assert "--frame" in result.stderr
    assert result.stdout_bytes == b""


def test_numbered_frames_do_not_overwrite_another_result(run, three, photo):
    write("in-0001.nnc", photo)
    result = run("decode", "in-0001.nnc", "in.nnc", "-o", "out", "-f")
    assert result.exit_code == 1
    assert "another input was already written to" in result.stderr
    assert sorted(p.name for p in Path("out").iterdir()) == ["in-0001.png"]


def test_damaged_files_fail_in_one_line_each(run, photo_nnc):
    data = photo_nnc.read_bytes()
    flipped = bytearray(data)
    flipped[-9] ^= 1
    Path("cut.nnc").write_bytes(data[:-20])
    Path("flipped.nnc").write_bytes(flipped)
    Path("other.nnc").write_bytes(b"not at all")
    Path("empty.nnc").touch()
    names = ["cut.nnc", "flipped.nnc", "other.nnc", "empty.nnc", "missing.nnc"]
    result = run("decode", *names, "photo.nnc", "-o", "out")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines[:-1]] == names
    for line, word in zip(lines, ["incomplete", "damaged", "not an .nnc", "is empty", "No such file"], strict=False):
        assert word in line
    assert [p.name for p in Path("out").iterdir()] == ["photo.png"]


@pytest.mark.usefixtures("codecs_only")
def test_a_missing_model_is_named(run, photo_nnc, monkeypatch):
    from nncodec.plugin import registry

    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "tiny")
    registry.refresh()
    result = run("decode", photo_nnc, "-o", "out.png")
    assert result.exit_code == 1
    assert nncodec.inspect(photo_nnc.read_bytes()).model_id in result.stderr
    assert result.stderr.count("\n") == 1


def test_large_files_are_refused_until_allowed(run, photo_nnc):
    result = run("decode", photo_nnc, "-o", "out.png", "--max-pixels", 6143)
    assert result.exit_code == 1
    assert "over the limit of 6143" in result.stderr
    assert run("decode", photo_nnc, "-o", "out.png", "--max-pixels", 6144).exit_code == 0


# --- boxes --------------------------------------------------------------------------------------------------------


def test_a_box_is_decoded_alone(run, photo_nnc):
    result = run("decode", photo_nnc, "--box", "10,20,50,40", "-o", "out.png", "-v")
    whole = nncodec.decode(photo_nnc.read_bytes())
    assert np.array_equal(pixels(read("out.png")), pixels(whole.crop((10, 20, 50, 40))))
    assert " bytes, 40 x 20, RGB\n" in result.stderr


def test_the_same_box_of_every_frame(run, three):
    assert run("decode", "in.nnc", "--box", "0,5,7,9").exit_code == 0
    for number, frame in enumerate(three):
        assert np.array_equal(pixels(read(f"in-{number:04}.png")), pixels(frame.crop((0, 5, 7, 9))))


@pytest.mark.parametrize("box", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "0.5,0,3,3", "5,5,5,9", "9,5,5,9", "-1,0,5,5"])
def test_a_box_that_is_none_is_a_usage_error(run, photo_nnc, box):
    result = run("decode", photo_nnc, "-o", "out.png", f"--box={box}")
    assert result.exit_code == 2
    assert "--box" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("out.png").exists()


def test_a_box_outside_of_one_picture_fails_for_that_one(run, photo_nnc, photo):
    write("small.nnc", photo.crop((0, 0, 40, 30)))
    result = run("decode", "small.nnc", photo_nnc, "--box", "60,10,90,40", "-o", "out")
    assert result.exit_code == 1
    assert "nncodec: small.nnc: invalid option 'box': (60, 10, 90, 40) reaches outside" in result.stderr
    assert [path.name for path in Path("out").iterdir()] == ["photo.png"]


# --- enhancers ----------------------------------------------------------------------------------------------------


def test_enhancers_are_used_when_asked_for(run, photo):
    write("in.nnc", photo, enhancer="tiny/keep", enhancer_strength=1)
    data = Path("in.nnc").read_bytes()
    plain = pixels(nncodec.decode(data))
    for options, expected in (
        ((), plain),
        (("--enhancer", "recommended"), 255 - plain),
        (("--enhancer", "recommended", "--strength", 0), plain),
        (("--enhancer", "tiny/keep"), plain),
        (("--enhancer", "tiny/keep", "--strength", 1), 255 - plain),
    ):
        assert run("decode", "in.nnc", "-o", "in.png", "-f", *options).exit_code == 0
        assert np.array_equal(pixels(read("in.png")), expected)
    assert (
        run("decode", "in.nnc", "-o", "in.png", "-f", "--enhancer", "recommended", "--box", "5,6,50,40").exit_code == 0
    )
    assert np.array_equal(pixels(read("in.png")), 255 - plain[6:40, 5:50])


def test_a_reduced_picture_comes_back_in_its_size(run, photo):
    write("in.nnc", photo, downscale=3)
    assert run("decode", "in.nnc", "--enhancer", "x3").exit_code == 0
    expected = nncodec.decode(Path("in.nnc").read_bytes(), enhancer="tiny/triple")
    assert np.array_equal(pixels(read("in.png")), pixels(expected))


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (("--enhancer", "nope"), 2, "no installed enhancer is 'nope'"),
        (("--enhancer", "tiny/rgb"), 2, "tiny/rgb is a codec, not an enhancer; choose an enhancer such as"),
        (("--strength", "0.5"), 2, "--strength needs --enhancer"),
        (("--enhancer", "recommended", "--strength", "-1"), 2, "-1.0 is not a number from 0"),
        (("--enhancer", "x3"), 1, "this file is not stored reduced"),
    ],
)
def test_enhancers_that_do_not_suit_are_one_line(run, photo_nnc, options, status, says):
    result = run("decode", photo_nnc, "-o", "out.png", *options)
    assert (result.exit_code, result.stderr.count("\n")) == (status, 1)
    assert says in result.stderr


@pytest.mark.parametrize("extension", ["webp", "gif", "avif", "jpg"])
def test_a_picture_too_wide_for_a_format_is_one_line_before_it_is_decoded(run, extension, monkeypatch):
    write("wide.nnc", Image.new("RGB", (70_000, 2), "red"))
    monkeypatch.setattr(nncodec.api, "decode_frames", lambda *_, **__: pytest.fail("decoded"))
    result = run("decode", "wide.nnc", "-o", f"out.{extension}")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "holds at most" in line
    assert "70,000 x 2" in line
    assert not Path(f"out.{extension}").exists()
