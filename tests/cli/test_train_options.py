"""Settings as options, suggestions for architectures, and enhancers from the command line to an installed model."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from click.testing import Result
from PIL import Image

from nncodec.cli.train import train_command
from nncodec.plugin import registry
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.model_file import read_model, read_model_info

Run = Callable[..., Result]

TINY = ("--width", 4, "--blocks", 1, "--discriminator-width", 2, "--batch-size", 2)


@pytest.fixture
def crops() -> Path:
    """A folder of six photographs, 48 x 40 pixels, in the working folder."""
    Path("crops").mkdir()
    for name, picture in (("a", skimage.data.astronaut()), ("c", skimage.data.chelsea()), ("k", skimage.data.coffee())):
        for number in range(2):
            Image.fromarray(picture[90 * number + 40 :][:40, 180:228]).save(f"crops/{name}{number}.png")
    return Path("crops")


def one_line(result: Result, status: int) -> str:
    """Return the last line of a command that failed."""
    assert result.exit_code == status, result.output
    said = result.stderr.splitlines()
    assert said[-1].startswith("nncodec: ")
    return said[-1]


def worse(folder: Path, factor: int) -> Path:
    """Make a folder of worse pictures with another extension."""
    Path("worse").mkdir()
    for path in folder.iterdir():
        Image.open(path).reduce(factor).save(Path("worse", path.stem).with_suffix(".bmp"))
    return Path("worse")


def test_from_a_folder_to_an_installed_enhancer(run: Run, crops: Path) -> None:
    command = ["train", "srgan", "--high", crops, "-o", "mine4.safetensors", "--size-in", 8, "--size-out", 32, *TINY]
    done = run(*command, "--steps", 60, "--content-share", 0.5)
    assert done.exit_code == 0, done.output
    assert "6 pictures in colour" in done.stderr
    model_info = read_model_info(Path("mine4.safetensors"))
    assert (model_info.config["factor"], model_info.config["gan"]) == (4, True)
    assert model_info.card["training"]["settings"]["crop"] == 32
    assert sorted(Path("mine4.run/samples").iterdir())
    enhancer = registry.build_model(read_model(Path("mine4.safetensors")))
    assert isinstance(enhancer, EnhancerModel)
    picture = Image.open("crops/a1.png")
    small = np.asarray(picture.resize((12, 10), Image.Resampling.BICUBIC))
    bicubic = np.asarray(Image.fromarray(small).resize((48, 40), Image.Resampling.BICUBIC))
    error = np.square(np.asarray(picture, float) - bicubic).mean()
    for strength in (0.0, 0.5, 1.0):
        made = enhancer.enhance(small[None], strength)[0]
        assert np.square(np.asarray(picture, float) - made).mean() < 1.2 * error  # after so few steps: no worse by much
    assert run("models", "add", "mine4.safetensors").exit_code == 0
    # And on from there, by name: the architecture and its options are those of the base.
    further = ["train", crops, "--pretrained", "mine4", "-o", "more.safetensors", "--steps", 2, "--gan-weight", 0.1]
    done = run(*further, "--content-share", 0, "--crop", 32, "--discriminator-width", 2)
    assert done.exit_code == 0, done.output
    assert read_model_info(Path("more.safetensors")).card["training"]["settings"]["gan_weight"] == 0.1


def test_two_folders_that_pair_and_two_that_do_not(run: Run, crops: Path) -> None:
    low = worse(crops, 2)
    command = ["train", "srgan", "--low", low, "--high", crops, "-o", "x2.safetensors", *TINY, "--steps", 2]
    refused = one_line(run(*command), 1)
    assert "2 times as large as the worse ones, and factor is 4; set factor=2" in refused
    done = run(*command, "--factor", 2, "--content-share", 1)
    assert done.exit_code == 0, done.output
    assert "6 pairs in colour" in done.stderr
    shutil.copy("crops/a0.png", "crops/b.png")
    message = one_line(run(*command, "--factor", 2, "-f", "--run", "other"), 1)
    assert message == "nncodec: the folders do not pair: crops/b.png has no partner in worse"


def test_an_interrupted_run_resumes_with_the_same_options(run: Run, crops: Path) -> None:
    command = ["train", "srgan", crops, "-o", "x.safetensors", *TINY, "--crop", 32, "--content-share", 1, "--steps", 3]
    assert run(*command).exit_code == 0
    changed = [8 if part == 4 else part for part in command]
    assert "has width = 4, not 8; resume it with that" in one_line(run(*changed, "--resume", "-f"), 1)
    longer = run(*command, "--steps", 5, "--resume", "-f")
    assert longer.exit_code == 0, longer.output
    assert "resuming after step 3" in longer.stderr


def test_every_setting_is_an_option_and_wins_over_set(run: Run) -> None:
    Path("pictures").mkdir()
    for number in range(4):
        Image.fromarray(skimage.data.camera()[12 * number :][:12, 200:212]).save(f"pictures/{number}.png")
    for number, options in enumerate((["--set", "latents=9", "--latents", 5], ["--latents=5"])):
        output = f"x{number}.safetensors"
        done = run("train", *options, "dense", "pictures", "-o", output, "--steps", 1, "--held-back", 0.3)
        assert done.exit_code == 0, done.output
        model_info = read_model_info(Path(output))
        assert model_info.config["latents"] == 5
        assert model_info.card["training"]["settings"]["held_back"] == 0.3
    assert not [param.name for param in train_command.params if param.name == "setting_latents"]  # of that run only


def test_the_help_of_an_architecture_shows_its_settings(run: Run) -> None:
    shown = run("train", "srgan", "--help").stdout
    own, _, settings = shown.partition("Settings of srgan:")
    words = " ".join(settings.split())
    assert "--factor N enlargement along each edge" in words
    assert "[default: 4]" in words
    assert "--normalise true|false" in words
    assert "--patience N" in words
    assert "--crop" in own
    assert "--crop" not in settings
    assert "Settings of" not in run("train", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["conv"], 2, "no architecture 'conv'; did you mean one of conv-digits, conv-photo, conv-stack?"),
        (["srgn", "crops", "--factor", "2"], 2, "no architecture 'srgn'; did you mean 'srgan'?"),
        (["xyz"], 2, "no architecture 'xyz'; these can be trained: conv-"),
        (["srgan", "crops", "--facto", "2"], 2, "'--factor'"),
        (["dense", "crops", "--factor", "2"], 2, "--factor"),
        (["crops", "--from", "photo", "--factor", "2"], 2, "--factor"),
        (["--factor", "2"], 2, "--factor"),
        (["srgan", "crops", "-o", "e.png"], 2, "e.png does not end in .safetensors"),
        (["srgan", "crops", "-o", "x.safetensors", "--factor", "two"], 2, "factor is 'two'; give a whole number"),
        (["srgan", "crops", "-o", "x.safetensors", "--normalise", "perhaps"], 2, "give true or false"),
        (["srgan", "crops", "-o", "x.safetensors", "--size-in", "64", "--size-out", "192"], 2, "1, 2 or 4 times"),
        (["srgan", "crops", "-o", "x.safetensors", "--size-in", "64"], 2, "give size_out too"),
        (["srgan", "crops", "-o", "x.safetensors", "--high", "crops"], 2, "given twice"),
        (["srgan", "-o", "x.safetensors", "--low", "crops"], 2, "give the good ones with --high"),
        (["dense", "crops", "-o", "x.safetensors", "--low", "crops"], 1, "dense does not learn from pairs"),
        (["srgan", "crops", "-o", "x.safetensors", "--low", "nowhere"], 1, "nowhere is not a folder"),
        (["srgan", "crops", "-o", "x.safetensors", "--crop", "16"], 1, "too small for the discriminator"),
        (["srgan", "crops", "-o", "x.safetensors", "--factor", "1", "--codec", "no"], 1, "'no'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line(run: Run, crops: Path, arguments: list[str], status: int, said: str) -> None:
    before = sorted(Path().iterdir())
    assert said in one_line(run("train", *arguments), status)
    assert sorted(Path().iterdir()) == before


def test_the_command_that_resumes_keeps_the_options(run: Run, crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    arguments = ["train", "srgan", crops, "-o", "x.safetensors", *TINY, "--crop", 32, "--steps", 2]
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        line = one_line(run(*arguments), 1)
    command = line.partition("resume with: nncodec ")[2]
    assert command == f"{shlex.join(map(str, arguments))} --resume"
    assert run(*shlex.split(command)).exit_code == 0
