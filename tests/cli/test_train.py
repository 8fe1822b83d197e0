"""The train command: arguments, messages, files of a run, and resuming after Ctrl-C and kill -9."""

from __future__ import annotations

import os
import shlex
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from click.testing import Result
from PIL import Image
from preloaded import Preloaded

import nncodec
from nncodec.plugin.model_file import read_model_info
from nncodec.training.log import CsvLog

Run = Callable[..., Result]


@pytest.fixture
def digits() -> Path:
    """An IDX file of 60 grey pictures, 12 x 12, in the working folder."""
    camera = skimage.data.camera()
    pictures = np.stack([camera[6 * n : 6 * n + 12, 200:212] for n in range(60)])
    Path("digits").write_bytes(struct.pack(">HBB3I", 0, 8, 3, *pictures.shape) + pictures.tobytes())
    return Path("digits")


SMALL = ("--set", "latents=4", "--batch-size", "8")


def one_line(result: Result, status: int) -> str:
    """Return the last line of a command that failed."""
    assert result.exit_code == status, result.output
    said = result.stderr.splitlines()
    assert said[-1].startswith("nncodec: ")
    return said[-1]


def test_from_a_file_of_pictures_to_an_installed_model(run: Run, digits: Path) -> None:
    done = run("train", "dense", digits, "-o", "mine.safetensors", *SMALL, "--epochs", 3, "--licence", "CC0 1.0")
    assert done.exit_code == 0, done.output
    assert "60 pictures in grey: 5" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("mine.safetensors: mine, 18 steps in ")
    assert lines[-1] == "install it with: nncodec models add mine.safetensors"
    assert read_model_info(Path("mine.safetensors")).card["licence"] == "CC0 1.0"
    assert run(*shlex.split(lines[-1].partition(": nncodec ")[2])).exit_code == 0
    picture = Image.fromarray(skimage.data.camera()[:12, 200:212])
    picture.save("one.png")
    assert run("encode", "one.png", "-m", "mine").exit_code == 0
    assert nncodec.decode(Path("one.nnc").read_bytes()).size == (12, 12)
    # The name is taken now. Training can continue from the model, by name or as a file, without an architecture.
    again = run("train", "dense", digits, "-o", "again.safetensors", "--name", "mine", *SMALL)
    assert "already installed" in one_line(again, 1)
    for number, base in enumerate(("mine", "mine.safetensors")):
        output = f"more{number}.safetensors"
        assert run("train", digits, "--from", base, "-o", output, "--steps", 2).exit_code == 0
        assert read_model_info(Path(output)).card["base"]["name"] == "mine"


@pytest.mark.parametrize(("held_back", "measured_on"), [(0, "training pictures"), (0.2, "held-back pictures")])
def test_figures_are_said_to_be_of_what_they_were_measured_on(
    run: Run, digits: Path, held_back: float, measured_on: str
) -> None:
    command = ("train", "dense", digits, "-o", "mine.safetensors", *SMALL, "--steps", 2, "--held-back", held_back)
    for again in ((), ("--resume", "-f")):
        done = run(*command, *again)
        assert done.exit_code == 0, done.output
        lines = [line for line in done.stdout.splitlines() if "pictures: " in line]
        assert [line.partition(": loss ")[0] for line in lines] == [measured_on][: len(lines)]
        assert lines or (again and not held_back)  # no step, no figures


