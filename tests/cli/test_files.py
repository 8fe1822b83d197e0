from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

import nncodec
from nncodec._support.files import write_file

TINY = ("-m", "tiny/rgb")


@pytest.fixture
def tree(photo):
    for name in ("in/one.png", "in/deep/two.jpg", "in/deep/three.BMP", "in/.hidden.png", "in/.git/four.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(name)
    Path("in/notes.txt").write_text("not a picture")
    return Path("in")


def names_below(folder: str) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def test_recursive_mirrors_the_folders(run, tree):
    assert run("encode", "-r", tree, *TINY, "-o", "out").exit_code == 0
    assert names_below("out") == ["deep/three.nnc", "deep/two.nnc", "one.nnc"]
    assert run("decode", "-r", "out", "-o", "back", "--format", "bmp").exit_code == 0
    assert names_below("back") == ["deep/three.bmp", "deep/two.bmp", "one.bmp"]


def test_recursive_without_output_writes_beside(run, tree):
    assert run("encode", "-r", tree, *TINY).exit_code == 0
    assert Path("in/deep/two.nnc").is_file()
    assert not Path("in/.hidden.nnc").exists()


def test_a_folder_needs_r(run, tree):
    result = run("encode", tree, *TINY)
    assert result.exit_code == 2
    assert "use -r" in result.stderr


def test_a_folder_without_pictures(run):
    Path("empty").mkdir()
    result = run("encode", "-r", "empty", *TINY)
    assert result.exit_code == 2
    assert "there is no suitable file in empty" in result.stderr


def test_several_inputs_go_into_a_folder_that_is_made(run, photo):
    photo.save("a.png")
    photo.save("b.webp")
    assert run("encode", "a.png", "b.webp", *TINY, "-o", "new/folder").exit_code == 0
    assert names_below("new/folder") == ["a.nnc", "b.nnc"]


@pytest.mark.parametrize("output", ["there", "new/"])
def test_one_input_into_a_folder(run, photo_png, output):
    Path("there").mkdir()
    assert run("encode", photo_png, *TINY, "-o", output).exit_code == 0
    assert names_below(output) == ["photo.nnc"]


def test_one_input_to_a_file_of_any_name(run, photo_png):
    assert run("encode", photo_png, *TINY, "-o", "x/y.dat").exit_code == 0
    assert nncodec.inspect(Path("x/y.dat").read_bytes()).mode == "RGB"


def test_two_results_for_one_file_are_refused(run, photo):
    photo.save("a.png")
    photo.save("a.jpg")
    result = run("encode", "a.png", "a.jpg", *TINY)
    assert result.exit_code == 1
    assert result.stderr.count("a.png and a.jpg would both be written to a.nnc") == 2
    assert not Path("a.nnc").exists()


def test_a_result_over_an_input_is_refused_even_with_force(run, photo_png):
    before = photo_png.read_bytes()
    result = run("encode", photo_png, *TINY, "-f", "-o", "./photo.png")
    assert result.exit_code == 2
    assert "is an input" in result.stderr
    assert photo_png.read_bytes() == before


def test_what_is_there_is_kept_unless_forced(run, photo_png):
    Path("photo.nnc").write_bytes(b"mine")
    result = run("encode", photo_png, *TINY)
    assert result.exit_code == 1
    assert result.stderr == "nncodec: photo.png: photo.nnc is already there; use -f to overwrite it\n"
    assert Path("photo.nnc").read_bytes() == b"mine"
    assert run("encode", photo_png, *TINY, "-f").exit_code == 0
    assert nncodec.inspect(Path("photo.nnc").read_bytes()).width == 96


def test_several_inputs_need_a_folder(run, photo):
    photo.save("a.png")
    photo.save("b.png")
    Path("file").touch()
    result = run("encode", "a.png", "b.png", *TINY, "-o", "file")
    assert result.exit_code == 2
    assert "not a folder" in result.stderr
    result = run("encode", "a.png", "b.png", *TINY, "-o", "-")
    assert result.exit_code == 2
    assert "stdout" in result.stderr


def test_stdin_once_and_with_a_name(run, photo_png):
    assert run("encode", "-", "-", *TINY).exit_code == 2
    Path("folder").mkdir()
    result = run("encode", "-", *TINY, "-o", "folder", input=photo_png.read_bytes())
    assert result.exit_code == 2
    assert "give a file with -o" in result.stderr
    assert run("encode", "-", *TINY, "-o", "folder/x.nnc", input=photo_png.read_bytes()).exit_code == 0
    assert names_below("folder") == ["x.nnc"]


def test_an_output_that_cannot_be_written(run, photo_png):
    Path("file").write_text("a file where a folder is wanted")
    result = run("encode", photo_png, *TINY, "-o", "file/photo.nnc")
    assert result.exit_code == 1
    assert result.stderr.startswith("nncodec: photo.png: cannot write file/photo.nnc: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(run, photo_png):
    Path("locked").mkdir(mode=0o555)
    result = run("encode", photo_png, *TINY, "-o", "locked/photo.nnc")
    assert result.exit_code == 1
    assert "locked/photo.nnc: Permission denied" in result.stderr


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_nothing(monkeypatch, problem):
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(Path, "replace", fail)
    target = Path("target.nnc")
    target.write_bytes(b"old")
    with pytest.raises(problem):
        write_file(target, b"new")
    assert target.read_bytes() == b"old"
    assert names_below(".") == ["target.nnc"]


def test_new_files_have_the_usual_permissions():
    Path("plain").touch()
    write_file(Path("written"), b"1")
    assert Path("written").stat().st_mode == Path("plain").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="modes as on POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(mode):
    Path("written").touch()
    Path("written").chmod(mode)
    write_file(Path("written"), b"1")
    assert stat.S_IMODE(Path("written").stat().st_mode) == mode
    assert Path("written").read_bytes() == b"1"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_written_into(run, photo_png):
    assert run("encode", photo_png, *TINY, "-o", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()


def test_jobs_do_the_same_in_several_processes(run, tree):
    assert run("encode", "-r", tree, *TINY, "-o", "one").exit_code == 0
    Path("in/bad.png").write_bytes(b"bad")
    result = run("encode", "-r", tree, *TINY, "-o", "two", "-j", 2, "--threads", 1)
    assert result.exit_code == 1
    assert "nncodec: in/bad.png: a text file, not a picture\n" in result.stderr
    assert names_below("two") == names_below("one")
    for name in names_below("one"):
        assert Path("two", name).read_bytes() == Path("one", name).read_bytes()
    assert run("decode", "-r", "two", "-j", 2).exit_code == 0
    with Image.open("two/deep/two.png") as image:
        assert image.size == (96, 64)


# --- pipes --------------------------------------------------------------------------------------------------------

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


@pytest.fixture
def fill():
    """Return what makes a named pipe that holds a file's bytes once somebody reads it."""
    writers = []

    def make(pipe, data):
        os.mkfifo(pipe)
        writers.append(threading.Thread(target=Path(pipe).write_bytes, args=(data,)))
        writers[-1].start()
        return pipe

    yield make
    for writer in writers:
        writer.join()


@pipes
@pytest.mark.parametrize("command", ["encode", "check", "info", "decode", "enhance"])
def test_pipes_in_a_folder_are_skipped(run, photo_nnc, command):
    Path("in").mkdir()
    for source in ("photo.nnc", "photo.png"):
        shutil.copy(source, "in")
    os.mkfifo("in/pipe.nnc")
    os.mkfifo("in/pipe.png")
    options = {"encode": [*TINY, "-f"], "decode": ["-o", "out"], "enhance": ["-m", "tiny/keep", "-o", "out"]}
    result = run(command, "-r", "in", *options.get(command, []))
    assert "pipe" not in result.output
    assert result.exit_code == 0 or command == "enhance"


@pipes
def test_a_pipe_that_is_named_is_read_whole(run, photo_nnc, fill):
    picture, coded = Path("photo.png").read_bytes(), photo_nnc.read_bytes()
    assert run("encode", fill("a.pipe", picture), *TINY, "-q", 100, "-o", "x.nnc").exit_code == 0
    assert Path("x.nnc").read_bytes() == coded
    assert run("decode", fill("b.pipe", coded), "-o", "x.png").exit_code == 0
    assert run("check", fill("c.pipe", coded)).stdout == "c.pipe: ok\n"
    assert run("info", fill("d.pipe", coded)).exit_code == 0


open_files = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="open files have names")


@open_files
def test_names_of_stdout_are_stdout(run, photo_nnc):
    for name in ("/dev/stdout", "/dev/fd/1"):
        result = run("encode", "photo.png", *TINY, "-q", 100, "-o", name)
        assert (result.exit_code, result.stdout_bytes) == (0, photo_nnc.read_bytes())
    result = run("decode", photo_nnc, "-o", "/dev/stdout")
    assert result.stdout_bytes.startswith(b"\x89PNG")


@open_files
def test_a_redirected_file_takes_what_is_written_to_the_name_of_stdout(photo_nnc):
    with Path("log").open("wb", buffering=0) as log:
        log.write(b"before")
        command = (sys.executable, "-m", "nncodec", "encode", "photo.png", *TINY, "-q", "100", "-o", "/dev/stdout")
        assert subprocess.run(command, stdout=log, check=False).returncode == 0
    assert Path("log").read_bytes() == b"before" + photo_nnc.read_bytes()


@open_files
@pytest.mark.parametrize("options", [(), ("--skip-existing",), ("--update",)])
def test_an_open_file_takes_a_result_but_no_frames(run, photo, photo_nnc, options):
    Path("frames.nnc").write_bytes(nncodec.encode([photo, photo], "tiny/rgb"))
    with Path("out").open("wb", buffering=0) as out:
        name = f"/dev/fd/{out.fileno()}"
        assert run("encode", "photo.png", *TINY, "-q", 100, "-o", name, *options).exit_code == 0
        assert Path("out").read_bytes() == photo_nnc.read_bytes()
        for command in (("decode",), ("enhance", "-m", "tiny/keep")):
            for place in (name, os.devnull):
                result = run(*command, "frames.nnc", "-o", place, "--format", "png", *options)
                assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
                assert "choose one with --frame" in result.stderr
    assert Path("out").read_bytes() == photo_nnc.read_bytes()


@open_files
def test_the_result_of_an_open_file_goes_to_stdout(run, photo_nnc):
    with Path("photo.png").open("rb") as picture:
        name = f"/dev/fd/{picture.fileno()}"
        result = run("encode", name, *TINY, "-q", 100)
        assert (result.exit_code, result.stdout_bytes) == (0, photo_nnc.read_bytes())
        result = run("encode", name, *TINY, "-o", "out/")
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        assert f"input from {name} has no name; give a file with -o" in result.stderr
    reading, writing = os.pipe()
    os.write(writing, photo_nnc.read_bytes())
    os.close(writing)
    assert run("decode", f"/dev/fd/{reading}").stdout_bytes.startswith(b"\x89PNG")
    os.close(reading)


@pytest.mark.parametrize(
    ("stream", "arguments", "says"),
    [
        ("stdin", ("encode", "-"), "stdin is closed"),
        ("stdin", ("check", "-"), "stdin is closed"),
        ("stdin", ("encode", "--files-from", "-"), "stdin is closed"),
        ("stdout", ("encode", "photo.png", *TINY, "-o", "-"), "stdout is closed"),
    ],
)
def test_a_closed_stream_is_wrong_usage(photo_png, stream, arguments, says):
    end = {"stdin": "0<&-", "stdout": ">&-"}[stream]
    command = f"{shlex.join([sys.executable, '-m', 'nncodec', *arguments])} {end}"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert says in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", ""),
        ("encode", "photo.png", "-o", ""),
        ("encode", "photo.png", "--output="),
        ("info", ""),
        ("decode", "photo.png", ""),
        ("batch", "encode", "", "out"),
        ("batch", "encode", "in", ""),
        ("viewer", ""),
        ("ui", ""),
        ("demo", "-o", ""),
        ("compare", "", "photo.png"),
        ("train", "dense", "", "-o", "m.safetensors"),
        ("train", "dense", ".", "-o", "m.safetensors", "--run", ""),
    ],
)
def test_an_empty_path_is_wrong_usage(run, photo_png, arguments):
    before = names_below(".")
    result = run(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "is empty" in result.stderr
    assert names_below(".") == before
