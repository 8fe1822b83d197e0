"""Faults while a command runs: kill -9, failing and slow writes, a read-only home, a clock that goes back."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import toys
from click.testing import Result
from PIL import Image
from preloaded import Preloaded

import nncodec
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.log import CsvLog

Run = Callable[..., Result]

posix = pytest.mark.skipif(os.name != "posix", reason="forks, signals and limits of POSIX")
TINY = ("-m", "tiny/rgb")


# --- kill -9 ------------------------------------------------------------------------------------------------------

# Each round runs commands over and over in a fork, kills it so long after a file was written, and keeps a copy of that.
KILLED = """
import json, os, shutil, signal, sys, time
from nncodec.cli import main

def written():
    try:
        return os.stat(watched).st_mtime_ns
    except FileNotFoundError:  # before the first, and for a moment between a checkpoint and the next
        return before

watched, rounds = sys.argv[1], json.loads(sys.argv[2])
before = 0
for number, (delay_s, commands) in enumerate(rounds):
    before, end = written(), time.monotonic() + 20
    process = os.fork()
    while not process:
        for arguments in commands:
            try:
                main(arguments, standalone_mode=False)
            except Exception as error:  # a kill may have left nothing to remove
                print(repr(error), file=sys.stderr, flush=True)
                time.sleep(0.01)
    while not (seen := written() != before) and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(delay_s)
    os.kill(process, signal.SIGKILL)
    assert seen, "the commands wrote nothing"
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    left = [path for path in (watched, f"{watched}.previous") if os.path.exists(path)]
    if left:
        shutil.copy(left[0], f"copy-{number}")
