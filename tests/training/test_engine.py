"""A run from a folder to a model file: what it leaves, how it resumes, and its errors."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from trainings import MakeRun, refused, stop_after

from nncodec.errors import InvalidOption, ModelError, NncError, PluginError
from nncodec.nn import precision as nn_precision
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model, read_model_info
from nncodec.training import drawing, engine
from nncodec.training.checkpoint import load_checkpoint, previous_of
from nncodec.training.data import list_pictures
from nncodec.training.engine import TrainingRefused, TrainingStopped, train
from nncodec.training.events import Advanced, Event, Note, Validated
from nncodec.training.log import CsvLog
from nncodec.training.loop import TrainingDiverged

TINY = "nncodec_tiny_of_tests"  # the module of the architecture "tiny"


def test_a_run_leaves_a_usable_model_and_a_record_of_its_training(make_run: MakeRun) -> None:
    run = make_run(licence="CC0 1.0", seed=3)
    events: list[Event] = []
    result = train(run, events.append)
    assert result is not None
    assert read_model_info(run.output) == result.model
    model = read_model(run.output)
    assert model.name == "mine"
    assert model.tensors["weight"] > 0.8  # it began at 0.5; the original is at 1
    registry.build_model(model)
    card = model.card
    assert card["licence"] == "CC0 1.0"
    assert card["training"]["steps"] == result.report.steps == 30
    assert card["training"]["settings"]["seed"] == 3
    assert card["training_data"] == "pictures: 11 pictures, and 1 picture held back"
    assert str(run.data.parent) not in json.dumps(dict(card))
    assert card["measured"]["psnr_db"] == pytest.approx(result.figures["psnr_db"], rel=1e-5)
    left = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert left == {"checkpoint.pt", "log.csv", "run.json", "samples.png", "validation.csv"}
    assert any(isinstance(event, Note) and "nncodec-image[train]" in event.text for event in events)
    steps = [event.step for event in events if isinstance(event, Advanced)]
    assert steps == list(range(1, 31))
    last = [event for event in events if isinstance(event, Advanced)][-1]
    assert last.progress == 1
    assert last.left_s == 0
    assert last.fresh
    assert [event.step for event in events if isinstance(event, Validated)] == [27, 30]


@pytest.mark.parametrize(("unit", "wanted"), [("avx512_bf16", True), ("avx512_bf16", False), ("avx2", True)])
def test_training_computes_in_bfloat16_only_where_the_processor_multiplies_it(
    make_run: MakeRun, unit: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[bool, bool]] = set()

    def watch(module: torch.nn.Module, _: object) -> None:
        seen.add((module.training, torch.is_autocast_enabled("cpu")))

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {unit: True}, raising=False)
    nn_precision._multiplies_bfloat16.cache_clear()
    hook = torch.nn.modules.module.register_module_forward_pre_hook(watch)
    try:
        train(make_run(epochs=1, bfloat16=wanted))
    finally:
        hook.remove()
        nn_precision._multiplies_bfloat16.cache_clear()
    multiplied = wanted and unit == "avx512_bf16"
    assert seen == {(True, multiplied), (False, multiplied)}


def test_samples_show_originals_above_their_reconstructions(make_run: MakeRun) -> None:
    run = make_run(sample_epochs=4, epochs=20, start=0.0, learning_rate=1e-9)
    train(run)
    names = sorted(path.name for path in (run.folder / "samples").iterdir())
    assert names == ["epoch-0009.png", "epoch-0018.png"]  # of three steps each: taken together to at least 25
    assert list_pictures(run.data.parent) == list_pictures(run.data)  # the run below it draws no training pictures
    shown = np.asarray(Image.open(run.folder / "samples.png").convert("L")).astype(int)
    top, bottom = shown[: shown.shape[0] // 2], shown[shown.shape[0] // 2 :]
    assert top[top < 250].std() > 10
    assert bottom[bottom < 250].std() < 1  # weight 0: what is decoded is flat


def test_the_loss_is_plotted_if_matplotlib_is_installed(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    run = make_run(steps=10)
    monkeypatch.setattr(engine, "can_plot", drawing.can_plot)
    train(run)
    drawn = Image.open(run.folder / "loss.png")
    assert list_pictures(run.data.parent) == list_pictures(run.data)
    width, height = drawn.size
    assert height == pytest.approx(1.22 * width, rel=0.05)  # three panels: loss, PSNR, rate
    assert len(drawn.convert("RGB").getcolors(1 << 24) or []) > 50


# --- resuming -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"patience": 2, "learning_rate": 0.5, "validate_epochs": 1, "epochs": 200}])
def test_a_resumed_run_ends_like_an_uninterrupted_one(make_run: MakeRun, settings: dict[str, Any]) -> None:
    unbroken = train(make_run("unbroken", **settings))
    assert unbroken is not None
    for stop in (7, 29):
        with pytest.raises(TrainingStopped, match=f"step {stop}"):
            train(make_run("broken", resume=stop > 7, **settings), *stop_after(stop))
    notes: list[Event] = []
    broken = train(make_run("broken", resume=True, **settings), notes.append)
    assert broken is not None
    assert Note("resuming after step 29") in notes
    assert broken.report.steps == unbroken.report.steps
    assert broken.model.digest == unbroken.model.digest
    assert broken.figures == unbroken.figures
    logs = [make_run(name).folder for name in ("unbroken", "broken")]
    rows = [[{**row, "elapsed_s": 0} for row in CsvLog(folder / "log.csv").rows()] for folder in logs]
    assert rows[0] == rows[1]
    assert (logs[0] / "validation.csv").read_text() == (logs[1] / "validation.csv").read_text()
    if settings:
        assert unbroken.report.steps < 200 * 3  # it did stop early


def test_early_stopping_keeps_the_best_weights(make_run: MakeRun) -> None:
    # So high a learning rate that the loss goes up again.
    run = make_run(patience=2, learning_rate=0.5, epochs=200)
    result = train(run)
    assert result is not None
    rows = CsvLog(run.folder / "validation.csv").rows()
    best = min(rows, key=lambda row: row["loss"])
    assert rows[-3] == best
    assert result.figures["loss"] == pytest.approx(best["loss"], rel=1e-5)
    assert read_model_info(run.output).card["measured"]["step"] == best["step"]
    last = load_checkpoint(run.checkpoint)["model"]["weight"].item()
    assert float(read_model(run.output).tensors["weight"]) != last


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(make_run: MakeRun) -> None:
    settings = {"checkpoint_minutes": 1e-9}
    with pytest.raises(TrainingStopped):
        train(make_run(**settings), *stop_after(12))
    path = make_run().checkpoint
    before = load_checkpoint(previous_of(path))["step"]
    whole = bytearray(path.read_bytes())
    place = whole.index(load_checkpoint(path)["optimizer"]["state"][0]["exp_avg"].numpy().tobytes())
    whole[place] ^= 1
    path.write_bytes(whole)
    notes: list[Event] = []
    train(make_run(resume=True, **settings), notes.append)
    texts = [note.text for note in notes if isinstance(note, Note)]
    assert any("checkpoint.pt" in text and "damaged" in text and "\n" not in text for text in texts)
    assert f"resuming after step {before}" in texts


def test_two_damaged_checkpoints_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(TrainingStopped):
        train(make_run(checkpoint_minutes=1e-9), *stop_after(5))
    path = make_run().checkpoint
    for damaged in (path, previous_of(path)):
        damaged.write_bytes(b"PK")
    with pytest.raises(ValueError, match="no usable checkpoint") as caught:
        train(make_run(resume=True, checkpoint_minutes=1e-9))
    assert "\n" not in str(caught.value)


def test_a_run_killed_before_its_first_checkpoint_starts_again(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(TrainingStopped):
        train(run, *stop_after(5))
    run.checkpoint.unlink()
    notes: list[Event] = []
    again = train(replace(run, resume=True), notes.append)
    assert any(isinstance(note, Note) and "no checkpoint yet" in note.text for note in notes)
    unbroken = train(make_run("unbroken"))
    assert again is not None
    assert unbroken is not None
    assert again.model.digest == unbroken.model.digest
    assert (run.folder / "validation.csv").read_text() == (make_run("unbroken").folder / "validation.csv").read_text()


def test_a_finished_run_can_be_extended(make_run: MakeRun) -> None:
    train(make_run(epochs=5))
    result = train(make_run(epochs=8, resume=True, overwrite=True, learning_rate=0.001))
    assert result is not None
    assert result.report.steps == 24


def test_a_run_of_an_older_version_with_fewer_settings_can_be_resumed(make_run: MakeRun) -> None:
    with pytest.raises(TrainingStopped):
        train(make_run(), *stop_after(5))
    record = make_run().record_path
    written = json.loads(record.read_text())
    del written["settings"]["label"]
    record.write_text(json.dumps(written))
    with pytest.raises(ValueError, match="has label = '', not 'x'"):  # only as it would have been then
        train(make_run(resume=True, label="x"))
    assert train(make_run(resume=True)) is not None


# --- refusals -----------------------------------------------------------------------------------------------------


def test_problems_at_the_end_are_refused_at_the_start(make_run: MakeRun, tmp_path: Path) -> None:
    assert "does not end in .safetensors" in refused(make_run(output=tmp_path / "mine.bin"))
    assert "cannot name a model" in refused(replace(make_run(), name="Mine!"))
    assert "no run to resume" in refused(make_run(resume=True))
    assert "no device" in refused(make_run(device="abacus"))
    assert "no setting 'epoch'" in refused(make_run(epoch=3))
    (tmp_path / "a.png").write_bytes(b"picture")
    folder = tmp_path / "folder.safetensors"
    folder.mkdir()
    reason = f"cannot be written ({tmp_path / 'a.png'} is a file, not a folder); choose another place"
    assert reason in refused(make_run(output=tmp_path / "a.png" / "x.safetensors", folder=tmp_path / "x.run"))
    with pytest.raises(ValueError, match="is a folder; choose another name"):
        train(make_run(output=folder, overwrite=True))
    assert not make_run().folder.exists()


def test_a_link_to_a_model_stays_and_a_link_to_nothing_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    link, target = tmp_path / "link.safetensors", tmp_path / "elsewhere" / "target.safetensors"
    link.symlink_to(target)
    with pytest.raises(ValueError, match="is a link to a file that does not exist; use -f"):
        train(make_run(output=link, steps=1))
    target.parent.mkdir()
    target.write_bytes(b"old")
    with pytest.raises(ValueError, match="already exists"):
        train(make_run(output=link, steps=1))
    train(make_run(output=link, steps=1, overwrite=True))
    assert link.is_symlink()
    assert read_model(target).name == "mine"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("seed", [1732700000000000000, (1 << 63) - 1])
def test_a_large_seed_is_one_like_others(make_run: MakeRun, seed: int) -> None:
    result = train(make_run(steps=2, seed=seed))
    assert result is not None
    assert result.model.card["training"]["settings"]["seed"] == seed


def test_worse_pictures_are_refused_if_the_architecture_takes_no_pairs(make_run: MakeRun) -> None:
    run = make_run()
    assert refused(replace(run, low=run.data)).startswith("tiny does not learn from pairs of pictures; leave")


def test_what_is_refused_is_an_error_of_this_package_and_a_value_error(make_run: MakeRun) -> None:
    for run in (replace(make_run(), data=Path("nope")), make_run(start="many"), make_run(crop=-1)):
        with pytest.raises(TrainingRefused) as caught:
            train(run)
        assert isinstance(caught.value, NncError)
        assert isinstance(caught.value, ValueError)
    with pytest.raises(TrainingDiverged) as diverged:
        train(make_run("other", poison_at=0.5))
    assert isinstance(diverged.value, NncError)


def test_places_of_a_run_are_paths_however_they_are_given(make_run: MakeRun) -> None:
    run = make_run()
    places = {name: getattr(run, name) for name in ("data", "output", "folder")}
    assert replace(run, **{name: str(place) for name, place in places.items()}) == run
    for name in (*places, "low"):
        with pytest.raises(InvalidOption, match=f"'{name}': expected a path, got int"):
            replace(run, **{name: 3})
    with pytest.raises(InvalidOption, match="'data': expected a path, got NoneType"):
        replace(run, data=None)


def test_an_architecture_without_a_usable_recipe_is_refused(make_run: MakeRun) -> None:
    assert "these can: absent, broken, tiny" in refused(replace(make_run(), architecture="plain"), ModelError)
    assert "these can" in refused(replace(make_run(), architecture="other"), ModelError)
    assert "not a Recipe subclass" in refused(replace(make_run(), architecture="broken"), PluginError)
    assert "nncodec_not_there" in refused(replace(make_run(), architecture="absent"), PluginError)


def test_neither_a_model_nor_a_run_is_overwritten(make_run: MakeRun) -> None:
    run = make_run(steps=2)
    train(run)
    written = run.output.read_bytes()
    with pytest.raises(ValueError, match="already exists"):
        train(run)
    with pytest.raises(ValueError, match="continue it with --resume"):
        train(replace(run, overwrite=True))
    assert run.output.read_bytes() == written


@pytest.mark.parametrize("of_pictures", [False, True])
def test_a_run_takes_no_folder_of_other_files(make_run: MakeRun, tmp_path: Path, of_pictures: bool) -> None:
    folder = make_run().data if of_pictures else tmp_path / "mine"
    folder.mkdir(exist_ok=True)
    (folder / "loss.png").write_text("keep")
    assert "belong to no run" in refused(make_run(folder=folder))
    assert (folder / "loss.png").read_text() == "keep"


def test_a_run_is_not_resumed_with_other_settings_or_another_base(make_run: MakeRun) -> None:
    with pytest.raises(TrainingStopped):
        train(make_run(batch_size=3), *stop_after(5))
    assert "batch_size = 3, not 5" in refused(make_run(batch_size=5, resume=True))
    assert "start = 0.5, not 0.25" in refused(make_run(batch_size=3, start=0.25, resume=True))
    other = train(make_run("other", steps=2))
    assert other is not None
    base = read_model(make_run("other").output)
    assert "has base None" in refused(make_run(batch_size=3, base=base, resume=True))


def test_a_base_gives_the_weights_and_must_be_of_the_architecture(make_run: MakeRun) -> None:
    train(make_run("first", start=0.75, learning_rate=1e-9))
    base = read_model(make_run("first").output)
    train(make_run("second", base=base, start=0.1, learning_rate=1e-9))
    second = read_model(make_run("second").output)
    assert second.tensors["weight"] == pytest.approx(0.75, abs=1e-3)
    assert second.card["base"] == {"name": "mine", "digest": base.digest}
    assert "of other, not of tiny" in refused(make_run("third", base=replace(base, architecture="other")))


def test_a_base_keeps_its_shape(make_run: MakeRun) -> None:
    train(make_run("first", epochs=1))
    base = replace(read_model(make_run("first").output), config={"label": "a", "multiple": 8})
    assert "label = 'a' and keeps it" in refused(make_run("second", base=base, label="b"))
    train(make_run("second", base=base, label="a", epochs=1))


def test_a_nan_loss_ends_the_run_in_one_line(make_run: MakeRun) -> None:
    assert "step 15" in refused(make_run(poison_at=0.5), TrainingDiverged)


def test_a_full_disk_at_a_checkpoint_ends_the_run_and_leaves_the_last_one(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(checkpoint_minutes=1e-9)
    with pytest.raises(TrainingStopped):
        train(run, *stop_after(5))
    step = load_checkpoint(run.checkpoint)["step"]

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            train(replace(run, resume=True))
    assert caught.value.filename == str(run.checkpoint)
    assert load_checkpoint(run.checkpoint)["step"] == step
    assert not [path for path in run.folder.iterdir() if path.name.startswith(".")]
    assert train(replace(run, resume=True)) is not None


def test_a_full_disk_at_the_end_leaves_no_model_and_the_run_can_be_resumed(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(steps=3)

    def full(path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(engine, "write_model", full)
        refused(run, OSError)
    assert sorted(path.name for path in run.output.parent.iterdir()) == ["mine.run", "pictures"]
    assert train(replace(run, resume=True)) is not None


# --- data ---------------------------------------------------------------------------------------------------------


def test_a_single_picture_serves_for_training_and_validation(make_run: MakeRun, pictures: Path) -> None:
    for path in sorted(pictures.iterdir())[1:]:
        path.unlink()
    notes: list[Event] = []
    result = train(make_run(steps=3), notes.append)
    assert result is not None
    assert any(isinstance(note, Note) and "single picture" in note.text for note in notes)
    assert any(isinstance(note, Note) and note.text.endswith("1 to train on, 0 held back") for note in notes)
    card = result.model.card
    assert "1 picture of" in card["summary"]
    assert card["training_data"] == "pictures: 1 picture"
    assert (card["measured"]["on"], result.measured_on) == ("1 picture trained on", "training pictures")


def test_without_held_back_pictures_the_last_weights_are_kept(make_run: MakeRun) -> None:
    run = make_run(held_back=0, steps=8)
    result = train(run)
    assert result is not None
    assert "measured" not in result.model.card
    assert result.model.card["training_data"] == "pictures: 12 pictures"
    assert "loss" in result.figures
    assert result.measured_on == "training pictures"
    assert not (run.folder / "validation.csv").exists()
    assert torch.tensor(read_model(run.output).tensors["weight"]) == load_checkpoint(run.checkpoint)["model"]["weight"]


def test_pictures_of_the_wrong_size_are_refused(make_run: MakeRun) -> None:
    text = refused(make_run(fixed=True))
    assert "28 x 28" in text
    assert "48 x 40" in text


@pytest.mark.parametrize(
    ("sizes", "crop", "seen", "advises"),
    [
        (((20, 1), (2, 30), (5, 6), (40, 40)), 32, 8, True),  # half are smaller, so crops are reduced
        (((6, 5), (6, 5)), 32, 8, True),  # taken whole
        (((40, 40), (48, 40)), 12, 8, False),  # crop itself is too small
        (((12, 30), (40, 40)), 16, 16, False),
    ],
)
def test_what_helps_against_crops_too_small_is_said(
    make_run: MakeRun,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: tuple[tuple[int, int], ...],
    crop: int,
    seen: int,
    advises: bool,
) -> None:
    def refuse(task: object, height: int, width: int) -> None:
        raise ValueError(f"crops of {width} x {height} are too small")

    for path in pictures.iterdir():
        path.unlink()
    for number, size in enumerate(sizes):
        Image.new("L", size).save(pictures / f"{number}.png")
    run = make_run(crop=crop)
    monkeypatch.setattr(f"{TINY}.TinyTask.require_size", refuse)
    text = refused(run)
    assert text.startswith(f"crops of {seen} x {seen} are too small")
    assert (
        text.endswith("half of the pictures, or all, are no larger: leave the small ones out, or give larger ones")
        == advises
    )


def test_a_resumed_run_notes_that_the_pictures_have_changed(make_run: MakeRun, pictures: Path) -> None:
    with pytest.raises(TrainingStopped):
        train(make_run(), *stop_after(5))
    Image.new("L", (40, 40)).save(pictures / "new.png")
    notes: list[Event] = []
    train(make_run(resume=True), notes.append)
    assert any(isinstance(note, Note) and "have changed" in note.text for note in notes)


def changed_notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note) and "have changed" in event.text]


@pytest.mark.parametrize("further", [1, 0])
def test_other_held_back_pictures_make_a_resumed_run_forget_its_best(
    make_run: MakeRun, pictures: Path, further: int
) -> None:
    # Black pictures, as many as before: on those every loss is lower than on the photographs that follow.
    for path in pictures.iterdir():
        Image.new("L", (48, 40)).save(path)
    first = train(make_run(steps=54, learning_rate=0.3))
    assert first is not None
    for number, path in enumerate(sorted(pictures.iterdir())):
        Image.fromarray(skimage.data.camera()[40 * number :][:40, 100:148]).save(path)
    events: list[Event] = []
    result = train(make_run(steps=54 + further, learning_rate=0.3, resume=True, overwrite=True), events.append)
    assert result is not None
    assert len(changed_notes(events)) == 1
    measured = [event.figures for event in events if isinstance(event, Validated)]
    assert result.figures == measured[0]
    assert result.figures["loss"] > first.figures["loss"]
    assert result.model.card["measured"]["step"] == 54 + further


def test_a_run_that_resumes_with_its_own_pictures_keeps_its_best(make_run: MakeRun) -> None:
    run = make_run(steps=54, learning_rate=0.5)
    first = train(run)
    assert first is not None
    # A checkpoint of an older version does not say what its best was measured on.
    state = load_checkpoint(run.checkpoint)
    assert state["watcher"].pop("measured_on")
    torch.save(state, run.checkpoint)
    record = json.loads(run.record_path.read_text())
    assert record.pop("validation_digest")
    run.record_path.write_text(json.dumps(record))
    events: list[Event] = []
    again = train(replace(run, resume=True, overwrite=True), events.append)
    assert again is not None
    assert not changed_notes(events)
    assert again.model.digest == first.model.digest
    assert again.figures == first.figures
