"""How enhancers are trained: turns, the two parts, pairs by a codec, going on, and what their model files hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor

import nncodec
from nncodec.errors import UnknownModel
from nncodec.nn.tensors import to_tensor, weights_of
from nncodec.plugin import registry
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile, read_model, write_model
from nncodec.training import engine
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.engine import Run, TrainingStopped, train
from nncodec.training.events import Advanced, Event, Reading, Validated
from nncodec.training.log import CsvLog
from nncodec.training.losses import mse
from nncodec.training.pairs import paired
from nncodec.training.settings import combine
from nncodec.training.training_set import DataSummary, TrainingSet
from nncodec_srgan.discriminator import Discriminator
from nncodec_srgan.enhancer import CONTENT, DETAIL, model_config
from nncodec_srgan.generator import Generator, GeneratorConfig
from nncodec_srgan.recipe import EnhancerRecipe, EnhancerSettings
from nncodec_srgan.training import EnhancerTask, Objective

SHAPE = GeneratorConfig(factor=2, width=4, blocks=1)
SUMMARY = DataSummary(4, None, None, grey=False)
ASTRONAUT = skimage.data.astronaut()
MakeRun = Callable[..., Run]
SMALL = {"factor": 2, "width": 4, "blocks": 1, "discriminator_width": 2, "crop": 32, "batch_size": 3}


def task_of(
    content_share: float = 0.5, perceptual: Any = None, discriminator: bool = True, matching: float = 0.0
) -> EnhancerTask:
    """Return a task whose generator already corrects a little, so that every parameter of it gets gradients."""
    torch.manual_seed(0)
    generator = Generator(SHAPE)
    torch.nn.init.normal_(generator.tail.weight, std=0.01)
    objective = Objective(content_share, content=1.0, adversarial=0.5, matching=matching, perceptual=0.1)
    return EnhancerTask(
        generator, Discriminator(2) if discriminator else None, objective, perceptual=perceptual
    ).train()


def batch() -> Tensor:
    """Return two good pictures, (2, 3, 32, 32)."""
    return to_tensor(np.stack([ASTRONAUT[100:132, 200:232], ASTRONAUT[40:72, 220:252]]))


def turn(task: EnhancerTask, number: int, progress: float) -> tuple[set[str], dict[str, float]]:
    """Take one update; return which parts of the state it changed, and the figures."""
    before = {name: value.clone() for name, value in task.state_dict().items()}
    optimizer = torch.optim.Adam(task.parameter_groups(1e-2), fused=True)
    task.begin_step(progress)
    loss, figures = task.turn_loss(number, batch(), progress, torch.Generator())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    changed = {
        name
        for name, value in task.state_dict().items()
        if not torch.allclose(value.float(), before[name].float(), rtol=0, atol=1e-7)
    }
    return {name.partition(".")[0] for name in changed if not name.endswith("num_batches_tracked")}, figures


# --- the task -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_pairs_come_apart_as_they_were_put_together(factor: int) -> None:
    task = EnhancerTask(Generator(replace(SHAPE, factor=factor)), None, Objective())
    high = ASTRONAUT[:16, :24]
    low = ASTRONAUT[300 : 300 + 16 // factor, : 24 // factor]
    worse, good = task.pair(to_tensor(paired(high, low, factor)[None]))
    assert torch.equal(good, to_tensor(high[None]))
    assert torch.equal(worse, to_tensor(low[None]))


def test_without_worse_pictures_they_are_made_by_reducing() -> None:
    worse, good = task_of().pair(batch())
    assert worse.shape == (2, 3, 16, 16)
    assert torch.equal(good, batch())
    assert (worse - torch.nn.functional.avg_pool2d(batch(), 2)).abs().mean() < 0.02


def test_in_the_first_part_only_the_generator_learns_from_the_content() -> None:
    task = task_of()
    changed, figures = turn(task, 0, 0.49)
    assert changed == {"generator"}
    assert (task.turns, task.comparable, task.is_adversarial) == (1, True, False)
    assert figures.keys() == {"content", "psnr_db", "gain_db"}


def test_in_the_second_part_the_turns_change_one_network_each() -> None:
    task = task_of()
    first, figures = turn(task, 0, 0.5)
    assert first == {"generator", "adversarial"}  # and not the discriminator's statistics
    assert (task.turns, task.comparable) == (2, False)
    assert figures.keys() >= {"content", "adversarial", "psnr_db"}
    second, figures = turn(task, 1, 0.5)
    assert second == {"discriminator"}
    assert figures.keys() == {"discriminator"}
    assert turn(task, 0, 0.6)[0] == {"generator"}  # the weights for fidelity stay as well


def test_features_of_the_discriminator_are_matched_by_the_generator_alone() -> None:
    without, task = task_of(), task_of(matching=0.5)
    for started in (without, task):
        started.begin_step(0.5)
    expected, _ = without.turn_loss(0, batch(), 0.5, torch.Generator())
    found, figures = task.turn_loss(0, batch(), 0.5, torch.Generator())
    assert figures["matching"] > 0
    assert found.item() == pytest.approx(expected.item() + 0.5 * figures["matching"], rel=1e-5)
    assert turn(task_of(matching=0.5), 0, 0.5)[0] == {"generator", "adversarial"}


def test_no_alternation_is_left_after_a_step() -> None:
    task = task_of()
    turn(task, 0, 0.5)
    before = task.generator.tail.weight.clone()
    task.end_step()
    left = task.generator.tail.weight.clone()
    task.generator.remove_alternation()
    assert torch.allclose(left, task.generator.tail.weight, atol=1e-7)
    assert not torch.allclose(left, before, atol=1e-4)


def test_a_restorer_with_filters_learns_only_these_in_the_second_part() -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(factor=1, width=4, blocks=1, unshuffle=4, normalise=False, filters=2))
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    task = EnhancerTask(generator, Discriminator(2), Objective(0.5, adversarial=0.5)).train()
    planes = torch.cat([batch(), batch().roll(1, 3)], dim=1)

    def changed_by_a_step(progress: float) -> set[str]:
        before = {name: value.detach().clone() for name, value in task.generator.named_parameters()}
        optimizer = torch.optim.Adam(task.parameter_groups(1e-2), fused=True)
        task.begin_step(progress)
        for number in (0, 1):
            loss, _ = task.turn_loss(number, planes, progress, torch.Generator())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return {name for name, value in task.generator.named_parameters() if not torch.equal(value, before[name])}

    every = {name for name, _ in generator.named_parameters()}
    assert changed_by_a_step(0.2) == every
    assert changed_by_a_step(0.6) == {name for name in every if name.startswith("filters.")}
    task.load_state_dict(task.state_dict())
    assert changed_by_a_step(0.7) == {name for name in every if name.startswith("filters.")}


def test_the_weights_for_fidelity_are_those_that_the_second_part_begins_with() -> None:
    task = task_of()
    turn(task, 0, 0.2)
    kept = {name: value.clone() for name, value in task.generator.state_dict().items()}
    turn(task, 0, 0.7)
    parameters = dict(task.content.named_parameters())
    assert all(torch.equal(parameters[name], kept[name]) for name in parameters)
    assert not any(torch.equal(one, parameters[name]) for name, one in task.generator.named_parameters())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("adversarial", [True, False])
def test_a_loss_starts_no_second_part_and_changes_nothing(training: bool, adversarial: bool) -> None:
    torch.manual_seed(0)
    shape = GeneratorConfig(factor=1, width=4, blocks=1, unshuffle=4, normalise=False, filters=2)
    task = EnhancerTask(Generator(shape), Discriminator(2), Objective(0.5, adversarial=0.5, matching=0.5))
    if adversarial:
        task.begin_step(0.5)
    task.train(training)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    learning = [parameter.requires_grad for parameter in task.parameters()]
    task.loss(batch(), 1.0, torch.Generator())
    assert task.is_adversarial == adversarial
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    assert [parameter.requires_grad for parameter in task.parameters()] == learning


def test_with_a_perceptual_loss_alone_there_is_a_second_part_of_one_turn() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def perceptual(restored: Tensor, original: Tensor) -> Tensor:
        seen.append((restored, original))
        return mse(restored, original)

    task = task_of(perceptual=perceptual, discriminator=False)
    turn(task, 0, 0.2)
    assert not seen
    _, figures = turn(task, 0, 0.5)
    assert len(seen) == 1
    assert figures["perceptual"] > 0
    assert (task.turns, task.comparable, task.is_adversarial) == (1, False, True)


def test_without_either_there_is_no_second_part() -> None:
    task = task_of(discriminator=False)
    assert turn(task, 0, 0.9)[0] == {"generator"}
    assert task.rate_progress(0.7) == 0.7


def test_the_learning_rate_falls_in_each_part() -> None:
    task = task_of(content_share=0.8)
    assert [task.rate_progress(p) for p in (0.0, 0.4, 0.8, 0.9, 1.0)] == pytest.approx([0, 0.5, 0.5, 0.75, 1])
    assert task.rate_progress(0.7999) > 0.999
    assert [task_of(content_share=share).rate_progress(0.3) for share in (0.0, 1.0)] == [0.3, 0.3]


def test_crops_too_small_to_be_judged_are_refused_before_anything_is_begun(make_run: MakeRun) -> None:
    run = make_run(crop=16)
    said = "crops of 16 x 16 pixels are too small for the discriminator; give at least 32, or train without one"
    with pytest.raises(ValueError, match=said):
        train(run)
    assert not run.folder.exists()
    assert train(make_run(crop=16, gan_weight=0.0, steps=1)) is not None


def test_the_gain_is_over_interpolation() -> None:
    task = EnhancerTask(Generator(SHAPE), None, Objective()).eval()
    assert task.loss(batch(), 0.0, torch.Generator())[1]["gain_db"] == pytest.approx(0, abs=1e-5)


def test_samples_show_the_worse_the_restored_and_the_good_picture() -> None:
    task = task_of().eval()
    worse, restored, good = task.sample_rows(batch())
    assert torch.equal(good, batch())
    assert torch.equal(worse[:, :, ::2, ::2], task.pair(batch())[0])
    assert torch.equal(worse[:, :, 1::2, 1::2], worse[:, :, ::2, ::2])
    assert torch.equal(restored, task.reconstruct(batch()))


# --- the recipe ---------------------------------------------------------------------------------------------------


def model(detail: bool, shape: GeneratorConfig = SHAPE) -> ModelFile:
    """Return an enhancer's model file with weights that tell which set they are of."""
    tensors = {}
    for number, prefix in enumerate((CONTENT, DETAIL)[: 1 + detail]):
        torch.manual_seed(number)
        tensors |= weights_of(Generator(shape), prefix)
    return ModelFile("srgan", model_config(shape, detail=detail), "base", {}, "", tensors=tensors)


