"""Files that Pillow reads with a package, or not at all; and formats that hold less than the picture."""

from __future__ import annotations

import errno
import importlib.util
import io
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import nncodec
from nncodec.picture.openers import register_packages, what_it_is
from nncodec.picture.reading import read_picture_file

TINY = ("-m", "tiny/rgb", "-q", 100)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
needs_jxl = pytest.mark.skipif(importlib.util.find_spec("pillow_jxl") is None, reason="needs pillow-jxl-plugin")


def box(brand: bytes) -> bytes:
    return struct.pack(">I", 20) + b"ftyp" + brand + bytes(4) + b"miaf" + bytes(20)


def png_with_long(text: str, profile: bytes = b"") -> bytes:
    out, info = io.BytesIO(), PngInfo()
    info.add_text("Comment", text, zip=True)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info, icc_profile=profile)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"hello, \xc3\xa4 picture\n", "a text file, not a picture"),
        (b"<!DOCTYPE html><svg></svg>", "an HTML page"),
        (b"FUJIFILMCCD-RAW 0201", "a camera raw file"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(30), "a camera raw file"),
        (box(b"crx "), "a camera raw file"),
        (box(b"isom"), "a video"),
        (b"PK\3\4" + bytes(30), "a ZIP archive"),
        (b"\x89PNG\r\n\x1a\n", "a PNG file that is damaged or incomplete"),
        (box(b"avif"), "an AVIF picture"),
        (b"\x01\x02\x03\xff", "not a picture that Pillow can read"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer instead of the file"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nENDHDR\n\0", "a PAM picture; convert it"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n\0", "an HDR picture (Radiance)"),
        (b"v/1\1\2\0\0\0", "an HDR picture (OpenEXR)"),
        (b"FLIF\x33", "a FLIF picture"),
        (b"II\xbc\1\x08\0\0\0", "a JPEG XR picture"),
        (bytes(128) + b"DICM\2\0", "a DICOM picture"),
        (b"gimp xcf v011\0", "a picture of GIMP"),
        (b"8BPS\0\2" + bytes(20), "a large document of Photoshop (PSB)"),
        (b"AT&TFORM\0\0\0\x10DJVM", "a DjVu document"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "what macOS stores beside a file"),
        (b"\x7fELF\2\1\1", "a program"),
        (b"\x93NUMPY\1\0", "a NumPy array"),
        (b"%!PS-Adobe-3.0\n%%Pages: 1\n", "a PostScript document"),
        (b"../other/photo.jpg\n", "only the name of a picture file"),
        (b"BMW, a text about cars\n", "a text file"),
        (b"\1\0\0\0\x6c\0\0\0" + bytes(32) + b" EMF" + bytes(60), "a drawing of Windows (WMF or EMF)"),
        (b"\xd7\xcd\xc6\x9a" + bytes(40), "a drawing of Windows (WMF or EMF)"),
        (png_with_long("z" * 3_000_000), "a PNG file whose text, XMP or colour profile is longer than Pillow reads"),
        (png_with_long("", bytes(3_000_000)), "a PNG file whose text, XMP or colour profile is longer than Pillow"),
    ],
)
def test_each_file_says_what_it_is(run, data, says):
    Path("a.png").write_bytes(data)
    result = run("encode", "a.png", *TINY)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"nncodec: a.png: {says}")
    with pytest.raises(nncodec.UnsupportedImage, match=re.escape(says)):
        nncodec.encode(data, "tiny/rgb")
    assert run("enhance", "a.png", "-m", "tiny/keep").stderr.startswith(f"nncodec: a.png: {says}")


_PSD = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 48, 64, 8, 3) + bytes(12)


def _files() -> dict[str, bytes]:
    image = Image.effect_mandelbrot((64, 48), (-2, -1, 1, 1), 40).convert("RGB")
    options = {"TIFF": {"compression": "tiff_lzw"}}
    register_packages()
    kinds = ("AVIF", "BMP", "DDS", "GIF", "HEIF", "ICO", "ICNS", "JPEG", "JPEG2000", "JXL", "PCX", "PNG", "PPM", "QOI")
    files = {}
    for kind in (*kinds, "SGI", "TIFF", "WEBP"):
        if kind in Image.SAVE:
            out = io.BytesIO()
            image.save(out, kind, **options.get(kind, {}))
            files[kind] = out.getvalue()
    return files | {"PSD": _PSD + b"\0\0" + bytes(3 * 48 * 64)}


