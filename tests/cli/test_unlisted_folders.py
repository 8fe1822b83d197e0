"""Folders below an input that are not read: one that cannot be listed fails, and a link to one is told."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

TINY = ("-m", "tiny/rgb")


@pytest.fixture
def locked(photo_nnc, photo_png, monkeypatch):
    """A folder with a file that is read, and a folder that cannot be listed: root may list any, so scandir refuses."""
    for folder in ("in/ok", "in/locked"):
        Path(folder).mkdir(parents=True)
        shutil.copy(photo_nnc, Path(folder, "coded.nnc"))
        shutil.copy(photo_png, Path(folder, "picture.png"))
    scandir = os.scandir

    def refusing(path="."):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return Path("in")


REFUSED = f"{Path('in/locked')}: cannot list it: {os.strerror(errno.EACCES)}"


@pytest.mark.parametrize(
    ("arguments", "done"),
    [
        (("check",), None),
        (("info",), None),
        (("encode", *TINY, "-o", "out"), "out/ok/picture.nnc"),
        (("decode", "-o", "out"), "out/ok/coded.png"),
        (("enhance", "-m", "tiny/keep", "-o", "out"), "out/ok/picture.png"),
    ],
)
def test_a_folder_that_cannot_be_listed_fails_and_the_others_are_done(run, locked, arguments, done):
    command, *rest = arguments
    result = run(command, "-r", locked, *rest)
    assert result.exit_code == 1
    assert REFUSED in result.stderr
    assert "coded.nnc" in result.stdout if done is None else Path(done).is_file()


def test_a_folder_that_cannot_be_listed_fails_when_it_is_all_there_is(run, locked):
    result = run("encode", "-r", locked / "locked", *TINY, "-o", "out")
    assert (result.exit_code, result.stderr) == (1, f"nncodec: {REFUSED}\n")


def test_a_program_that_checks_reads_of_the_folder(run, locked):
    result = run("check", "-r", "--json", locked)
    assert {entry["file"]: entry["ok"] for entry in json.loads(result.stdout)} == {
        str(locked / "ok/coded.nnc"): True,
        str(locked / "locked"): False,
    }


def test_a_link_to_a_folder_is_told_and_not_followed(run, photo_nnc):
    Path("in").mkdir()
    Path("elsewhere").mkdir()
    shutil.copy(photo_nnc, "in/coded.nnc")
    shutil.copy(photo_nnc, "elsewhere/other.nnc")
    Path("in/linked").symlink_to("../elsewhere")
    result = run("check", "-r", "in")
    assert result.exit_code == 0
    assert f"nncodec: {Path('in/linked')}: a link to a folder, which is not followed" in result.stderr
    assert "other.nnc" not in result.stdout
    assert "linked" not in run("decode", "-r", "in", "-o", "out", "--quiet").stderr