def test_settings_come_from_the_file_then_from_set_then_from_options(run: Run, digits: Path) -> None:
    Path("mine.toml").write_text("latents = 5\nlevels = 16\nsteps = 9\nseed = 4\n")
    done = run(
        "train", "dense", digits, "-o", "x.safetensors", "-c", "mine.toml",
        "--set", "levels=8", "--set", "seed = 5", "--steps", 2, "--seed", 6,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    head = read_model_info(Path("x.safetensors"))
    assert head.config["latents"] == 5
    assert head.config["levels"] == 8
    assert {name: head.card["training"]["settings"][name] for name in ("steps", "seed")} == {"steps": 2, "seed": 6}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "give an architecture (conv-"),
        (["dens", "digits"], 2, "no architecture 'dens'"),
        (["blocks", "digits", "-o", "x.safetensors"], 1, "no architecture named 'blocks' can be trained"),
        (["dense"], 2, "a folder of pictures or an IDX file"),
        (["dense", "digits", "more"], 2, "one folder"),
        (["dense", "digits"], 2, "-o"),
        (["dense", "digits", "-o", "x.bin"], 2, "does not end in .safetensors"),
        (["dense", "digits", "-o", "My Model.safetensors"], 2, "--name"),
        (["dense", "nowhere", "-o", "x.safetensors"], 1, "nowhere does not exist"),
        (["dense", "empty", "-o", "x.safetensors"], 1, "no pictures below empty"),
        (["dense", "text", "-o", "x.safetensors"], 1, "not an IDX file"),
        (["dense", "digits", "-o", "x.safetensors", "--set", "latens=3"], 2, "did you mean 'latents'"),
        (["dense", "digits", "-o", "x.safetensors", "--set", "latents=x"], 2, "give a whole number"),
        (["dense", "digits", "-o", "x.safetensors", "--set", "latents"], 2, "key=value"),
        (["dense", "digits", "-o", "x.safetensors", "--set", "loss=nice"], 2, "nice"),
        (["dense", "digits", "-o", "x.safetensors", "--steps", "1", "--epochs", "1"], 2, "not epochs and steps"),
        (["dense", "digits", "-o", "x.safetensors", "-c", "text"], 2, "is not TOML"),
        (["dense", "digits", "-o", "x.safetensors", "--from", "photo"], 1, "a model of hyperprior, not of dense"),
        (["dense", "digits", "-o", "x.safetensors", "--from", "nothing"], 2, "no installed model is 'nothing'"),
        (["dense", "digits", "-o", "x.safetensors", "--from", "text.safetensors"], 1, "not a usable model file"),
        (["dense", "digits", "-o", "x.safetensors", "--resume"], 1, "no run to resume in x.run"),
        (["dense", "digits", "-o", "x.safetensors", "--from", "dense/fashion"], 1, "28 x 28"),
        (["dense", "digits", "-o", "x.safetensors", "--device", "abacus"], 1, "no device 'abacus'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line_and_nothing_is_left(
    run: Run, digits: Path, arguments: list[str], status: int, said: str
) -> None:
    Path("empty").mkdir()
    Path("text").write_text("no picture: at all")
    before = sorted(Path().iterdir())
    assert said in one_line(run("train", *arguments), status)
    assert sorted(Path().iterdir()) == before


def test_the_help_names_the_architectures_and_the_list_their_settings(run: Run) -> None:
    output = " ".join(run("train", "--help").stdout.partition("can be trained here: ")[2].split())
    assert {"dense", "hyperprior"} <= set(output.rstrip(".").split(", "))
    assert "blocks" not in output  # it has no recipe
    listed = run("train", "dense", "--list-settings")
    assert listed.exit_code == 0
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert rows["latents"].split()[1] == "32"
    assert {"epochs", "patience", "bfloat16", "device"} <= rows.keys()


