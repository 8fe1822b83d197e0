"""The training loop: one task, one sampler, a schedule over steps or minutes, checkpoints, a log."""

from __future__ import annotations

import csv
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nncodec.training.checkpoint import load_checkpoint, previous_of, save_checkpoint
from nncodec.training.data import Pixels, Sampler


class TrainingTask(nn.Module, ABC):
    """What is being trained: a network with its loss."""

    @abstractmethod
    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch and figures for the log.

        Args:
            pixels: (N, C, H, W) float32 in 0..1.
            progress: how much of the training is done, 0..1.
            generator: source of all randomness, seeded by the step.
        """

    def parameter_groups(self, learning_rate: float) -> list[dict[str, object]]:
        """Return optimizer groups; override to train some parameters at another rate."""
        return [{"params": list(self.parameters()), "lr": learning_rate}]


@dataclass(frozen=True)
class Schedule:
    """How long to train and how the learning rate moves.

    The end is a number of steps or of minutes (summed over resumed sessions), whichever is given; progress along it
    drives a linear warm-up over `warmup_steps` and a cosine from `learning_rate` down to `final_share` of it.
    """

    learning_rate: float
    steps: int | None = None
    minutes: float | None = None
    warmup_steps: int = 200
    final_share: float = 0.01

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


@dataclass(frozen=True)
class LoopOptions:
    """Everything else about a training run.

    Args:
        seed: start of all randomness.
        clip_norm: bound on the gradient's norm.
        bfloat16: run the network under autocast; losses stay float32.
        checkpoint: file to save to and resume from; None keeps nothing.
        checkpoint_minutes: how often.
        log: CSV file to append to; None writes none.
        log_steps: average figures over this many steps.
    """

    seed: int = 0
    clip_norm: float = 1.0
    bfloat16: bool = False
    checkpoint: Path | None = None
    checkpoint_minutes: float = 4.0
    log: Path | None = None
    log_steps: int = 100
    device: str = "cpu"


@dataclass
class TrainingReport:
    """What a run did: steps and seconds in all (resumed parts included) and the last averaged figures."""

    steps: int
    elapsed_s: float
    figures: dict[str, float] = field(default_factory=dict)


class TrainingDiverged(ArithmeticError):
    """The loss is not a finite number; the last checkpoint is from before that."""


def fit(
    task: TrainingTask,
    sampler: Sampler,
    schedule: Schedule,
    options: LoopOptions,
    *,
    on_progress: Callable[[int, float, Mapping[str, float]], bool | None] | None = None,
) -> TrainingReport:
    """Train a task in place, resuming from the checkpoint where there is one.

    Args:
        task: network and loss; its parameters are changed.
        sampler: batches by step number, so that a resumed run sees what an unbroken one would have seen.
        schedule: length and learning rate.
        options: the rest.
        on_progress: called at every logged interval with (step, progress, figures); returning False stops the run
            as if interrupted, after a checkpoint.

    Returns:
        The totals and the last logged figures.

    Raises:
        TrainingDiverged: a loss was NaN or infinite.
        ValueError: the checkpoint cannot be read, or is of another network.
        KeyboardInterrupt: passed on, after a checkpoint was written.
    """
    device = torch.device(options.device)
    task.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(task.parameter_groups(schedule.learning_rate), fused=True)
    base_rates = [float(group["lr"]) for group in optimizer.param_groups]
    step, elapsed_before_s = _resume(options.checkpoint, task, optimizer)
    started = saved = time.monotonic()
    averages = _Averages()
    figures: dict[str, float] = {}

    def elapsed_s() -> float:
        return elapsed_before_s + time.monotonic() - started

    def save() -> None:
        if options.checkpoint is not None:
            state = {
                "step": step,
                "elapsed_s": elapsed_s(),
                "model": task.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
            save_checkpoint(options.checkpoint, state)

    task.train()
    try:
        while (progress := schedule.progress(step, elapsed_s())) < 1:
            factor = schedule.rate_factor(step, progress)
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            averages.add(_update(task, optimizer, sampler.batch(step), step, progress, options))
            step += 1
            if step % options.log_steps == 0:
                figures = averages.take()
                _append_log(options.log, {"step": step, "elapsed_s": round(elapsed_s(), 1), **figures})
                if on_progress is not None and on_progress(step, progress, figures) is False:
                    break
            if time.monotonic() - saved > 60 * options.checkpoint_minutes:
                save()
                saved = time.monotonic()
    except KeyboardInterrupt:
        save()
        raise
    save()
    task.eval()
    return TrainingReport(step, elapsed_s(), figures or averages.take())


def _update(
    task: TrainingTask,
    optimizer: torch.optim.Optimizer,
    batch: Pixels,
    step: int,
    progress: float,
    options: LoopOptions,
) -> dict[str, float]:
    """Take one step and return its figures; parameters stay as they were if it would make them useless."""
    device = torch.device(options.device)
    generator = torch.Generator(device).manual_seed(options.seed * 1_000_003 + step)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.bfloat16):
        loss, figures = task.loss(_to_tensor(batch, device), progress, generator)
    _require_finite("the loss", loss, step)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    _require_finite("a gradient", nn.utils.clip_grad_norm_(task.parameters(), options.clip_norm), step)
    optimizer.step()
    return {"loss": loss.item(), **figures}


def _require_finite(what: str, value: Tensor, step: int) -> None:
    if not math.isfinite(value.item()):
        raise TrainingDiverged(f"{what} became {value.item()} at step {step}; lower the learning rate and resume")


def _resume(path: Path | None, task: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    if path is None or not (path.exists() or previous_of(path).exists()):
        return 0, 0.0
    state = load_checkpoint(path)
    try:
        task.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} belongs to another network: {str(error).splitlines()[0]}") from error
    return int(state["step"]), float(state["elapsed_s"])


def _to_tensor(pixels: Pixels, device: torch.device) -> Tensor:
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2)  # (N, C, H, W), channels last
    return batch.float() / 255


def _append_log(path: Path | None, row: Mapping[str, float]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if fresh:
            writer.writerow(row)
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row.values()])


class _Averages:
    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Return the means since the last call."""
        means = {name: self._sums[name] / self._counts[name] for name in self._sums}
        self.__init__()  # type: ignore[misc]
        return means
