"""The training loop: one task, one sampler, a schedule over steps or minutes, checkpoints, a log."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nncodec.plugin.latents import Pixels
from nncodec.training.course import Course, TrainingReport
from nncodec.training.data import Sampler
from nncodec.training.distributed import ALONE, Peers, parallel
from nncodec.training.optimizers import ADAM, Optimizer, optimizer_for

_RANK_STRIDE = 1 << 40  # keeps the seeds of processes apart, whatever the step


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

    @property
    def turns(self) -> int:
        """How many updates a step has, one after the other on the same batch: more than one where parts of the task
        are trained against each other. It is read after the first of them."""
        return 1

    def turn_loss(
        self, turn: int, pixels: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Return what update number `turn` of a step makes smaller; see `loss`, which number 0 is.

        Only what the loss depends on is changed: parameters that get no gradient stay as they are.
        """
        return self.loss(pixels, progress, generator)

    def rate_progress(self, progress: float) -> float:
        """Return how far down its cosine the learning rate is, 0..1; override where a training has several parts."""
        return progress

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return optimizer groups; override to train some parameters at another rate.

        A group with `tables` true holds numbers in rows and columns that multiply nothing: see `optimizers.Muon`.
        """
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


class Watcher(Protocol):
    """What goes along with a run, such as validation; its state travels in the checkpoints."""

    @property
    def ended(self) -> bool:
        """Whether the run shall end here, alike in every process."""

    def after_step(self, step: int, progress: float) -> None:
        """Look at the run after a step; called in every process."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors, numbers, texts, lists and dicts of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""


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
        device: where to train, as torch names it.
        optimizer: one of `nncodec.training.optimizers.KINDS`.
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


class TrainingDiverged(ArithmeticError):
    """The loss is not a finite number; the last checkpoint is from before that."""


def fit(
    task: TrainingTask,
    sampler: Sampler,
    schedule: Schedule,
    options: LoopOptions,
    *,
    on_progress: Callable[[int, float, Mapping[str, float]], bool | None] | None = None,
    on_step: Callable[[int, float, float], bool | None] | None = None,
    on_note: Callable[[str], None] | None = None,
    watcher: Watcher | None = None,
    peers: Peers = ALONE,
) -> TrainingReport:
    """Train a task in place, resuming from the checkpoint where there is one.

    Ctrl-C in the main thread ends the run after the step that is being taken; a second one at once.

    Args:
        task: network and loss; its parameters are changed.
        sampler: batches by step number, so that a resumed run sees what an unbroken one would have seen.
        schedule: length and learning rate.
        options: the rest.
        on_progress: called at every logged interval with (step, progress, figures); returning False stops the run
            as if interrupted, after a checkpoint.
        on_step: called after every step with (step, progress, elapsed_s); returning False likewise stops the run.
        on_note: called with a sentence where the run goes on from a checkpoint, and if the newest one was damaged.
        watcher: validation or the like.
        peers: the processes that share every batch; the first of them writes. They must be connected, see `joined`.

    Returns:
        The totals and the last logged figures.

    Raises:
        TrainingDiverged: a loss was NaN or infinite.
        ValueError: the checkpoint cannot be read, or is of another network; or a batch is smaller than the number of
            processes.
        OSError: checkpoint or log cannot be written.
        KeyboardInterrupt: passed on, after a checkpoint was written.
    """
    device = torch.device(options.device)
    task.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_for(options.optimizer, task.parameter_groups(schedule.learning_rate))
    base_rates = [float(group["lr"]) for group in optimizer.param_groups]
    course = Course(task, optimizer, schedule, options, peers, watcher, on_progress, on_step)
    course.resume(on_note)
    peers.wait()  # nobody may still be reading the checkpoint when the first process writes the next
    update = _Update(task, optimizer, options, peers)
    task.train()
    with _interrupts_noted() as interrupted, torch.random.fork_rng(_cuda_devices(device)):
        while (progress := course.progress()) < 1 and not (watcher is not None and watcher.ended):
            factor = schedule.rate_factor(course.step, task.rate_progress(progress))
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            course.count(*update(sampler.batch(course.step), course.step, progress))
            going_on = True
            try:
                going_on = course.after_step(progress)
            except KeyboardInterrupt:
                interrupted.append(True)
            if peers.any(bool(interrupted), device):
                course.save()
                raise KeyboardInterrupt
            if peers.any(not going_on, device):
                break
            course.save_if_time()
    course.save()
    task.eval()
    return course.report()


class _Update:
    """Takes one step and returns its figures; parameters stay as they were if it would make them useless."""

    def __init__(self, task: TrainingTask, optimizer: Optimizer, options: LoopOptions, peers: Peers) -> None:
        self._task = task
        self._parameters = list(task.parameters())
        self._optimizer = optimizer
        self._options = options
        self._device = torch.device(options.device)
        self._peers = peers
        self._loss = parallel(task, peers, self._device)

    def __call__(self, batch: Pixels, step: int, progress: float) -> tuple[dict[str, float], int]:
        """Return the figures of this process's share and the number of pictures in it."""
        share = self._peers.share(batch)
        seed = self._options.seed * 1_000_003 + step
        # What a task draws without the generator, such as dropout, must not depend on how often a run was resumed.
        torch.manual_seed(seed + _RANK_STRIDE * self._peers.rank)
        generator = torch.Generator(self._device).manual_seed(seed + _RANK_STRIDE * self._peers.rank)
        pixels, weight = to_batch(share, self._device), len(share) * self._peers.world / len(batch)
        figures = self._turn(0, pixels, weight, step, progress, generator)
        for turn in range(1, self._task.turns):
            later = self._turn(turn, pixels, weight, step, progress, generator)
            del later["loss"]  # the step's loss is that of its first turn; a task names what else is to be seen
            figures |= later
        return figures, len(share)

    def _turn(
        self, turn: int, pixels: Tensor, weight: float, step: int, progress: float, generator: torch.Generator
    ) -> dict[str, float]:
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._options.bfloat16):
            loss, figures = self._loss(turn, pixels, progress, generator)
        self._require_finite("the loss", loss.item(), step)
        self._optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over processes, each counting alike: shares that are larger weigh more.
        (loss * weight).backward()
        norm = nn.utils.clip_grad_norm_(self._parameters, self._options.clip_norm)
        self._require_finite("a gradient", norm.item(), step)
        self._optimizer.step()
        return {"loss": loss.item(), **figures}

    def _require_finite(self, what: str, value: float, step: int) -> None:
        # All processes stop together: one that waited for the gradients of another would wait forever.
        if self._peers.any(not math.isfinite(value), self._device):
            shown = "infinite or not a number" if math.isfinite(value) else str(value)
            raise TrainingDiverged(f"{what} became {shown} at step {step}; lower the learning rate and resume")


def to_batch(pixels: Pixels, device: torch.device) -> Tensor:
    """Return pixels (N, H, W, C) as a task takes them, (N, C, H, W) float32 in 0..1, channels last."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2)
    return batch.float() / 255


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[list[bool]]:
    """Collect Ctrl-C in the list that is yielded, the first one; at the second the usual handler is back."""
    noted: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        noted.append(True)
        signal.signal(signal.SIGINT, before)

    if callable(before):  # and not ignored, as in workers whose parent decides
        signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
