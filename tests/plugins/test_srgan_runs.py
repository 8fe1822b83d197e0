"""Whole trainings of enhancers: resuming, both parts, pairs, several processes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from preloaded import Preloaded
from trainings import ASTRONAUT, srgan_model, two_processes

from nncodec.plugin import registry
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.model_file import read_model, write_model
from nncodec.training import engine
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.engine import Run, TrainingStopped, train
from nncodec.training.events import Advanced, Event, Reading, Validated
from nncodec.training.log import CsvLog

MakeRun = Callable[..., Run]
SMALL = {"factor": 2, "width": 4, "blocks": 1, "discriminator_width": 2, "crop": 32, "batch_size": 3}


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Return a maker of runs of a tiny enhancer on eight pictures; keywords are fields of `Run` or settings."""
    monkeypatch.setattr(engine, "can_plot", lambda: False)
    (tmp_path / "high").mkdir()
    for number in range(8):
        Image.fromarray(ASTRONAUT[60 * number :][:48, 180:236]).save(tmp_path / "high" / f"{number}.png")

    def make(name: str = "mine", **changes: Any) -> Run:
        run = Run("srgan", tmp_path / "high", tmp_path / f"{name}.safetensors", "mine", tmp_path / f"{name}.run")
        own = SMALL | {key: changes.pop(key) for key in list(changes) if key not in Run.__dataclass_fields__}
        return replace(run, **changes, settings=[own])

    return make


def stop_after(steps: int) -> tuple[Callable[[Event], None], Callable[[], bool]]:
    """Return callbacks for `train` that cancel it after so many steps."""
    reached: list[bool] = []

    def watch(event: Event) -> None:
        if isinstance(event, Advanced) and event.step >= steps:
            reached.append(True)

    return watch, lambda: bool(reached)


@pytest.mark.parametrize("settings", [{"factor": 2}, {"factor": 1, "codec": "conv/photo", "unshuffle": 2}], ids=str)
def test_a_run_interrupted_in_both_parts_ends_exactly_where_an_unbroken_one_does(
    make_run: MakeRun, settings: dict[str, Any]
) -> None:
    settings = settings | {"steps": 40, "content_share": 0.5}
    unbroken = train(make_run("unbroken", **settings))
    assert unbroken is not None
    for stop in (7, 20, 30):
        with pytest.raises(TrainingStopped):
            train(make_run("broken", resume=stop > 7, **settings), *stop_after(stop))
    assert bool(load_checkpoint(make_run("broken").checkpoint)["model"]["adversarial"])
    broken = train(make_run("broken", resume=True, **settings))
    assert broken is not None
    assert broken.model.digest == unbroken.model.digest
    assert broken.figures == unbroken.figures
    folders = [make_run(name).folder for name in ("unbroken", "broken")]
    assert (folders[0] / "validation.csv").read_text() == (folders[1] / "validation.csv").read_text()
    rows = [[{**row, "elapsed_s": 0} for row in CsvLog(folder / "log.csv").rows()] for folder in folders]
    assert rows[0] == rows[1]
    assert "discriminator" in rows[0][-1]
    assert "discriminator" not in rows[0][0]
    opened = registry.build_model(read_model(make_run("broken").output))
    assert isinstance(opened, EnhancerModel)
    assert opened.traits.strengths


def test_in_the_second_part_the_latest_weights_are_kept_and_nothing_is_called_best(make_run: MakeRun) -> None:
    events: list[Event] = []
    # Such a weight makes every loss of the second part larger than those of the first.
    run = make_run(steps=84, content_share=0.4, gan_weight=100.0, patience=1, learning_rate=1e-5)
    train(run, events.append)
    said = [event for event in events if isinstance(event, Validated)]
    assert [event.step for event in said] == [26, 52, 78, 84]  # and patience ended nothing
    assert said[1].figures["loss"] > said[0].figures["loss"]
    assert [event.is_best for event in said] == [True, False, False, False]
    written = read_model(run.output)
    assert written.config["gan"] is True
    assert written.card["measured"]["step"] == 84
    last = load_checkpoint(run.checkpoint)["model"]["generator.head.weight"].half().numpy()
    assert np.array_equal(written.tensors["gan.head.weight"], last)