def test_the_help_loads_no_torch() -> None:
    script = (
        "import sys, nncodec.cli\nnncodec.cli.main(['train', '--help'], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_what_a_recipe_raises_is_one_line(run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("weights")

    monkeypatch.setattr("nncodec_dense.recipe.DenseRecipe.task", fail)
    arguments = ("train", "dense", digits, "-o", "x.safetensors", *SMALL)
    line = one_line(run(*arguments), 1)
    assert line.startswith("nncodec: the plugin 'dense' (nncodec-image ")
    assert line.endswith(
        ") failed: KeyError: 'weights'; update it, or report this to its authors; 'nncodec --debug ...' shows where"
    )
    shown = run("--debug", *arguments)
    assert "Traceback (most recent call last):" in shown.stderr
    assert one_line(shown, 1) == line
    assert not Path("x.safetensors").exists()


def test_a_fault_of_an_export_names_the_plugin_and_the_command_that_resumes(
    run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("nncodec_dense.recipe.weights_of", lambda network: {"weight": np.zeros(3)})
        line = one_line(run("train", "dense", digits, "-o", "x.safetensors", "--steps", 2, *SMALL), 1)
    assert "the plugin 'dense'" in line
    assert "its recipe exported a model that cannot be used: tensor 'weight' has type float64" in line
    assert ".part" not in line
    assert not Path("x.safetensors").exists()
    resumed = run(*shlex.split(line.partition("resume with: nncodec ")[2]))
    assert resumed.exit_code == 0, resumed.output


def test_a_full_disk_is_one_line_with_the_command_that_resumes(
    run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    arguments = ["train", "dense", digits, "-o", "x.safetensors", "--steps", 3, *SMALL]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        line = one_line(run(*arguments), 1)
    assert "No space left on device" in line
    assert not Path("x.safetensors").exists()
    resumed = run(*shlex.split(line.partition("resume with: nncodec ")[2]))
    assert resumed.exit_code == 0, resumed.output


def test_bad_pictures_are_named_and_the_rest_is_trained_on(run: Run) -> None:
    Path("mixed").mkdir()
    chelsea = Image.fromarray(skimage.data.chelsea()[:30, :30])
    for number, mode in enumerate(("L", "LA", "1", "I;16")):
        grey = chelsea.convert("L")
        (grey if mode == "I;16" else grey.convert(mode)).save(f"mixed/{number}.png")
    Path("mixed/broken.jpg").write_text("no picture")
    done = run("train", "dense", "mixed", "-o", "x.safetensors", "--steps", 2, *SMALL)
    assert done.exit_code == 0, done.output
    assert "nncodec: mixed/broken.jpg is skipped: a text file, not a picture" in done.stderr.splitlines()
    assert "nncodec: 1 of 5 pictures cannot be read and are skipped" in done.stderr.splitlines()


# Runs the command line, and sends a signal to itself when a file is written.
SIGNALLED = """
import os, runpy, sys, threading, time

def written():
    try:
        return os.stat(watched).st_mtime_ns
    except FileNotFoundError:  # before the first, and for a moment between a checkpoint and the next
        return before

def watch():
    while written() == before:
        time.sleep(0.02)
    os.kill(os.getpid(), int(number))

watched, number, *sys.argv[1:] = sys.argv[1:]
before = 0
before = written()
threading.Thread(target=watch, daemon=True).start()
runpy.run_module("nncodec", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_run_interrupted_and_then_killed_resumes_to_the_same_model(
    preloaded: Preloaded, run: Run, digits: Path, tmp_path: Path
) -> None:
    # Validation, early stopping and the best weights are part of what must survive.
    further = (*SMALL, "--steps", 300, "--set", "checkpoint_minutes=0.001", "--set", "patience=1000")
    assert run("train", "dense", digits, "-o", "unbroken.safetensors", "--name", "same", *further).exit_code == 0
    arguments = [*map(str, ("train", "dense", digits, "-o", "broken.safetensors", "--name", "same", *further))]
    command = f"nncodec {shlex.join(arguments)} --resume"
    Path("signalled.py").write_text(SIGNALLED)
    for end, resume in ((signal.SIGINT, ()), (signal.SIGKILL, ("--resume",))):
        program = ["signalled.py", "broken.run/checkpoint.pt", str(int(end)), *arguments, *resume]
        ended = preloaded.run(program, cwd=tmp_path)
        assert not Path("broken.safetensors").exists()
        if end == signal.SIGINT:
            assert ended.returncode == 130
            assert ended.stderr.splitlines()[-1] == f"nncodec: interrupted; resume with: {command}"
        else:
            assert ended.returncode == -end
            assert "resuming after step" in ended.stderr
    resumed = run(*shlex.split(command)[1:])
    assert resumed.exit_code == 0, resumed.output
    assert "resuming after step" in resumed.stderr
    heads = [read_model_info(Path(f"{name}.safetensors")) for name in ("unbroken", "broken")]
    assert heads[0].digest == heads[1].digest
    assert heads[0].card["measured"] == heads[1].card["measured"]
    for name in ("log.csv", "validation.csv"):
        rows = [CsvLog(Path(f"{run_name}.run") / name).rows() for run_name in ("unbroken", "broken")]
        assert len(rows[0]) > 5
        assert [{**row, "elapsed_s": 0} for row in rows[0]] == [{**row, "elapsed_s": 0} for row in rows[1]]
