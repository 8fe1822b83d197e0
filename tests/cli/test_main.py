"""The command line as a process: what it imports, its exit status, pipes and Ctrl-C."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nncodec

posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as on POSIX")
TINY = ("-m", "tiny/rgb")


def wait(process: subprocess.Popen[bytes], data: bytes | None = None) -> tuple[int, str, str]:
    out, err = process.communicate(data, timeout=120)
    return process.returncode, out.decode("latin-1"), err.decode()


LIGHT = (
    "--help",
    "--version",
    "encode --help",
    "enhance --help",
    "info photo.nnc",
    "check photo.nnc",
    "models",
    "models --json",
    "plugins",
)


@pytest.mark.parametrize("size", ["abc", "2", ""])
def test_variables_of_torchrun_concern_training_alone(start, photo_png, size):
    assert wait(start("encode", photo_png, *TINY, WORLD_SIZE=size)) == (0, "", "")
    status, out, err = wait(start("train", "dense", ".", "-o", "m.safetensors", WORLD_SIZE=size, MASTER_ADDR=""))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "WORLD_SIZE are not as torchrun sets them" in err


def test_light_commands_import_nothing_heavy(photo_nnc):
    code = """if True:
        import sys
        from nncodec.cli import main
        for command in sys.argv[1:]:
            try:
                main(command.split())
            except SystemExit as end:
                assert end.code == 0, command
            heavy = sys.modules.keys() & {"torch", "skimage", "scipy", "tqdm", "matplotlib"}
            assert not heavy, f"{command}: {heavy}"
            print("ended:", command)
    """
    done = subprocess.run([sys.executable, "-c", code, *LIGHT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    ends = [lines.index(f"ended: {command}") for command in LIGHT]
    assert all(end > before + 1 for before, end in itertools.pairwise([-1, *ends]))  # each has printed something


def test_version(start):
    assert wait(start("--version")) == (0, f"nncodec, version {nncodec.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["encode", "a.png", "-m", "nope"], "no installed model is 'nope'"),
        (["encode", "a.png", "--sharpen"], "No such option"),
        (["encode", "a.png", "-q", "101"], "101 is not in the range"),
        (["encode"], "Missing argument"),
        (["squash"], "No such command 'squash'"),
    ],
)
def test_wrong_usage_is_one_line_that_says_where_help_is(run, arguments, says):
    result = run(*arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("nncodec: ")
    assert says in line
    assert "--help'" in line


def test_exit_statuses(start, photo_png):
    assert wait(start("encode", photo_png, *TINY)) == (0, "", "")
    status, _, err = wait(start("encode", photo_png, *TINY))
    assert (status, err) == (1, "nncodec: photo.png: photo.nnc is already there; use -f to overwrite it\n")
    assert wait(start("encode", "--no-such-option"))[0] == 2
    assert wait(start("no-such-command"))[0] == 2


def test_bytes_pass_through_pipes_unchanged(start, photo_png):
    encoder = start("encode", "-", *TINY, "-o", "-")
    data, err = encoder.communicate(photo_png.read_bytes(), timeout=120)
    assert (encoder.returncode, err) == (0, b"")
    assert wait(start("encode", photo_png, *TINY))[0] == 0
    assert data == Path("photo.nnc").read_bytes()
    decoder = start("decode", "-")
    png, err = decoder.communicate(data, timeout=120)
    assert (decoder.returncode, err) == (0, b"")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("wanted", ["--debug", "NNCODEC_DEBUG"])
def test_what_nobody_expected_is_one_line_and_a_traceback_if_wanted(run, monkeypatch, wanted):
    def fail(catalog):
        raise KeyError("lost\nand more")

    monkeypatch.setattr("nncodec.cli.plugins._show", fail)
    result = run("plugins")
    assert (result.exit_code, result.stdout) == (1, "")
    line = "nncodec: KeyError: 'lost\\nand more'; 'nncodec --debug ...' shows where\n"
    assert result.stderr == line
    if wanted.startswith("-"):
        shown = run(wanted, "plugins")
        assert not os.environ.get("NNCODEC_DEBUG")
    else:
        for no in ("", "0", "false", "No", "off"):
            monkeypatch.setenv(wanted, no)
            assert run("plugins").stderr == line
        monkeypatch.setenv(wanted, "1")
        shown = run("plugins")
    assert shown.exit_code == 1
    assert shown.stderr.startswith("Traceback (most recent call last):\n")
    assert shown.stderr.endswith(f"KeyError: 'lost\\nand more'\n{line}")


def test_a_file_that_fails_shows_its_traceback_if_wanted(run, photo_png):
    Path("bad.png").write_bytes(b"no picture")
    plain, shown = run("encode", "bad.png", *TINY), run("--debug", "encode", "bad.png", *TINY)
    assert len(plain.stderr.splitlines()) == 1
    assert shown.stderr.startswith("Traceback")
    assert shown.stderr.endswith(plain.stderr)


def test_disabled_plugins(start, photo_png):
    status, out, err = wait(start("encode", photo_png, *TINY, NNCODEC_DISABLED_PLUGINS="tiny"))
    assert (status, out) == (2, "")
    assert "tiny/rgb" in err
    assert "Traceback" not in err


@posix
def test_a_closed_pipe_ends_quietly(start, photo_nnc):
    for arguments in (("decode", photo_nnc, "-o", "-"), ("info", photo_nnc)):
        process = start(*arguments)
        process.stdout.close()
        process.stdin.close()
        err = process.stderr.read()
        assert process.wait(timeout=120) == 1
        assert err == b""


@posix
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("whole_group", [True, False])
@pytest.mark.parametrize("end", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ctrl_c_leaves_nothing(start, photo, tmp_path, jobs, whole_group, end):
    for name in ("a.png", "b.png", "c.png"):
        photo.save(name)
    marks = tmp_path / "marks"
    marks.mkdir()
    process = start(
        "encode", "a.png", "b.png", "c.png", "-m", "tiny/slow", "-o", "out", "-j", jobs, TOY_MARKS=str(marks)
    )
    deadline = time.monotonic() + 60
    while len(list(marks.iterdir())) < jobs:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if whole_group:
        os.killpg(process.pid, getattr(signal, end))
    else:
        process.send_signal(getattr(signal, end))
    status, out, err = wait(process)
    assert (status, out, err) == (130, "", "nncodec: interrupted\n")
    assert not Path("out").exists() or not list(Path("out").iterdir())
    for mark in marks.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.name), 0)


@posix
def test_a_worker_that_dies_takes_one_file_with_it(start, photo, tmp_path):
    for name in ("a.png", "b.png"):
        photo.save(name)
    marks = tmp_path / "marks"
    marks.mkdir()
    process = start("encode", "a.png", "b.png", "-m", "tiny/slow", "-o", "out", "-j", 2, TOY_MARKS=str(marks))
    deadline = time.monotonic() + 60
    while len(list(marks.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for mark in marks.iterdir():
        os.kill(int(mark.name), signal.SIGKILL)
    status, _, err = wait(process)
    assert status == 1
    *lines, last = err.splitlines()
    died = "its worker process died (SIGKILL), most likely for lack of memory; use fewer jobs (-j)"
    assert sorted(lines) == [f"nncodec: a.png: {died}", f"nncodec: b.png: {died}"]
    assert last == "nncodec: 2 of 2 files failed"


def test_a_progress_bar_on_a_terminal_only(photo, watched):
    for name in ("a.png", "b.png"):
        photo.save(name)
    arguments = ["encode", "a.png", "b.png", *TINY, "-f"]
    done, shown = watched(*arguments)
    assert b"2/2" in shown
    assert (done.returncode, done.stdout) == (0, b"")
    done = subprocess.run([sys.executable, "-m", "nncodec", *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@posix
def test_bytes_are_not_written_to_a_terminal(photo_png):
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "nncodec", "encode", str(photo_png), *TINY, "-o", "-"]
    done = subprocess.run(command, stdout=slave, stderr=subprocess.PIPE, check=False)
    os.close(slave)
    os.close(master)
    assert done.returncode == 2
    assert b"stdout is a terminal" in done.stderr
