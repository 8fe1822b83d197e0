"""`nncodec desktop`: what it installs, and that the system's own tools then know .nnc files."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageCms

import nncodec
from nncodec.cli import main
from nncodec.cli.desktop import thumbnail
from nncodec.plugin import discovery, registry

MODEL = "conv/photo"
PLACES = {
    "mime/packages/nncodec.xml",
    "icons/hicolor/scalable/mimetypes/image-x-nnc.svg",
    "thumbnailers/nncodec.thumbnailer",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder of the user, with a space in its name."""
    folder = tmp_path / "data home"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A wide picture that EXIF turns upright."""
    image = Image.linear_gradient("L").resize((96, 48)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    return image


@pytest.fixture
def lossless(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled lossless model, which other tests of the command line do without."""
    monkeypatch.delenv(discovery.DISABLED_VARIABLE)
    registry.refresh()


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_install_writes_three_files_and_uninstall_removes_them(home: Path) -> None:
    printed = run("desktop", "install")
    assert {str(home / place) for place in PLACES} <= set(printed.splitlines())
    assert files_below(home) >= PLACES
    run("desktop", "install")  # again, as after an update
    run("desktop", "uninstall")
    assert not files_below(home) & PLACES
    failed = CliRunner().invoke(main, ["desktop", "uninstall"])
    assert failed.exit_code == 1
    assert str(home) in failed.output


def test_a_relative_data_folder_is_ignored_as_the_standard_demands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    run("desktop", "install")
    assert files_below(tmp_path / ".local" / "share") >= PLACES


def test_without_the_database_a_line_says_what_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    done = CliRunner().invoke(main, ["desktop", "install"])
    assert done.exit_code == 0
    assert "shared-mime-info" in done.stderr
    assert files_below(home) == PLACES


@pytest.mark.skipif(
    not (shutil.which("update-mime-database") and shutil.which("gio")), reason="needs shared-mime-info and gio"
)
def test_the_system_knows_the_type_by_name_and_by_magic(home: Path, tmp_path: Path, picture: Image.Image) -> None:
    run("desktop", "install")
    data = nncodec.encode(picture, MODEL)
    for name in ("a.nnc", "without-extension"):
        (tmp_path / name).write_bytes(data)
        told = subprocess.run(
            ["gio", "info", "-a", "standard::content-type,standard::icon", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "LC_ALL": "C"},
        ).stdout
        assert "standard::content-type: image/x-nnc" in told
        assert "image-x-nnc" in told
    run("desktop", "uninstall")
    (tmp_path / "b.nnc").write_bytes(data)
    told = subprocess.run(["gio", "info", str(tmp_path / "b.nnc")], capture_output=True, text=True, check=True).stdout
    assert "image/x-nnc" not in told


def test_the_installed_thumbnailer_draws_a_file_that_has_a_preview(
    home: Path, tmp_path: Path, picture: Image.Image
) -> None:
    run("desktop", "install")
    source, target = tmp_path / "an image.nnc", tmp_path / "thumbnail.png"
    source.write_bytes(nncodec.encode(picture, MODEL, preview=True))
    entry = (home / "thumbnailers" / "nncodec.thumbnailer").read_text()
    settings = dict(line.split("=", 1) for line in entry.splitlines()[1:])
    assert entry.startswith("[Thumbnailer Entry]\n")
    assert settings["MimeType"] == "image/x-nnc;"
    assert settings["TryExec"] == sys.executable
    placed = {"%s": "64", "%i": str(source), "%o": str(target)}
    command = [placed.get(part, part) for part in settings["Exec"].split(" ")]
    subprocess.run(command, check=True)
    with Image.open(target) as image:
        assert image.size == (32, 64)