def test_a_model_learns_what_its_pairs_show(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "low").mkdir()
    for path in (tmp_path / "high").iterdir():
        dark = Image.open(path).point(lambda value: value // 2)
        dark.save((tmp_path / "low" / path.name).with_suffix(".bmp"))
    run = make_run(low=tmp_path / "low", factor=1, steps=100, content_share=1.0, learning_rate=0.02)
    result = train(run)
    assert result is not None
    assert result.figures["gain_db"] > 6
    enhancer = registry.build_model(read_model(run.output))
    assert isinstance(enhancer, EnhancerModel)
    assert not enhancer.traits.strengths
    bright = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "high").iterdir())])
    made = enhancer.enhance(bright // 2, 0.0)
    errors = [np.square(pixels.astype(int) - bright).mean() for pixels in (made, bright // 2)]
    assert errors[0] < errors[1] / 4


def test_a_run_on_pairs_is_not_gone_on_with_without_them(make_run: MakeRun, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "high", tmp_path / "low")
    settings = {"factor": 1, "steps": 10, "content_share": 1.0}
    with pytest.raises(TrainingStopped):
        train(make_run(low=tmp_path / "low", **settings), *stop_after(3))
    with pytest.raises(ValueError, match=r"started with a folder of worse pictures \(--low\); resume it so"):
        train(make_run(resume=True, **settings))
    (tmp_path / "low" / "3.png").unlink()
    with pytest.raises(ValueError, match=r"the folders do not pair: .*3\.png has no partner"):
        train(make_run(low=tmp_path / "low", resume=True, **settings))


def test_preparing_can_be_followed_and_cancelled(make_run: MakeRun) -> None:
    events: list[Event] = []
    run = make_run(factor=1, codec="conv/photo", steps=1, content_share=1.0)
    with pytest.raises(TrainingStopped, match="before the first step"):
        train(
            run, events.append, lambda: bool(events) and isinstance(events[-1], Reading) and "conv" in events[-1].what
        )
    assert Reading(0, 7, "encoding and decoding with conv/photo") in events
    assert not run.folder.exists()


def test_a_shape_other_than_the_bases_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    base = srgan_model(False)
    path = tmp_path / "base.safetensors"
    write_model(path, architecture="srgan", config=base.config, name="base", card={}, tensors=base.tensors)
    for settings, name in (
        ({"width": 8}, "width"),
        ({"factor": 4}, "factor"),
        ({"size_in": 8, "size_out": 32}, "factor"),
    ):
        run = make_run(base=read_model(path), steps=1)
        given = {key: value for key, value in SMALL.items() if key not in ("factor", "crop")} | settings
        with pytest.raises(ValueError, match=f"base has {name} = .* and keeps it; leave {name} out"):
            train(replace(run, settings=[given]))


@pytest.mark.slow
def test_two_processes_train_both_parts_and_the_first_like_one(
    make_run: MakeRun, tmp_path: Path, preloaded: Preloaded
) -> None:
    """The generator has no batch normalisation; each process normalises the discriminator by itself."""
    settings = {"batch_size": 5, "steps": 54, "content_share": 0.52, "normalise": False, "bfloat16": False}
    alone, both = make_run("alone", **settings), make_run("both")
    train(alone)
    command = [
        "train",
        "srgan",
        "--high",
        str(both.data),
        "-o",
        str(both.output),
        "--name",
        "mine",
        "--batch-size",
        "5",
    ]
    for key, value in (SMALL | settings).items():
        command += ["--set", f"{key}={str(value).lower()}"]
    for done in two_processes(preloaded, command, tmp_path):
        assert done.returncode == 0, done.stderr
    assert all(read_model(run.output).config["gan"] is True for run in (alone, both))
    rows = [CsvLog(run.folder / "validation.csv").rows() for run in (alone, both)]
    (first, _), (same_first, _) = rows[0][:2], rows[1][:2]
    assert first["step"] == same_first["step"] <= 28  # of the first part
    assert same_first["loss"] == pytest.approx(first["loss"], rel=1e-4)
    # In the second part they only have to reach a similar quality.
    assert rows[1][-1]["psnr_db"] == pytest.approx(rows[0][-1]["psnr_db"], abs=1)


def test_crops_too_small_to_be_judged_are_refused_before_anything_is_begun(make_run: MakeRun) -> None:
    run = make_run(crop=16)
    said = "crops of 16 x 16 pixels are too small for the discriminator, which needs at least 32 x 32; gan"
    with pytest.raises(ValueError, match=said):
        train(run)
    assert not run.folder.exists()
    assert train(make_run(crop=16, gan_weight=0.0, steps=1)) is not None
