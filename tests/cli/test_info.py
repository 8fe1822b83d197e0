from __future__ import annotations

import json
from pathlib import Path

import pytest

import nncodec
from nncodec.plugin import discovery


@pytest.mark.usefixtures("codecs_only")
def test_readable_lines(run, photo_nnc):
    result = run("info", photo_nnc)
    size = photo_nnc.stat().st_size
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "photo.nnc"
    assert lines[1].split() == ["size", "96", "x", "64", "pixels,", "RGB"]
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[1:]}
    assert shown["frames"] == "1"
    assert shown["quality"] == "100"
    assert "tiny/rgb" in shown["model"]
    assert "not installed" not in shown["model"]
    assert shown["bytes"].startswith(f"{size:,}, ")
    assert shown["rate"] == f"{8 * size / 6144:.3f} bits per pixel"


def test_json(run, photo_nnc, photo):
    Path("two.nnc").write_bytes(nncodec.encode([photo, photo], "tiny/rgb", exif=b"II*\0", downscale=2))
    result = run("info", photo_nnc, "two.nnc", "--json")
    one, two = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (one["file"], one["frames"], one["installed"]) == ("photo.nnc", 1, True)
    assert (two["frames"], two["chunks"]["exif"], two["coded_size"]) == (2, 4, [48, 32])
    assert two["rate_bpp"] == round(8 * Path("two.nnc").stat().st_size / (2 * 6144), 4)


def test_errors_are_lines_and_entries(run, photo_nnc):
    Path("bad.nnc").write_bytes(b"bad")
    result = run("info", "bad.nnc", photo_nnc, "missing.nnc", "--json")
    assert result.exit_code == 1
    assert [sorted(entry) == ["error", "file"] for entry in json.loads(result.stdout)] == [True, False, True]
    assert result.stderr.splitlines() == [
        "nncodec: bad.nnc: a text file, not an .nnc file",
        "nncodec: missing.nnc: No such file or directory",
    ]


def test_stdin_and_folders(run, photo_nnc):
    result = run("info", "-", input=photo_nnc.read_bytes())
    assert result.stdout.startswith("-\n  size ")
    assert [entry["file"] for entry in json.loads(run("info", "-r", ".", "--json").stdout)] == ["photo.nnc"]


@pytest.mark.usefixtures("codecs_only")
def test_a_missing_model_is_reported(run, photo_nnc, monkeypatch):
    from nncodec.plugin import registry

    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "tiny")
    registry.refresh()
    result = run("info", photo_nnc)
    assert result.exit_code == 0
    assert "not installed" in result.stdout


def test_what_a_terminal_would_obey_is_not_shown(run, photo):
    from nncodec.format.container import Container, write
    from nncodec.format.header import ChunkType

    container = Container(nncodec.encode(photo, "tiny/rgb"))
    chunks = {ChunkType.MODEL_NAME: b"\x1b]0;owned\x07\nname"}
    Path("evil.nnc").write_bytes(write(container.header, chunks, [container.block(0)]))
    result = run("info", "evil.nnc")
    assert "owned" in result.stdout
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout


def test_settings_of_any_shape_are_shown_or_left_out(run, photo):
    from nncodec.format.container import Container, write
    from nncodec.format.header import ChunkType

    container = Container(nncodec.encode(photo, "tiny/rgb"))
    settings = b'{"effort": 3, "deep": ' + 900 * b"[" + 900 * b"]" + b', "number": NaN}'
    Path("evil.nnc").write_bytes(write(container.header, {ChunkType.SETTINGS: settings}, [container.block(0)]))
    (entry,) = json.loads(run("info", "--json", "evil.nnc").stdout, parse_constant=lambda _: pytest.fail("not JSON"))
    assert entry["settings"] == {"effort": 3}
    assert "settings effort 3" in run("info", "evil.nnc").stdout


def test_pixels_are_not_counted_against_a_limit(run, photo):
    from nncodec.format.container import Container, write

    container = Container(nncodec.encode(photo, "tiny/rgb"))
    import dataclasses

    header = dataclasses.replace(container.header, width=1 << 20, height=1 << 20, display_size=(1 << 20, 1 << 20))
    Path("huge.nnc").write_bytes(write(header, {}, [container.block(0)]))
    assert "1048576 x 1048576" in run("info", "huge.nnc").stdout
    assert run("check", "huge.nnc").exit_code == 0
    result = run("decode", "huge.nnc")
    assert result.exit_code == 1
    assert "over the limit" in result.stderr


def test_a_recommended_enhancer_is_shown(run, photo_png, monkeypatch):
    from nncodec.plugin import registry

    options = ("-m", "tiny/rgb", "--enhancer", "tiny/keep", "--enhancer-strength", "0.25")
    assert run("encode", photo_png, *options).exit_code == 0
    digest = registry.catalog().find("tiny/keep").digest
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in run("info", "photo.nnc").stdout.splitlines()[1:]}
    assert shown["enhancer"] == f"tiny/keep recommended, strength 0.25, id {digest[:16]}, installed"
    assert "enhancer 18 bytes" in shown["chunks"]
    (entry,) = json.loads(run("info", "photo.nnc", "--json").stdout)
    assert entry["enhancer"] == {"name": "tiny/keep", "id": digest[:16], "strength": 0.25, "installed": True}
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "tiny")
    registry.refresh()
    assert f"id {digest[:16]}, not installed" in run("info", "photo.nnc").stdout


def test_no_enhancer_is_shown_where_none_is_recommended(run, photo_nnc):
    assert "enhancer" not in run("info", photo_nnc).stdout
    (entry,) = json.loads(run("info", photo_nnc, "--json").stdout)
    assert entry["enhancer"] is None


def test_a_recommendation_that_makes_no_sense_is_no_damage(run, photo):
    from nncodec.format.container import Container, write
    from nncodec.format.header import ChunkType

    container = Container(nncodec.encode(photo, "tiny/rgb"))
    Path("evil.nnc").write_bytes(write(container.header, {ChunkType.ENHANCER: b"\xff"}, [container.block(0)]))
    for command in ("info", "check", "decode"):
        assert run(command, "evil.nnc").exit_code == 0
    result = run("decode", "evil.nnc", "--enhancer", "recommended", "-o", "enhanced.png")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "recommend" in result.stderr