def test_cut_and_damaged_files_say_what_they_are():
    told = {}
    for kind, data in _files().items():
        ends = (24, len(data) // 2, len(data) - len(data) // 30)
        damaged = data[: len(data) // 2] + bytes(20) + data[len(data) // 2 + 20 :]
        for file in (*(data[:end] for end in ends), damaged):
            try:
                read_picture_file(io.BytesIO(file), frame=None, max_pixels=2_000_000, strip=True)
            except nncodec.UnsupportedImage as error:
                told.setdefault(kind, set()).add(str(error))
    assert {"PNG", "JPEG", "WEBP", "TIFF", "BMP", "JPEG2000", "PPM"} <= told.keys()
    for kind, messages in told.items():
        assert len(messages) == 1, (kind, messages)
        assert re.match(r"an? [A-Z].* that is damaged(,| or) .*; (download or )?copy it again", *messages), messages


def test_what_the_disk_says_of_a_picture_is_passed_on(photo):
    class Disk(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 100:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    out = io.BytesIO()
    photo.save(out, "PNG")
    with pytest.raises(OSError, match="Input/output error"):
        read_picture_file(Disk(out.getvalue()), frame=None, max_pixels=10_000, strip=True)


@pytest.mark.parametrize(
    ("ghostscript", "says"),
    [
        (False, "an EPS drawing; install Ghostscript to read it, or export it as PNG\n"),
        (shutil.which("false"), "an EPS drawing that is damaged, or of a kind"),  # a program that fails
    ],
)
def test_an_eps_file_needs_ghostscript(run, photo, monkeypatch, ghostscript, says):
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", ghostscript)
    photo.save("a.eps")
    result = run("encode", "a.eps", *TINY)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"nncodec: a.eps: {says}")


def test_a_raw_file_in_a_tiff_is_not_read_as_its_thumbnail(run, photo):
    tags = {254: 1, 330: (1000,)}
    photo.save("a.tif", tiffinfo=tags)
    result = run("encode", "a.tif", *TINY)
    assert result.exit_code == 1
    assert "a camera raw file" in result.stderr


def test_heic_without_its_package_names_it(run, photo_nnc, monkeypatch):
    register_packages()
    for suffix in (".heic", ".heics", ".heif", ".heifs", ".hif"):
        monkeypatch.delitem(Image.registered_extensions(), suffix, raising=False)
    Path("folder").mkdir()
    Path("folder/a.heic").write_bytes(HEIC)
    result = run("encode", "-r", "folder", *TINY)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "a HEIC/HEIF picture; pip install pillow-heif to read it" in result.stderr
    result = run("decode", photo_nnc, "-o", "out.heic")
    assert result.exit_code == 2
    assert "pip install pillow-heif" in result.stderr


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="needs pillow-heif")
def test_heic_is_read_and_written(run, photo_nnc):
    assert run("decode", photo_nnc, "-o", "out.heic").exit_code == 0
    with Image.open("out.heic") as image:
        decoded = np.asarray(nncodec.decode(photo_nnc.read_bytes()), np.int16)
        assert image.format == "HEIF"
        assert np.abs(np.asarray(image.convert("RGB"), np.int16) - decoded).mean() < 4
    assert run("encode", "out.heic", *TINY).exit_code == 0
    assert nncodec.inspect(Path("out.nnc").read_bytes()).width == 96


@needs_jxl
def test_jpeg_xl_is_written_without_loss_and_read(run, photo_nnc):
    assert run("decode", photo_nnc, "-o", "out.jxl").exit_code == 0
    with Image.open("out.jxl") as image:
        decoded = nncodec.decode(photo_nnc.read_bytes())
        assert np.array_equal(np.asarray(image), np.asarray(decoded))
    assert run("encode", "out.jxl", *TINY).exit_code == 0
    assert nncodec.inspect(Path("out.nnc").read_bytes()).width == 96


def test_jpeg_xl_without_its_package_names_it(monkeypatch):
    extensions = Image.registered_extensions()
    monkeypatch.delitem(extensions, ".jxl", raising=False)
    assert what_it_is(b"\xff\x0a" + bytes(20)) == "a JPEG XL picture; pip install pillow-jxl-plugin to read it"
    assert "pillow-jxl-plugin" in what_it_is(b"\0\0\0\x0cJXL \r\n\x87\n")


# --- quality and what formats cannot hold -------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif", "pdf", pytest.param("jxl", marks=needs_jxl)])
def test_a_quality_makes_lossy_formats_smaller(run, photo_nnc, suffix):
    sizes = []
    for quality in (20, 80):
        name = f"{quality}.{suffix}"
        assert run("decode", photo_nnc, "-o", name, "-q", quality).exit_code == 0
        sizes.append(Path(name).stat().st_size)
    assert run("decode", photo_nnc, "-o", f"default.{suffix}").exit_code == 0
    assert sizes[0] < sizes[1] < Path(f"default.{suffix}").stat().st_size


def test_a_quality_of_a_lossless_format_is_wrong_usage(run, photo_nnc):
    result = run("decode", photo_nnc, "-o", "out.png", "--quality", 50)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "PNG is lossless and has no quality" in result.stderr
    assert not Path("out.png").exists()


def test_an_icon_is_reduced_with_a_note(run):
    Path("in.nnc").write_bytes(nncodec.encode(Image.new("RGB", (400, 200), "red"), "tiny/rgb"))
    result = run("decode", "in.nnc", "-o", "out.ico")
    assert result.stderr == (
        "nncodec: in.nnc: ICO holds at most 256 pixels a side; the picture is reduced to 256 x 128\n"
    )
    with Image.open("out.ico") as image:
        assert image.size == (256, 128)


def test_a_small_icon_keeps_its_size(run, photo_nnc):
    result = run("decode", photo_nnc, "-o", "out.ico")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open("out.ico") as image:
        assert image.size == (96, 64)


def test_palettes_and_jpeg_in_pdf_are_noted(run, photo):
    image = photo.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    Path("in.nnc").write_bytes(nncodec.encode(image, "tiny/rgb", 100))
    result = run("decode", "in.nnc", "-o", "out.gif")
    assert "GIF holds 256 colours a frame; the picture has more and is reduced" in result.stderr
    assert "GIF pixels are opaque or transparent; partial transparency is lost" in result.stderr
    Path("in.nnc").write_bytes(nncodec.encode(photo, "tiny/rgb", 100))
    assert "PDF holds the picture as JPEG, of quality 95" in run("decode", "in.nnc", "-o", "out.pdf").stderr
    assert "of quality 30" in run("decode", "in.nnc", "-o", "out.pdf", "-f", "-q", 30).stderr


def test_python_reads_the_same_kinds(photo):
    buffer = io.BytesIO()
    photo.save(buffer, "PNG")
    assert nncodec.inspect(nncodec.encode(buffer.getvalue(), "tiny/rgb")).width == 96
