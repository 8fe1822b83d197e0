from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, features

import nncodec
from nncodec.cli import demo


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The photographs, cut small, and one repetition: what is tested is not their size."""
    whole = demo._photograph
    monkeypatch.setattr(demo, "_photograph", lambda name: whole(name).crop((100, 50, 228, 146)))
    monkeypatch.setattr(demo, "_REPEATS", 1)


def rows_of(output: str) -> dict[str, list[str]]:
    lines = output.split("\n\n")[1].splitlines()
    return {line.split()[0]: line.split() for line in lines[1:]}


@pytest.mark.parametrize("picture", ["astronaut", "chelsea", "coffee"])
def test_compares_at_no_more_than_the_same_size(run, picture):
    result = run("demo", picture, "-m", "tiny/rgb", "-q", 60)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{picture}, 128 x 96 pixels, 36,864 bytes uncompressed\n")
    rows = rows_of(result.stdout)
    assert list(rows) == ["nncodec", "JPEG", "WebP", "AVIF"]
    original = demo._photograph(picture)
    size = len(nncodec.encode(original, "tiny/rgb", 60))
    assert rows["nncodec"][1:4] == ["tiny/rgb", "60", f"{size:,}"]
    for name in ("JPEG", "WebP", "AVIF"):
        assert 0.5 * size < int(rows[name][2].replace(",", "")) <= size
    with Image.open("demo.png") as sheet:
        assert sheet.width > 5 * 128
        assert sheet.height > 96
        left = sheet.crop((12, 56, 140, 152))
        assert left.tobytes() == original.tobytes()


def test_the_default_model_and_an_output(run):
    result = run("demo", "-o", "folder/x.png")
    assert result.exit_code == 0
    assert rows_of(result.stdout)["nncodec"][1] == "photo"
    assert Path("folder/x.png").is_file()


def test_what_is_there_is_kept_unless_forced(run):
    Path("demo.png").write_bytes(b"mine")
    result = run("demo", "-m", "tiny/rgb")
    assert result.exit_code == 1
    assert result.stderr == "nncodec: demo.png is already there; use -f to overwrite it\n"
    assert Path("demo.png").read_bytes() == b"mine"
    assert run("demo", "-m", "tiny/rgb", "-f").exit_code == 0


def test_a_codec_that_is_not_there_is_said(run, monkeypatch):
    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "avif" and check(name))
    result = run("demo", "-m", "tiny/rgb")
    assert rows_of(result.stdout)["AVIF"] == ["AVIF", *"--------"]
    assert "This Pillow was built without AVIF." in result.stdout


def test_a_codec_that_cannot_be_so_small_is_said(run, monkeypatch):
    neural = demo._neural
    import dataclasses

    monkeypatch.setattr(demo, "_neural", lambda *a: dataclasses.replace(neural(*a), size_bytes=300))
    result = run("demo", "-m", "tiny/rgb")
    assert result.exit_code == 0
    assert "Even the lowest quality of JPEG takes more bytes." in result.stdout
    assert rows_of(result.stdout)["JPEG"][1] == "1"


@pytest.mark.parametrize("arguments", [("nobody",), ("-m", "no/model"), ("-q", "101")])
def test_wrong_usage(run, arguments):
    assert run("demo", *arguments).exit_code == 2
