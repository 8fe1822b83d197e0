"""Options of a training run, and its schedule: how long it is and how the learning rate moves. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ADAM, MUON = "adam", "muon"
OPTIMIZERS = (ADAM, MUON)

LENGTHS = ("epochs", "steps", "minutes")
"""The settings that give the length of a run; exactly one of them is set."""

_LOWEST = {
    "epochs": 1,
    "steps": 1,
    "batch_size": 1,
    "crop": 1,
    "patience": 0,
    "validate_epochs": 1,
    "sample_epochs": 0,
    "seed": 0,
    "memory_mib": 1,
}
_HIGHEST = (1 << 63) - 1  # what torch takes as a seed, and checkpoints as a number
_WARMUP_STEPS = 200
_WARMUP_SHARE = 0.05  # of the steps, where that is less


def _option(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class RunOptions:
    """Options of a training run that do not depend on the architecture; a recipe gives the defaults that suit it.

    Args:
        epochs, steps, minutes: the length; one of them is set. An epoch draws as many crops as there are pictures.
        batch_size: pictures or crops per step.
        crop: edge of the crops for architectures that take any size, pixels.
        learning_rate: peak value.
        optimizer: one of `OPTIMIZERS`.
        ema_decay: decay of a moving average of the weights, which validation and the model file then use; 0 for none.
        held_back: share of the pictures used only for validation, 0 (no validation) to below 1.
        patience: end the run after this many validations in a row without a better loss; 0 never does.
        validate_epochs: epochs between validations; short epochs are grouped.
        sample_epochs: epochs between grids of samples; short epochs are grouped. 0 draws only the last grid.
        checkpoint_minutes: minutes between checkpoints.
        seed: of all randomness.
        bfloat16: run the network under autocast where the device multiplies bfloat16.
        device: where to train, as torch names it.
        augment: mirror crops and take some from reduced pictures.
        memory_mib: memory for decoded pictures, MiB.

    Raises:
        ValueError: a value is out of range; the message names it.
    """

    epochs: int | None = _option(None, "length: passes over the pictures; an epoch draws one crop per picture")
    steps: int | None = _option(None, "length: batches, instead of epochs")
    minutes: float | None = _option(None, "length: minutes of training, instead of epochs")
    batch_size: int = _option(16, "pictures or crops per step, over all processes")
    crop: int = _option(128, "edge of crops in pixels, where the architecture takes any size")
    learning_rate: float = _option(1e-3, "peak value; it warms up and falls along a cosine")
    optimizer: str = _option(ADAM, "adam, or muon: fewer steps for plain convolutions, each a little slower")
    ema_decay: float = _option(0.0, "average weights over steps, such as 0.998: what is validated and kept; 0 for none")
    held_back: float = _option(0.1, "share of the pictures used only for validation; 0 for none")
    patience: int = _option(0, "end after this many validations without a better loss; 0 never")
    validate_epochs: int = _option(1, "epochs between validations; short epochs are grouped")
    sample_epochs: int = _option(0, "epochs between grids of samples, grouped likewise; 0 draws only the last")
    checkpoint_minutes: float = _option(2.0, "minutes between checkpoints")
    seed: int = _option(0, "of all randomness")
    bfloat16: bool = _option(False, "compute in bfloat16 where that is safe and the processor or GPU multiplies it")
    device: str = _option("cpu", "cpu, cuda, cuda:1, ...")
    augment: bool = _option(False, "mirror crops, and take some from reduced pictures")
    memory_mib: int = _option(1024, "memory for decoded pictures, MiB; if they need more, parts of them are used")

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            value = getattr(self, name)
            if value is not None and not low <= value < math.inf:
                raise ValueError(f"{name} is {value}; give at least {low}")
            if value is not None and value > _HIGHEST:
                raise ValueError(f"{name} is {value}; give at most {_HIGHEST}")
        for name in ("minutes", "learning_rate", "checkpoint_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; give a number above 0")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer is {self.optimizer!r}; give {' or '.join(OPTIMIZERS)}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}; give a number from 0 to below 1")
        if not 0 <= self.held_back < 1:
            raise ValueError(f"held_back is {self.held_back}; give a share from 0 to below 1")
        if self.patience and not self.held_back:
            raise ValueError("patience needs pictures to validate on; give held_back above 0")

    @property
    def length(self) -> str:
        """Which of epochs, steps and minutes is set; raises ValueError unless exactly one is."""
        given = [name for name in LENGTHS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(LENGTHS)}" + (f", not {' and '.join(given)}" if given else ""))
        return given[0]


@dataclass(frozen=True)
class LoopOptions:
    """Options of the training loop besides its schedule.

    Args:
        seed: start of all randomness.
        clip_norm: bound on the gradient's norm.
        bfloat16: run the network under autocast where the device multiplies bfloat16; losses stay float32.
        checkpoint: file to save to and resume from; None keeps nothing.
        checkpoint_minutes: minutes between checkpoints.
        log: CSV file to append to; None writes none.
        log_steps: average figures over this many steps.
        device: where to train, as torch names it.
        optimizer: one of `OPTIMIZERS`.
        ema_decay: of a moving average of the weights, which the validator sees and the run ends with; 0 for none.
    """

    seed: int = 0
    clip_norm: float = 1.0
    bfloat16: bool = False
    checkpoint: Path | None = None
    checkpoint_minutes: float = 4.0
    log: Path | None = None
    log_steps: int = 100
    device: str = "cpu"
    optimizer: str = ADAM
    ema_decay: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """How long to train and how the learning rate moves.

    The length is a number of steps or of minutes (summed over resumed sessions), whichever is given. Progress along it
    drives a linear warm-up over `warmup_steps` and a cosine from `learning_rate` down to `final_share` of it.
    """

    learning_rate: float
    steps: int | None = None
    minutes: float | None = None
    warmup_steps: int = _WARMUP_STEPS
    final_share: float = 0.01

    @classmethod
    def from_options(cls, options: RunOptions, steps_per_epoch: int) -> Schedule:
        """Return the schedule of a run; short runs have a short warm-up."""
        steps = options.steps or (options.epochs * steps_per_epoch if options.epochs else None)
        warmup_steps = min(_WARMUP_STEPS, int(_WARMUP_SHARE * steps)) if steps else _WARMUP_STEPS
        return cls(options.learning_rate, steps=steps, minutes=options.minutes, warmup_steps=warmup_steps)

    def progress(self, step: int, elapsed_s: float) -> float:
        """Return how much of the training is done, 0..1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        if self.minutes is not None:
            return min(1.0, elapsed_s / (60 * self.minutes))
        raise ValueError("a schedule needs steps or minutes")

    def rate_factor(self, step: int, progress: float) -> float:
        """Return the factor on every group's learning rate."""
        cosine = self.final_share + (1 - self.final_share) * 0.5 * (1 + math.cos(math.pi * progress))
        return cosine * min(1.0, (step + 1) / max(1, self.warmup_steps))
