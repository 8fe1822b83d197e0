"""`nncodec enhance`: any picture in, a larger or better one out, or one line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

import nncodec
from nncodec.plugin.catalog import Catalog

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TRIPLE = ("-m", "tiny/triple")
KEEP = ("-m", "tiny/keep", "--strength", "1")


def read(name: str | Path | io.BytesIO) -> Image.Image:
    with Image.open(name) as image:
        image.load()
    return image


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int16)


def tripled(image: Image.Image) -> np.ndarray:
    return pixels(image).repeat(3, axis=0).repeat(3, axis=1)


def test_a_larger_picture_beside_the_input(run, photo_png, photo):
    result = run("enhance", photo_png, *TRIPLE)
    assert (result.exit_code, result.output) == (0, "")
    assert np.array_equal(pixels(read("photo-enhanced.png")), tripled(photo))


def test_the_scale_chooses_the_enhancer_that_declares_it(run, photo_png, photo):
    assert run("enhance", photo_png, "--scale", 3, "-o", "out.png").exit_code == 0
    assert np.array_equal(pixels(read("out.png")), tripled(photo))
    result = run("enhance", photo_png, "--scale", 5, "-o", "five.png")
    assert result.exit_code == 2
    assert "no installed enhancer is 'x5'; installed: srgan/restore, srgan/x4, tiny/keep, tiny/triple" in result.stderr


@pytest.mark.parametrize(("options", "alias"), [((), "x4"), (("--scale", "4"), "x4"), (("--scale", "1"), "restore")])
def test_the_defaults_are_four_times_and_restoring(run, photo_png, monkeypatch, options, alias):
    asked = []
    find = Catalog.find
    monkeypatch.setattr(Catalog, "find", lambda self, name, kind=None: asked.append(name) or find(self, name))
    run("enhance", photo_png, *options, "-o", "out.png")
    assert asked[0] == alias


def test_strength(run, photo_png, photo):
    for strength, expected in (("0", pixels(photo)), ("1", 255 - pixels(photo))):
        assert run("enhance", photo_png, "-m", "tiny/keep", "--strength", strength, "-o", "o.png", "-f").exit_code == 0
        assert np.array_equal(pixels(read("o.png")), expected)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif", "png"])
def test_the_format_is_that_of_the_output(run, photo_png, photo, suffix):
    assert run("enhance", photo_png, *TRIPLE, "-o", f"out.{suffix}").exit_code == 0
    image = read(f"out.{suffix}")
    assert image.format == {"jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "png": "PNG"}[suffix]
    assert np.abs(pixels(image) - tripled(photo)).mean() < 4


def test_nothing_is_overwritten_without_f(run, photo_png):
    Path("out.png").write_bytes(b"mine")
    result = run("enhance", photo_png, *TRIPLE, "-o", "out.png")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert Path("out.png").read_bytes() == b"mine"
    assert run("enhance", photo_png, *TRIPLE, "-o", "out.png", "-f").exit_code == 0
    assert read("out.png").size == (288, 192)
    assert run("enhance", photo_png, *TRIPLE, "-o", "photo.png", "-f").exit_code == 2
    assert sorted(path.name for path in Path().iterdir()) == ["out.png", "photo.png"]


def test_an_nnc_file_and_stdin(run, photo_nnc, photo_png):
    decoded = nncodec.decode(photo_nnc.read_bytes())
    assert run("enhance", photo_nnc, *KEEP, "-o", "a.png").exit_code == 0
    assert np.array_equal(pixels(read("a.png")), 255 - pixels(decoded))
    result = run("enhance", "-", *KEEP, input=photo_png.read_bytes())
    assert (result.exit_code, result.stderr) == (0, "")
    assert np.array_equal(pixels(read(io.BytesIO(result.stdout_bytes))), 255 - pixels(read("photo.png")))


def test_folders_in_several_jobs(run, photo, photo_nnc):
    Path("in/deep").mkdir(parents=True)
    photo.save("in/a.png")
    photo.convert("L").save("in/deep/b.jpg")
    Path("in/deep/c.nnc").write_bytes(photo_nnc.read_bytes())
    result = run("enhance", "-r", "in", *TRIPLE, "-o", "out", "-j", 2)
    assert (result.exit_code, result.output) == (0, "")
    found = {path.relative_to("out").as_posix(): read(path) for path in Path("out").rglob("*.png")}
    assert {name: (image.mode, image.size) for name, image in found.items()} == {
        "a.png": ("RGB", (288, 192)),
        "deep/b.png": ("L", (288, 192)),
        "deep/c.png": ("RGB", (288, 192)),
    }


@pytest.mark.parametrize("options", ["--skip-existing", "--update", "-f", "--keep-extension -f", "--format webp -f"])
def test_a_folder_enhanced_again_leaves_its_own_results_out(run, photo, photo_nnc, options):
    Path("in/deep").mkdir(parents=True)
    photo.save("in/a.png")
    photo_nnc.rename("in/deep/b.nnc")
    photo.save("in/c.tif", save_all=True, append_images=[photo.rotate(180)])
    photo.save("in/d-enhanced.png")  # of no other picture
    for given in ((), options.split(), options.split()):
        result = run("enhance", "-r", "in", *KEEP, "--quiet", *given)
        assert (result.exit_code, result.output) == (0, "")
    stems = {path.name.partition(".")[0] for path in Path("in").rglob("*.png")}
    made = {"a-enhanced", "b-enhanced", "c-enhanced-0000", "c-enhanced-0001", "d-enhanced-enhanced"}
    assert stems - {"a", "b", "c", "d-enhanced"} == made
    assert not [path for path in Path("in").rglob("[abc]*") if path.name.count("-enhanced") > 1]


def test_results_that_are_named_are_enhanced(run, photo_png):
    assert run("enhance", photo_png, *KEEP).exit_code == 0
    assert run("enhance", "photo-enhanced.png", *KEEP).exit_code == 0
    assert Path("photo-enhanced-enhanced.png").is_file()


@pytest.mark.parametrize("command", [("enhance", *KEEP), ("encode", "-q", "keep", "--strip")])
def test_a_folder_of_results_below_the_inputs_is_no_input(run, photo_nnc, command):
    Path("in/deep").mkdir(parents=True)
    photo_nnc.rename("in/deep/a.nnc")
    for _ in range(2):
        assert run(*command, "-r", "in", "-o", "in/out", "-f").exit_code == 0
    assert [path.parent for path in Path("in/out").rglob("a.*")] == [Path("in/out/deep")]


def test_one_bad_file_does_not_stop_the_rest(run, photo_png):
    Path("bad.png").write_bytes(b"not a picture")
    result = run("enhance", "bad.png", photo_png, "missing.png", *TRIPLE, "-o", "out/")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "nncodec: bad.png: a text file, not a picture",
        "nncodec: missing.png: No such file or directory",
        "nncodec: 2 of 3 files failed",
    ]
    assert [path.name for path in Path("out").iterdir()] == ["photo.png"]


@pytest.mark.parametrize(
    ("mode", "kept", "note"),
    [
        ("1", "L", "mode 1 is stored as L"),
        ("P", "RGB", "mode P is stored as RGB"),
        ("CMYK", "RGB", "mode CMYK is stored as RGB"),
        ("I;16", "L", "mode I;16 is stored as L, 16 bits a sample reduced to 8"),
        ("LA", "LA", ""),
        ("RGBA", "RGBA", ""),
        ("L", "L", ""),
    ],
)
def test_modes_are_converted_with_a_note(run, photo, mode, kept, note):
    name = "in.tif" if mode in ("CMYK", "I;16") else "in.png"
    photo.convert("I").convert("I;16").save(name) if mode == "I;16" else photo.convert(mode).save(name)
    result = run("enhance", name, *TRIPLE, "-o", "out.png")
    assert (result.exit_code, result.stderr) == (0, f"nncodec: {name}: {note}\n" if note else "")
    assert (read("out.png").mode, read("out.png").size) == (kept, (288, 192))


def test_floating_point_is_refused(run):
    Image.new("F", (4, 4)).save("in.tif")
    result = run("enhance", "in.tif", *TRIPLE)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "mode F has no fixed range" in result.stderr


def test_huge_results_are_refused(run, photo_png):
    result = run("enhance", photo_png, *TRIPLE, "--max-pixels", 9 * 96 * 64 - 1)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "tiny/triple would make 288 x 192 pixels of it" in result.stderr
    assert run("enhance", photo_png, *TRIPLE, "--max-pixels", 9 * 96 * 64).exit_code == 0


def _with_metadata(photo: Image.Image) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Model] = "Camera"
    photo.save("in.png", exif=exif, icc_profile=ICC)


def test_metadata_goes_along_unless_stripped(run, photo):
    _with_metadata(photo)
    assert run("enhance", "in.png", *TRIPLE, "-o", "kept.png").exit_code == 0
    kept = read("kept.png")
    assert (kept.getexif()[ExifTags.Base.Model], kept.info["icc_profile"]) == ("Camera", ICC)
    assert np.array_equal(pixels(kept), tripled(photo))
    assert run("enhance", "in.png", *TRIPLE, "-o", "bare.png", "--strip").exit_code == 0
    bare = read("bare.png")
    assert not bare.getexif()
    assert bare.info["icc_profile"] == ICC
    assert np.array_equal(pixels(bare), tripled(photo.transpose(Image.Transpose.ROTATE_270)))


def test_metadata_of_an_nnc_file_is_stripped(run, photo):
    Path("in.nnc").write_bytes(nncodec.encode(photo, "tiny/rgb", 100, exif=b"II*\0\x08\0\0\0\0\0", xmp=b"<x/>"))
    assert run("enhance", "in.nnc", *KEEP, "-o", "kept.png").exit_code == 0
    assert "xmp" in read("kept.png").info
    assert run("enhance", "in.nnc", *KEEP, "-o", "bare.png", "--strip").exit_code == 0
    assert not {"xmp", "exif"} & read("bare.png").info.keys()


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_side_by_side_shows_plain_interpolation_to_the_left(run, photo, mode):
    image = photo.convert(mode)
    image.save("in.png")
    result = run("enhance", "in.png", *TRIPLE, "-o", "out.png", "--side-by-side", "-v")
    assert result.exit_code == 0
    assert "288 x 192" not in result.stderr
    assert "96 x 64 pixels enhanced, the input enlarged by bicubic interpolation to its left" in result.stderr
    both = read("out.png")
    assert (both.mode, both.size) == (mode, (576, 192))
    assert both.crop((0, 0, 288, 192)).tobytes() == image.resize((288, 192), Image.Resampling.BICUBIC).tobytes()
    larger = nncodec.enhance(image, "tiny/triple")
    assert both.crop((288, 0, 576, 192)).tobytes() == larger.tobytes()


def test_side_by_side_stands_upright(run, photo):
    _with_metadata(photo)
    assert run("enhance", "in.png", *KEEP, "-o", "out.png", "--side-by-side").exit_code == 0
    both = read("out.png")
    upright = photo.transpose(Image.Transpose.ROTATE_270)
    assert both.size == (128, 96)
    assert np.array_equal(pixels(both), np.concatenate([pixels(upright), 255 - pixels(upright)], axis=1))
    assert both.getexif()[ExifTags.Base.Model] == "Camera"
    assert ExifTags.Base.Orientation not in both.getexif()


def test_side_by_side_counts_twice(run, photo_png):
    result = run("enhance", photo_png, *KEEP, "--side-by-side", "--max-pixels", 2 * 96 * 64 - 1)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "side by side they have 192 x 64 pixels" in result.stderr


def test_frames(run, photo):
    photo.save("in.tif", save_all=True, append_images=[photo.rotate(180)])
    result = run("enhance", "in.tif", *KEEP, "-o", "out.webp")
    assert result.exit_code == 0
    assert read("out.webp").n_frames == 2
    assert run("enhance", "in.tif", *KEEP, "-o", "out.png").exit_code == 0
    assert np.array_equal(pixels(read("out-0001.png")), 255 - pixels(photo.rotate(180)))
    assert run("enhance", "in.tif", *KEEP, "-o", "one.png", "--frame", 1).exit_code == 0
    assert read("one.png").tobytes() == read("out-0001.png").tobytes()
    result = run("enhance", "in.tif", *KEEP, "-o", "-")
    assert result.exit_code == 1
    assert "choose one with --frame" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("-m", "nope"), "no installed enhancer is 'nope'"),
        (("-m", "tiny/rgb"), "tiny/rgb is a codec, not an enhancer"),
        ((*TRIPLE, "--strength", "nan"), "nan is not a number from 0"),
        ((*TRIPLE, "--strength", "1.1"), "1.1 is not a number from 0"),
        ((*TRIPLE, "--scale", "0"), "0 is not in the range"),
        ((*TRIPLE, "-o", "out.nnc"), "Pillow writes no .nnc files"),
        ((*TRIPLE, "-o", "out.xyz"), "Pillow writes no .xyz files"),
    ],
)
def test_wrong_usage_is_one_line(run, photo_png, options, says):
    result = run("enhance", photo_png, *options)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_another_scale_than_the_enhancers_is_refused(run, photo_png):
    result = run("enhance", photo_png, *TRIPLE, "--scale", 2)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "tiny/triple makes pictures 3 times as large, not 2" in result.stderr


def test_tiles_are_counted_on_a_terminal_and_files_where_there_are_several(photo_png, photo, watched):
    photo.save("b.png")
    for inputs, expected in ((("photo.png",), b"tile"), (("photo.png", "b.png"), b"2/2")):
        done, shown = watched("enhance", *inputs, *TRIPLE, "-f")
        assert (done.returncode, done.stdout) == (0, b"")
        assert expected in shown
