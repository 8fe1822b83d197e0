from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_sound_files_on_stdout_damaged_ones_on_stderr(run, photo_nnc):
    data = bytearray(photo_nnc.read_bytes())
    data[len(data) // 2] ^= 4
    Path("bad.nnc").write_bytes(data)
    Path("cut.nnc").write_bytes(photo_nnc.read_bytes()[:-1])
    Path("long.nnc").write_bytes(photo_nnc.read_bytes() + b"\0")
    result = run("check", "bad.nnc", "cut.nnc", "long.nnc", photo_nnc)
    assert result.exit_code == 1
    assert result.stdout == "photo.nnc: ok\n"
    bad, cut, long = result.stderr.splitlines()
    assert "bad.nnc: the file is damaged (block 0" in bad
    assert "cut.nnc: the file ends" in cut
    assert "long.nnc: the file is damaged (1 bytes follow" in long


def test_every_flipped_byte_is_found(run, photo):
    import nncodec

    data = nncodec.encode(photo.resize((8, 8)), "tiny/rgb")
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        Path("x.nnc").write_bytes(flipped)
        assert run("check", "x.nnc").exit_code == 1, position


def test_no_model_is_needed(run, photo_nnc, monkeypatch):
    from nncodec.plugin import discovery, registry

    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "tiny")
    registry.refresh()
    assert run("check", photo_nnc).exit_code == 0


def test_json_stdin_and_folders(run, photo_nnc):
    Path("sub").mkdir()
    Path("sub/bad.nnc").write_bytes(b"bad")
    result = run("check", "--json", "-r", ".", "-", input=photo_nnc.read_bytes())
    entries = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {entry["file"]: entry["ok"] for entry in entries} == {"photo.nnc": True, "sub/bad.nnc": False, "-": True}
    assert "not an .nnc file" in entries[1]["error"]


NAMES = ("写真.nnc", "\x1b[31mred.nnc", "two\nlines.nnc", os.fsdecode(b"\xff.nnc"))


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
@pytest.mark.parametrize("command", ["check", "info", "decode"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_names_that_a_terminal_cannot_show_end_nothing(photo_nnc, command, encoding):
    for name in (*NAMES, "z.nnc"):
        shutil.copy(photo_nnc, name)
    verbose = ("-v",) if command == "decode" else ()
    done = subprocess.run(
        [sys.executable, "-m", "nncodec", command, *NAMES, "z.nnc", *verbose],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = (done.stdout + done.stderr).decode(encoding)
    assert all(c.isprintable() for c in shown if c != "\n")
    assert ("写真.nnc" if encoding == "utf-8" else r"\u5199\u771f.nnc") in shown
    assert "?[31mred.nnc" in shown
    assert "z.nnc" in shown


@pytest.mark.parametrize("command", ["check", "info", "decode"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\x8eNNX\1\2\3", "not an .nnc file (it does not begin with 8E 4E 4E 43)"),
        (b"<!DOCTYPE html><html></html>", "an HTML page, not an .nnc file"),
        (b"\x1f\x8b\x08\0", "a gzip archive, not an .nnc file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer instead of the file"),
        ("PNG", "a picture of the format PNG, not an .nnc file; 'nncodec encode' makes one of it"),
        ("JPEG", "a picture of the format JPEG, not an .nnc file"),
    ],
)
def test_a_file_of_another_kind_is_told(run, photo, command, content, says):
    if isinstance(content, bytes):
        Path("x.nnc").write_bytes(content)
    else:
        photo.save("x.nnc", content)
    result = run(command, "x.nnc")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"nncodec: x.nnc: {says}")