def test_a_thumbnail_comes_from_the_preview_and_else_from_the_picture(
    tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, previewed = tmp_path / "plain.nnc", tmp_path / "previewed.nnc"
    plain.write_bytes(nncodec.encode(picture, MODEL))
    previewed.write_bytes(nncodec.encode(picture, MODEL, preview=True))
    for source, size in ((plain, 64), (plain, 1000), (previewed, 64)):
        with Image.open(io.BytesIO(thumbnail(source, size))) as image:
            assert image.size == ((32, 64) if size == 64 else (48, 96))
            assert image.format == "PNG"
    monkeypatch.setattr(nncodec, "decode", lambda *given, **options: pytest.fail("decoded"))
    thumbnail(previewed, 64)


def test_a_preview_never_makes_a_thumbnail_smaller(tmp_path: Path) -> None:
    source = tmp_path / "previewed.nnc"
    for preview in (64, True):
        source.write_bytes(nncodec.encode(Image.new("RGB", (320, 160), "red"), MODEL, preview=preview))
        for size in (64, 128, 256):
            with Image.open(io.BytesIO(thumbnail(source, size))) as image:
                assert image.size == (size, size // 2)


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_has_a_thumbnail(tmp_path: Path, mode: str, preview: bool) -> None:
    halves = Image.new("L", (96, 48), 40)
    halves.paste(200, (0, 0, 48, 48))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(halves).astype(np.uint16) * 257)
    else:
        image = halves.quantize(8) if mode == "P" else halves.convert("RGB").convert(mode)
    (tmp_path / "a.nnc").write_bytes(nncodec.encode(image, lossless=True, preview=preview))
    with Image.open(io.BytesIO(thumbnail(tmp_path / "a.nnc", 32))) as small:
        assert small.size == (32, 16)
        levels = [small.convert("L").getpixel((x, 8)) for x in (8, 24)]
        assert levels == pytest.approx([200, 40], abs=20)  # previews are lossy, and mode 1 is dithered


@pytest.mark.usefixtures("lossless")
def test_black_and_white_becomes_grey_where_it_is_reduced(tmp_path: Path) -> None:
    stripes = Image.fromarray(np.tile(np.array([False, True]), (64, 32)))
    (tmp_path / "a.nnc").write_bytes(nncodec.encode(stripes, lossless=True))
    with Image.open(io.BytesIO(thumbnail(tmp_path / "a.nnc", 16))) as small:
        assert small.getextrema() == pytest.approx((127, 127), abs=20)


def _cut_out(mode: str) -> Image.Image:
    """Return a picture whose left half is transparent, and red below."""
    image = Image.new("RGBA", (300, 200), (0, 0, 255, 255))
    image.paste((255, 0, 0, 0), (0, 0, 150, 200))
    if mode != "P":
        return image.convert(mode)
    palette = Image.new("P", image.size, 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 150, 200))
    palette.info["transparency"] = 0
    return palette


@pytest.mark.usefixtures("lossless")
@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(("mode", "options"), [("RGBA", {"lossless": True}), ("LA", {}), ("P", {"lossless": True})])
def test_what_is_transparent_stays_so(tmp_path: Path, mode: str, options: dict[str, bool], preview: bool) -> None:
    data = nncodec.encode(_cut_out(mode), preview=preview, **options)
    (tmp_path / "a.nnc").write_bytes(data)
    with Image.open(io.BytesIO(thumbnail(tmp_path / "a.nnc", 30))) as small:
        assert [small.convert("RGBA").getpixel((x, 10))[3] for x in (4, 25)] == [0, 255]


def test_xmp_turns_a_preview_and_the_profile_stays(tmp_path: Path, picture: Image.Image) -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = nncodec.encode(picture, MODEL, preview=True, exif=None, xmp=xmp, icc_profile=profile)
    (tmp_path / "a.nnc").write_bytes(data)
    with Image.open(io.BytesIO(thumbnail(tmp_path / "a.nnc", 64))) as small:
        assert small.size == (32, 64)
        assert small.info == {"icc_profile": profile}


def test_a_damaged_file_has_a_line_and_leaves_no_thumbnail(tmp_path: Path, picture: Image.Image) -> None:
    source, target = tmp_path / "a.nnc", tmp_path / "a.png"
    source.write_bytes(nncodec.encode(picture, MODEL)[:-1])
    done = CliRunner().invoke(main, ["desktop", "thumbnail", str(source), str(target)])
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert not target.exists()


@pytest.mark.parametrize("name", ["a.nnc", "./a.nnc", "link.png"])
def test_a_thumbnail_never_replaces_its_input(
    tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    data = nncodec.encode(picture, MODEL)
    Path("a.nnc").write_bytes(data)
    Path("link.png").symlink_to("a.nnc")
    done = CliRunner().invoke(main, ["desktop", "thumbnail", "a.nnc", name])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert Path("a.nnc").read_bytes() == data


def test_a_large_picture_without_a_preview_is_not_decoded(
    tmp_path: Path, picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.nnc").write_bytes(nncodec.encode(picture, MODEL))
    monkeypatch.setattr("nncodec.cli.desktop.MOST_PIXELS", 96 * 48 - 1)
    with pytest.raises(nncodec.LimitExceeded):
        thumbnail(tmp_path / "a.nnc", 64)


@pytest.mark.skipif(not shutil.which("file"), reason="needs file")
def test_the_magic_on_the_page_tells_file_the_type(tmp_path: Path, picture: Image.Image) -> None:
    page = (Path(__file__).parents[2] / "docs" / "ui.md").read_text(encoding="utf-8")
    found = re.search(r"^```text\n(.*?)^```", page, re.M | re.S)
    assert found is not None
    (tmp_path / "magic").write_text(found[1])
    (tmp_path / "a").write_bytes(nncodec.encode(picture, MODEL))
    command = ["file", "-b", "--mime-type", "-m", str(tmp_path / "magic"), str(tmp_path / "a")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "image/x-nnc"
