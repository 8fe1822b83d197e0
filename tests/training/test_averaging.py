"""The moving average of weights: its values, its place in validation, checkpoints and the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nncodec.training.averaging import WeightAverage
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.loop import fit
from nncodec.training.options import LoopOptions, RunOptions, Schedule
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import TrainingTask

PICTURES = np.zeros((4, 2, 2, 1), np.uint8)


class Climber(TrainingTask):
    """Its only weight rises by the learning rate at every step of Adam."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return -self.weight.sum(), {}


class Seen:
    """A validator that notes the weight it is shown."""

    ended = False

    def __init__(self, task: Climber) -> None:
        self._task = task
        self.weights: list[float] = []

    def after_step(self, step: int) -> None:
        self.weights.append(self._task.weight.item())

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def train(task: Climber, steps: int, decay: float, checkpoint: Path | None = None) -> list[float]:
    seen = Seen(task)
    schedule = Schedule(0.1, steps=steps, warmup_steps=1, final_share=1.0)
    options = LoopOptions(ema_decay=decay, checkpoint=checkpoint)
    fit(task, ArraySampler(PICTURES, 2, seed=0), schedule, options, validator=seen)
    return seen.weights


def expected(steps: int, decay: float) -> list[float]:
    average, averages = 0.0, []
    for step in range(1, steps + 1):
        share = min(decay, step / (step + 10))
        average = share * average + (1 - share) * 0.1 * step
        averages.append(average)
    return averages


def test_validation_sees_the_average_and_the_run_ends_with_it() -> None:
    task = Climber()
    weights = train(task, 40, 0.7)
    assert weights == pytest.approx(expected(40, 0.7), rel=1e-4)
    assert task.weight.item() == pytest.approx(expected(40, 0.7)[-1], rel=1e-4)


def test_without_it_the_last_weights_are_kept() -> None:
    task = Climber()
    assert train(task, 5, 0.0) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert task.weight.item() == pytest.approx(0.5)


def test_a_resumed_run_averages_as_an_unbroken_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    train(Climber(), 6, 0.7, path)
    assert load_checkpoint(path)["model"]["weight"].item() == pytest.approx(0.6)  # and not the average
    task = Climber()
    train(task, 20, 0.7, path)
    assert task.weight.item() == pytest.approx(expected(20, 0.7)[-1], rel=1e-4)


def test_a_run_that_kept_no_average_starts_one_from_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    train(Climber(), 30, 0.0, path)
    task = Climber()
    assert train(task, 31, 0.9, path)[0] > 2.9


def test_an_average_of_other_parameters_is_refused() -> None:
    average = WeightAverage([nn.Parameter(torch.zeros(3))], 0.5)
    with pytest.raises(ValueError, match="another network"):
        average.load_state_dict({"steps": 1, "average": [torch.zeros(2)]})
    with pytest.raises(ValueError, match="damaged"):
        average.load_state_dict({"steps": "1", "average": torch.zeros(3)})  # type: ignore[dict-item]


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="ema_decay"):
        RunOptions(epochs=1, ema_decay=decay)
