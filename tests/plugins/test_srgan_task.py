"""The training task of enhancers: turns, the two parts, and what validation and samples show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from trainings import (
    ASTRONAUT,
    SHAPE,
    batch,
    turn,
)

from nncodec.nn.tensors import to_tensor
from nncodec.training.losses import mse
from nncodec.training.pairs import paired
from nncodec_srgan.discriminator import Discriminator
from nncodec_srgan.generator import Generator, GeneratorConfig
from nncodec_srgan.training import EnhancerTask, Objective


def task_of(
    content_share: float = 0.5, perceptual: Any = None, discriminator: bool = True, matching: float = 0.0
) -> EnhancerTask:
    """Return a task with a generator that already corrects a little, so that all its parameters get gradients."""
    torch.manual_seed(0)
    generator = Generator(SHAPE)
    torch.nn.init.normal_(generator.tail.weight, std=0.01)
    objective = Objective(content_share, content=1.0, adversarial=0.5, matching=matching, perceptual=0.1)
    return EnhancerTask(
        generator, Discriminator(2) if discriminator else None, objective, perceptual=perceptual
    ).train()


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
    loss, figures = task.turn_loss(0, batch(), 0.5, torch.Generator())
    assert figures["matching"] > 0
    assert loss.item() == pytest.approx(expected.item() + 0.5 * figures["matching"], rel=1e-5)
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
    assert not any(torch.equal(value, parameters[name]) for name, value in task.generator.named_parameters())


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