"""
KILLS = 4


def killed(preloaded: Preloaded, folder: Path, watched: object, *rounds: Sequence[Sequence[object]]) -> list[Path]:
    """Kill a process that runs commands over and over, once in each round; return the watched file as it was left.

    Args:
        preloaded: runs the program.
        folder: to work in.
        watched: a file that the commands write; a round ends some milliseconds after that.
        rounds: the commands of each.
    """
    program = folder / "killed.py"
    program.write_text(KILLED)
    rng = random.Random(len(rounds))
    listed = [(rng.uniform(0, 0.03), [list(map(str, command)) for command in commands]) for commands in rounds]
    done = preloaded.run([str(program), str(watched), json.dumps(listed)], cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return sorted(folder.glob("copy-*"))


@posix
def test_a_killed_encoding_leaves_a_whole_file(preloaded: Preloaded, tmp_path: Path, photo: Image.Image) -> None:
    photo.save("a.png")
    photo.rotate(180).save("b.png")
    commands = [("encode", f"{name}.png", *TINY, "-o", "out.nnc", "-f") for name in "ab"]
    copies = killed(preloaded, tmp_path, "out.nnc", *[commands] * KILLS)
    assert len(copies) == KILLS
    for copy in copies:
        assert nncodec.decode(copy).size == photo.size
    left = {path.suffix for path in tmp_path.iterdir() if path.is_file()} - {"", ".nnc", ".png", ".py"}
    assert left <= {".part"}  # hidden, and no command takes them for pictures


@posix
def test_a_killed_installation_leaves_the_whole_model_or_none(
    preloaded: Preloaded, tmp_path: Path, installed: Path, run: Run
) -> None:
    model = toys.write_toy(tmp_path / "mine.safetensors", "mine", "blocks", {"mode": "L"})
    target = installed / "mine.safetensors"
    add, remove = ("models", "add", model), ("models", "remove", "mine")
    target.parent.mkdir()
    shutil.copy(model, target)
    for copy in killed(preloaded, tmp_path, target, *[(remove, add, remove, add, remove, add)] * KILLS):
        assert read_model(copy).name == "mine"
    assert {path.suffix for path in installed.iterdir()} <= {".safetensors", ".part"}
    registry.refresh()
    if not target.exists():
        assert run(*add).exit_code == 0
    assert "mine" in run("models").output


@posix
def test_a_killed_training_resumes_to_the_same_model_whatever_the_clock_says(
    preloaded: Preloaded, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    Path("pictures").mkdir()
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(f"pictures/{number}.png")
    options = ("--name", "same", "--steps", 40, "--set", "latents=2", "--batch-size", 2)
    options += ("--set", "checkpoint_minutes=0.0001")
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", clock_going_back())
        assert run("train", "dense", "pictures", "-o", "unbroken.safetensors", *options).exit_code == 0
    rows = CsvLog(Path("unbroken.run/log.csv")).rows()
    assert [row["elapsed_s"] for row in rows] == sorted(row["elapsed_s"] for row in rows)
    command = ("train", "dense", "pictures", "-o", "broken.safetensors", *options)
    rounds = [[command], [(*command, "--resume")]]
    steps = [load_checkpoint(copy)["step"] for copy in killed(preloaded, tmp_path, "broken.run/checkpoint.pt", *rounds)]
    assert steps == sorted(steps)
    assert steps[-1] < 40
    assert not Path("broken.safetensors").exists()
    assert run(*command, "--resume").exit_code == 0
    digests = {read_model(Path(f"{name}.safetensors")).digest for name in ("unbroken", "broken")}
    assert len(digests) == 1


# --- writes -------------------------------------------------------------------------------------------------------


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as if the disk were full."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "a.png", *TINY, "-o", "out.nnc", "-f"),
        ("encode", "a.png", "b.png", *TINY, "-o", "out", "-f"),
        ("decode", "a.nnc", "-o", "out.png", "-f"),
        ("enhance", "a.png", "-m", "tiny/triple", "-o", "out.png", "-f"),
        ("models", "add", "mine.safetensors"),
    ],
)
def test_a_disk_that_is_full_in_the_middle_of_a_write_changes_nothing(
    arguments: tuple[str, ...], tmp_path: Path, installed: Path, run: Run, photo: Image.Image
) -> None:
    for name in ("a.png", "b.png"):
        photo.save(name)
    assert run("encode", "a.png", *TINY).exit_code == 0
    shutil.copy("a.nnc", "out.nnc")
    photo.save("out.png")
    toys.write_toy(tmp_path / "mine.safetensors", "mine", "blocks", {"mode": "L"})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with largest_file(100):
        done = run(*arguments)
    assert done.exit_code == 1, done.output
    assert done.stderr.count("\n") <= 3
    assert os.strerror(errno.EFBIG) in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_one_line(run: Run, photo_png: Path) -> None:
    done = run("encode", photo_png, *TINY, "-o", "/dev/full", "-f")
    assert done.exit_code == 1
    assert done.stderr == f"nncodec: {photo_png}: cannot write /dev/full: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("encode", "--help"), ("models",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_a_full_device_does_not_take_is_one_line(
    arguments: tuple[str, ...], unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "nncodec", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"nncodec: {os.strerror(errno.ENOSPC)}\n")


@posix
def test_a_slow_reader_gets_the_whole_file(run: Run, photo_png: Path) -> None:
    os.mkfifo("pipe")
    taken: list[bytes] = []

    def read() -> None:
        with Path("pipe").open("rb", buffering=0) as stream:
            while piece := stream.read(1000):
                taken.append(piece)
                time.sleep(0.002)

    assert run("encode", photo_png, *TINY, "-o", "whole.nnc").exit_code == 0
    reader = threading.Thread(target=read)
    reader.start()
    assert run("encode", photo_png, *TINY, "-o", "pipe", "-f").exit_code == 0
    reader.join()
    assert b"".join(taken) == Path("whole.nnc").read_bytes()


def clock_going_back() -> Callable[[], float]:
    """Return a clock that is a second earlier whenever it is asked."""
    past = itertools.count(10**9, -1)
    return lambda: float(next(past))


# --- surroundings -------------------------------------------------------------------------------------------------


def test_a_home_that_cannot_be_written_keeps_no_command_from_working(
    run: Run, photo_png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "home"
    blocked.write_bytes(b"")  # a folder in which nothing can be made, also by a superuser
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(blocked))
    monkeypatch.delenv("NNCODEC_MODELS")
    registry.refresh()
    assert run("encode", photo_png, *TINY, "-o", "a.nnc").exit_code == 0
    assert run("decode", "a.nnc", "-o", "a.png").exit_code == 0
    assert run("info", "a.nnc").exit_code == 0
    assert "tiny/rgb" in run("models").output
    model = toys.write_toy(tmp_path / "mine.safetensors", "mine", "blocks", {"mode": "L"})
    done = run("models", "add", model)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert str(blocked) in done.stderr
    assert blocked.read_bytes() == b""


def test_a_clock_that_goes_back_encodes_once_more_and_never_too_little(
    run: Run, photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo.save("a.png")
    again = ("encode", "a.png", *TINY, "--update")
    assert run(*again).exit_code == 0
    written = Path("a.nnc").stat().st_mtime_ns
    assert run(*again).exit_code == 0
    assert Path("a.nnc").stat().st_mtime_ns == written
    os.utime("a.nnc", (0, 0))  # written when the clock was behind: older than its source
    assert run(*again).exit_code == 0
    assert Path("a.nnc").stat().st_mtime_ns >= written
    monkeypatch.setattr(time, "time", clock_going_back())
    assert run("encode", "a.png", *TINY, "-o", "b.nnc").exit_code == 0
    assert Path("b.nnc").read_bytes() == Path("a.nnc").read_bytes()


def test_a_file_of_one_version_of_a_model_is_not_decoded_by_another(
    run: Run, photo: Image.Image, tmp_path: Path
) -> None:
    photo.convert("L").save("a.png")
    for version, config in (("one", {"mode": "L"}), ("two", {"mode": "L", "waste": 1})):
        path = toys.write_toy(tmp_path / f"{version}.safetensors", "mine", "blocks", config)
        assert run("models", "add", path).exit_code == 0
        assert run("encode", "a.png", "-m", "mine", "-o", f"{version}.nnc").exit_code == 0
        assert run("models", "remove", "mine").exit_code == 0
    assert run("models", "add", tmp_path / "two.safetensors").exit_code == 0
    done = run("decode", "one.nnc", "-o", "one.png")
    assert done.exit_code == 1
    assert "mine" in done.stderr
    assert not Path("one.png").exists()
    assert run("decode", "two.nnc", "-o", "two.png").exit_code == 0
    assert run("models", "remove", "mine").exit_code == 0
    assert run("models", "add", tmp_path / "one.safetensors").exit_code == 0
    assert run("decode", "one.nnc", "-o", "one.png").exit_code == 0