def same(generator: Generator, base: ModelFile, prefix: str) -> bool:
    """Whether a generator has the weights of a set."""
    return np.array_equal(
        generator.head.weight.detach().numpy(), base.tensors[f"{prefix}head.weight"].astype(np.float32)
    )


@pytest.mark.parametrize(
    ("detail", "content_share", "start"),
    [(True, 0.0, DETAIL), (False, 0.0, CONTENT), (True, 0.5, CONTENT), (True, 1.0, CONTENT)],
)
def test_a_base_gives_the_weights_to_begin_with(detail: bool, content_share: float, start: str) -> None:
    base = model(detail)
    recipe = EnhancerRecipe(EnhancerSettings(content_share=content_share, discriminator_width=2), SUMMARY, base)
    task = recipe.task()
    assert recipe.size == 2  # of the base, not of the settings
    assert same(task.generator, base, start)
    assert same(task.content, base, CONTENT)
    assert all(one.requires_grad for one in task.generator.parameters())
    assert not any(one.requires_grad for one in task.content.parameters())
    task.train()
    turn(task, 0, 0.6)  # in the second part, but for the last
    assert task.is_adversarial == (content_share < 1)
    exported = recipe.export(task.eval(), [], lambda text: None)
    assert exported.config["gan"] == (content_share < 1)
    if content_share == 0:  # the weights for fidelity went through untouched
        fidelity = {name: value for name, value in base.tensors.items() if name.startswith(CONTENT)}
        assert all(np.array_equal(exported.tensors[name], value) for name, value in fidelity.items())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"factor": 3}, "factor is 3; give one of 1, 2, 4"),
        ({"unshuffle": 2}, "leave it out"),
        ({"filters": 2}, "leave it out"),
        ({"content_share": 1.5}, "content_share is 1.5"),
        ({"gan_weight": -1.0}, "gan_weight is -1.0"),
        ({"matching_weight": -1.0}, "matching_weight is -1.0"),
        ({"discriminator_width": 0}, "discriminator_width is 0"),
        ({"quality_low": 30}, "quality_low is 30 and quality_high 20"),
        ({"quality_high": 101}, "quality_high 101"),
        ({"variants": 0}, "variants is 0"),
        ({"size_in": 16}, "give size_out too"),
        ({"size_in": 16, "size_out": 48}, "size_out is 48 and size_in 16; give 1, 2 or 4 times as much"),
        ({"size_in": 0, "size_out": 0}, "give 1, 2 or 4 times"),
        ({"size_in": 16, "size_out": 32, "factor": 4}, "from size_in = 16 to size_out = 32 is not factor 4"),
        ({"size_out": 64, "crop": 32}, "crop is 32 and size_out 64, which are the same thing"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_one_line(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        combine(EnhancerRecipe, settings)
    assert "\n" not in str(caught.value)


def test_sizes_of_crops_are_another_spelling_of_factor_and_crop() -> None:
    found = combine(EnhancerRecipe, {"size_in": 64}, {"size_out": 128})
    assert (found.model.factor, found.run.crop) == (2, 128)
    assert found.given == {"factor", "crop"}
    assert found.as_dict() == combine(EnhancerRecipe, {"factor": 2, "crop": 128}).as_dict()
    alone = combine(EnhancerRecipe, {"size_out": 64})
    assert (alone.model.factor, alone.run.crop) == (4, 64)


def test_pairs_of_another_factor_are_refused() -> None:
    twice = replace(SUMMARY, factor=2)
    with pytest.raises(ValueError, match="2 times as large as the worse ones, and factor is 4; set factor=2"):
        EnhancerRecipe(EnhancerSettings(), twice)
    four = model(False, replace(SHAPE, factor=4))
    with pytest.raises(ValueError, match="base is for 4; give it others, or train anew"):
        EnhancerRecipe(EnhancerSettings(), twice, four)
    assert EnhancerRecipe(EnhancerSettings(factor=2), twice).size == 2


def test_a_perceptual_loss_without_features_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NNCODEC_VGG16", raising=False)
    monkeypatch.chdir(tmp_path)
    for settings in ({}, {"features": "nowhere.pth"}):
        recipe = EnhancerRecipe(EnhancerSettings(perceptual_weight=0.1, width=4, **settings), SUMMARY)
        with pytest.raises(ValueError, match=r"VGG16|nowhere") as caught:
            recipe.task()
        assert "\n" not in str(caught.value)


# --- pairs by a codec ---------------------------------------------------------------------------------------------


def by_codec(pictures: list[Pixels], seed: int = 0, **settings: Any) -> tuple[list[Pixels], list[tuple[str, int, int]]]:
    """Return what the recipe makes of pictures, and what it told."""
    told: list[tuple[str, int, int]] = []
    recipe = EnhancerRecipe(EnhancerSettings(factor=1, **settings), SUMMARY)
    given = TrainingSet(pictures, [], len(pictures), 0, "mine")
    found = recipe.prepare(given, seed, lambda *progress: told.append(progress))
    assert found.factor == 1
    assert found.validation == []
    return found.training, told


def test_a_codec_makes_the_worse_pictures_at_qualities_that_the_seed_draws() -> None:
    pictures = [ASTRONAUT[top : top + 40, 200:256] for top in (0, 100, 200)] + [ASTRONAUT[300:330, 100:150]]
    found, told = by_codec(pictures, codec="conv/photo", quality_low=5, quality_high=9, variants=2)
    assert [one.shape for one in found] == [(40, 56, 6)] * 6 + [(30, 50, 6)] * 2
    qualities = set()
    for number, pair in enumerate(found):
        good = pictures[number // 2]
        assert np.array_equal(pair[:, :, :3], good)
        image = Image.fromarray(good)
        made = {q: np.asarray(nncodec.decode(nncodec.encode(image, "conv/photo", q))) for q in range(5, 10)}
        near = [q for q, pixels in made.items() if np.abs(pixels.astype(int) - pair[:, :, 3:]).max() <= 1]
        assert near
        qualities |= set(near)
    assert len(qualities) > 1
    assert told[0] == ("encoding and decoding with conv/photo", 0, 8)
    assert told[-1][1:] == (8, 8)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    again, _ = by_codec(pictures[1:], codec="conv/photo", quality_low=5, quality_high=9, variants=2)
    assert all(np.array_equal(a, b) for a, b in zip(again, found[2:], strict=True))  # whatever others there are
    other, _ = by_codec(pictures, 1, codec="conv/photo", quality_low=5, quality_high=9, variants=2)
    assert not all(np.array_equal(a, b) for a, b in zip(other, found, strict=True))


def test_grey_pictures_are_coded_as_grey_ones() -> None:
    digit = np.asarray(Image.fromarray(ASTRONAUT[:28, 200:228]).convert("L"))
    grey = np.broadcast_to(digit[:, :, None], (28, 28, 3))  # as they come where the mode is RGB
    ((pair,), _) = by_codec([grey], codec="conv/digits")
    assert np.array_equal(pair[:, :, :3], grey)
    expected = np.asarray(nncodec.decode(nncodec.encode(Image.fromarray(digit), "conv/digits")))
    assert np.abs(pair[:, :, 3:].astype(int) - expected[:, :, None]).max() <= 1


def test_only_factor_1_without_worse_pictures_needs_the_codec() -> None:
    with pytest.raises(UnknownModel, match="nothing"):
        EnhancerRecipe(EnhancerSettings(factor=1, codec="nothing"), SUMMARY)
    there = TrainingSet([ASTRONAUT], [], 1, 0, "mine")
    for settings, summary in (
        (EnhancerSettings(factor=2, codec="nothing"), SUMMARY),
        (EnhancerSettings(factor=1, codec="nothing"), replace(SUMMARY, factor=1)),
    ):
        assert EnhancerRecipe(settings, summary).prepare(there, 0, lambda *progress: None) is there


def test_memory_is_asked_for_what_the_codec_makes() -> None:
    assert EnhancerRecipe.planes(EnhancerSettings(factor=4, variants=3)) == 3
    assert EnhancerRecipe.planes(EnhancerSettings(factor=1, variants=3)) == 3 + 3 * 6
    assert EnhancerRecipe.planes(EnhancerSettings(), model(False, replace(SHAPE, factor=1))) == 9


# --- runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Return a run of a tiny enhancer on eight pictures, without a plot; keywords that are no fields are settings."""
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
    """Return what to give to `train` so that it is cancelled after so many steps."""
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
    errors = [np.square(one.astype(int) - bright).mean() for one in (made, bright // 2)]
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
    base = model(False)
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
def test_two_processes_train_both_parts_and_the_first_like_one(make_run: MakeRun) -> None:
    """Without batch normalisation in the generator; that of the discriminator is each process's own."""
    settings = SMALL | {
        "batch_size": 5, "steps": 54, "content_share": 0.52, "normalise": "false", "bfloat16": "false",
    }  # fmt: skip
    rows = []
    for name, processes in (("alone", 1), ("both", 2)):
        run = make_run(name)
        torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        command = [sys.executable, "-m", *(torchrun if processes > 1 else []), "nncodec"]
        command += ["train", "srgan", "--high", str(run.data), "-o", str(run.output), "--name", "mine"]
        command += ["--batch-size", "5"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert read_model(run.output).config["gan"] is True
        rows.append(CsvLog(run.folder / "validation.csv").rows())
    (first, _), (same_first, _) = rows[0][:2], rows[1][:2]
    assert first["step"] == same_first["step"] <= 28  # of the first part
    assert same_first["loss"] == pytest.approx(first["loss"], rel=1e-4)
    # In the second they need not agree, but must come to something of the kind.
    assert rows[1][-1]["psnr_db"] == pytest.approx(rows[0][-1]["psnr_db"], abs=1)
