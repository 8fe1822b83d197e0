"""Many files at once: lists, repeated runs, names that collide, and the summary."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from PIL import Image

import nncodec
from nncodec._support.files import write_file

TINY = ("-m", "tiny/rgb")


@pytest.fixture
def pictures(photo):
    Path("in").mkdir()
    for number in range(3):
        photo.rotate(90 * number).save(f"in/{number}.png")
    return Path("in")


def names_below(folder: str) -> list[str]:
    return sorted(Path(p).relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


# --- again --------------------------------------------------------------------------------------------------------


def test_a_folder_encoded_again_skips_what_is_there(run, pictures):
    assert run("encode", "-r", pictures, *TINY, "-o", "out").exit_code == 0
    Path("out/1.nnc").unlink()  # as after Ctrl-C
    before = Path("out/0.nnc").stat().st_mtime_ns
    result = run("encode", "-r", pictures, *TINY, "-o", "out", "--skip-existing")
    assert (result.exit_code, result.output) == (0, "")
    assert names_below("out") == ["0.nnc", "1.nnc", "2.nnc"]
    assert Path("out/0.nnc").stat().st_mtime_ns == before
    result = run("encode", "-r", pictures, *TINY, "-o", "out", "--skip-existing", "-v")
    assert "in/0.png: skipped, out/0.nnc is there" in result.stderr
    assert ", 3 skipped" in result.stderr


def test_update_encodes_what_is_newer(run, pictures):
    assert run("encode", "-r", pictures, *TINY, "-o", "out").exit_code == 0
    for number, age_s in ((0, 100), (1, -100)):
        os.utime(f"in/{number}.png", (Path(f"out/{number}.nnc").stat().st_mtime - age_s,) * 2)
    Path("out/2.nnc").unlink()
    result = run("encode", "-r", pictures, *TINY, "-o", "out", "--update", "-v")
    assert result.exit_code == 0
    assert "in/0.png: skipped" in result.stderr
    assert "in/1.png -> out/1.nnc" in result.stderr
    assert "in/2.png -> out/2.nnc" in result.stderr


def test_decoded_frames_that_are_there_are_skipped(run, photo):
    Path("in.nnc").write_bytes(nncodec.encode([photo, photo], "tiny/rgb"))
    assert run("decode", "in.nnc").exit_code == 0
    result = run("decode", "in.nnc", "--skip-existing", "-v")
    assert (result.exit_code, result.stderr) == (0, "in.nnc: skipped, its frames are there\n")


def test_frames_that_are_missing_are_written_beside_those_that_are_there(run, photo):
    Path("in.nnc").write_bytes(nncodec.encode([photo] * 3, "tiny/rgb"))
    Path("in-0001.png").write_bytes(b"mine")
    assert run("decode", "in.nnc", "--skip-existing").exit_code == 0
    assert Path("in-0001.png").read_bytes() == b"mine"
    assert Path("in-0000.png").read_bytes() == Path("in-0002.png").read_bytes()


@pytest.mark.parametrize("command", [("decode",), ("enhance", "-m", "tiny/keep")])
def test_update_writes_frames_that_are_older_than_the_input(run, photo, command):
    Path("in.nnc").write_bytes(nncodec.encode([photo] * 3, "tiny/rgb"))
    assert run(*command, "in.nnc", "-o", "out/").exit_code == 0
    for number, age_s in ((0, -100), (1, 100)):
        Path(f"out/in-000{number}.png").write_bytes(b"mine")
        os.utime(f"out/in-000{number}.png", (Path("in.nnc").stat().st_mtime - age_s,) * 2)
    Path("out/in-0002.png").unlink()
    assert run(*command, "in.nnc", "-o", "out/", "--update").exit_code == 0
    assert Path("out/in-0000.png").read_bytes() == b"mine"
    assert Path("out/in-0001.png").read_bytes() == Path("out/in-0002.png").read_bytes()
    result = run(*command, "in.nnc", "-o", "out/", "--update", "-v")
    assert (result.exit_code, result.stderr) == (0, "in.nnc: skipped, its frames are there\n")


def test_frames_are_written_all_or_none(run, photo, monkeypatch):
    def write(target, data):
        if target.name == "in-0002.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_file(target, data)

    monkeypatch.setattr("nncodec.cli.work.write_file", write)
    Path("in.nnc").write_bytes(nncodec.encode([photo] * 4, "tiny/rgb"))
    Path("in-0000.png").write_bytes(b"mine")
    result = run("decode", "in.nnc", "--skip-existing", "--quiet")
    reason = os.strerror(errno.ENOSPC)
    assert (result.exit_code, result.stderr) == (1, f"nncodec: in.nnc: cannot write in-0002.png: {reason}\n")
    assert [path.name for path in Path().glob("in-*")] == ["in-0000.png"]
    assert Path("in-0000.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "options", [("-f", "--update"), ("-f", "--skip-existing"), ("--update", "--skip-existing"), ("-v", "--quiet")]
)
def test_options_that_contradict_are_wrong_usage(run, photo_png, options):
    result = run("encode", photo_png, *TINY, *options)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "exclude each other" in result.stderr


# --- lists --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"in/0.png\nin/2.png\n", b"in/0.png\r\n\r\nin/2.png", b"in/0.png\0in/2.png\0"])
@pytest.mark.parametrize("listed", ["list.txt", "-"])
def test_inputs_come_from_a_list(run, pictures, text, listed):
    Path("list.txt").write_bytes(text)
    result = run("encode", "--files-from", listed, *TINY, "-o", "out", input=text if listed == "-" else None)
    assert (result.exit_code, result.output) == (0, "")
    assert names_below("out") == ["0.nnc", "2.nnc"]


def test_a_list_adds_to_the_inputs_and_may_be_empty(run, pictures):
    Path("list.txt").write_text("in/2.png")
    assert run("encode", "in/0.png", "--files-from", "list.txt", *TINY, "-o", "out").exit_code == 0
    assert names_below("out") == ["0.nnc", "2.nnc"]
    Path("list.txt").write_text("")
    assert run("encode", "--files-from", "list.txt", *TINY, "-o", "out").exit_code == 0


def test_lists_that_cannot_be_read(run):
    result = run("encode", "--files-from", "missing.txt", *TINY)
    assert (result.exit_code, result.stderr) == (1, "nncodec: missing.txt: No such file or directory\n")
    assert run("encode", "-", "--files-from", "-", *TINY).exit_code == 2


# --- names --------------------------------------------------------------------------------------------------------


def test_names_that_collide_fail_alone(run, photo, pictures):
    photo.save("in/0.jpg")
    photo.save("in/0.bmp")
    result = run("encode", "-r", pictures, *TINY, "-o", "out")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["in/0.bmp", "in/0.jpg", "in/0.png", "3 of 5 files failed"]
    assert all("in/0.bmp and in/0.jpg and in/0.png would all be written to out/0.nnc" in line for line in lines[:3])
    assert names_below("out") == ["1.nnc", "2.nnc"]


def test_extensions_that_are_kept_do_not_collide(run, photo):
    photo.save("same.png")
    photo.save("same.jpg")
    assert run("encode", "same.png", "same.jpg", *TINY, "--keep-extension").exit_code == 0
    assert Path("same.png.nnc").is_file()
    assert Path("same.jpg.nnc").is_file()
    assert run("decode", "same.png.nnc", "-o", "back/").exit_code == 0
    assert names_below("back") == ["same.png.png"]
    assert run("decode", "same.png.nnc", "-o", "more/", "--keep-extension").exit_code == 0
    assert names_below("more") == ["same.png.nnc.png"]


def test_a_file_given_twice_is_done_once(run, photo_png):
    assert run("encode", photo_png, "./photo.png", *TINY).exit_code == 0


def test_several_folders_keep_their_names(run, photo):
    for folder in ("a/pictures", "b"):
        Path(folder).mkdir(parents=True)
        photo.save(f"{folder}/one.png")
    assert run("encode", "-r", "a/pictures", "b", *TINY, "-o", "out").exit_code == 0
    assert names_below("out") == ["b/one.nnc", "pictures/one.nnc"]
    assert run("encode", "-r", "a/pictures", *TINY, "-o", "single").exit_code == 0
    assert names_below("single") == ["one.nnc"]


def test_one_result_over_an_input_does_not_stop_the_rest(run, photo):
    data = nncodec.encode(photo, "tiny/rgb")
    for name in ("a.nnc", "b.nnc"):
        Path(name).write_bytes(data)
    photo.save("a.png")
    Path("list.txt").write_text("a.nnc\nb.nnc\na.png\n")
    result = run("decode", "--files-from", "list.txt", "-f")
    assert "a.png is an input" in result.stderr
    assert Path("b.png").is_file()


# --- what is shown ------------------------------------------------------------------------------------------------


def test_verbose_shows_sizes_and_a_summary(run, pictures):
    result = run("encode", "-r", pictures, *TINY, "-o", "out", "-v")
    *files, summary = result.stderr.splitlines()
    for number, line in enumerate(files):
        before, after = Path(f"in/{number}.png").stat().st_size, Path(f"out/{number}.nnc").stat().st_size
        assert line.startswith(f"in/{number}.png -> out/{number}.nnc: {before:,} -> {after:,} bytes, ")
    assert re.fullmatch(r"3 files, [\d.]+ kB -> [\d.]+ kB, [\d.]+ s", summary)


def test_a_terminal_shows_the_summary_unless_it_shall_be_quiet(pictures, watched):
    done, shown = watched("encode", "-r", pictures, *TINY, "-o", "out")
    assert done.returncode == 0
    assert b"3 files, " in shown
    done, shown = watched("encode", "-r", pictures, *TINY, "-o", "out", "-f", "--quiet")
    assert (done.returncode, shown) == (0, b"")


def test_quiet_leaves_failures(run, photo):
    photo.quantize(8).save("a.png")
    assert run("encode", "a.png", *TINY).stderr != ""
    result = run("encode", "a.png", *TINY, "--quiet", "-f")
    assert (result.exit_code, result.output) == (0, "")
    result = run("encode", "a.png", *TINY, "--quiet")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_a_result_that_is_larger_is_noted(run):
    Image.new("RGB", (8, 8)).save("a.png", compress_level=9)
    result = run("encode", "a.png", *TINY, "--preview")
    before, after = Path("a.png").stat().st_size, Path("a.nnc").stat().st_size
    assert after > before
    assert f"nncodec: a.png: the result is larger than the input: {before:,} -> {after:,} bytes\n" in result.stderr
