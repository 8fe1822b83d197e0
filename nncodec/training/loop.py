"""The training loop: one task, one sampler, a schedule over steps or minutes, checkpoints, a log."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nncodec.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from nncodec.training.data import Pixels, Sampler
from nncodec.training.distributed import ALONE, Peers, parallel
from nncodec.training.log import CsvLog

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
    optimizer = torch.optim.Adam(task.parameter_groups(schedule.learning_rate), fused=True)
    base_rates = [float(group["lr"]) for group in optimizer.param_groups]
    averages = _Averages()
    step, elapsed_before_s = _resume(options.checkpoint, task, optimizer, averages, watcher, on_note)
    log = CsvLog(options.log) if options.log and peers.is_first else None
    if log:
        log.cut(step)
    peers.wait()  # nobody may still be reading the checkpoint when the first process writes the next
    update = _Update(task, optimizer, options, peers)
    started = saved = time.monotonic()
    figures: dict[str, float] = {}

    def elapsed_s() -> float:
        return elapsed_before_s + time.monotonic() - started

    def save() -> None:
        if options.checkpoint is not None and peers.is_first:
            state = {
                "step": step,
                "elapsed_s": elapsed_s(),
                "model": task.state_dict(),
                "optimizer": optimizer.state_dict(),
                "averages": averages.state_dict(),
            }
            if watcher is not None:
                state["watcher"] = watcher.state_dict()
            save_checkpoint(options.checkpoint, state)

    task.train()
    with _interrupts_noted() as interrupted, torch.random.fork_rng(_cuda_devices(device)):
        while (progress := schedule.progress(step, peers.from_first(elapsed_s(), device))) < 1:
            if watcher is not None and watcher.ended:
                break
            factor = schedule.rate_factor(step, progress)
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            averages.add(*update(sampler.batch(step), step, progress))
            step += 1
            going_on = True
            try:
                if step % options.log_steps == 0:
                    figures = averages.take(peers, device)
                    if log:
                        log.append({"step": step, "elapsed_s": round(elapsed_s(), 1), **figures})
                    if on_progress is not None and on_progress(step, progress, figures) is False:
                        going_on = False
                if watcher is not None:
                    watcher.after_step(step, progress)
                if on_step is not None and on_step(step, schedule.progress(step, elapsed_s()), elapsed_s()) is False:
                    going_on = False
            except KeyboardInterrupt:
                interrupted.append(True)
            if peers.any(bool(interrupted), device):
                save()
                raise KeyboardInterrupt
            if peers.any(not going_on, device):
                break
            if time.monotonic() - saved > 60 * options.checkpoint_minutes:
                save()
                saved = time.monotonic()
    save()
    task.eval()
    return TrainingReport(step, elapsed_s(), figures or averages.take(peers, device))


class _Update:
    """Takes one step and returns its figures; parameters stay as they were if it would make them useless."""

    def __init__(
        self, task: TrainingTask, optimizer: torch.optim.Optimizer, options: LoopOptions, peers: Peers
    ) -> None:
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
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._options.bfloat16):
            loss, figures = self._loss(to_batch(share, self._device), progress, generator)
        self._require_finite("the loss", loss.item(), step)
        self._optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over processes, each counting alike: shares that are larger weigh more.
        (loss * (len(share) * self._peers.world / len(batch))).backward()
        norm = nn.utils.clip_grad_norm_(self._parameters, self._options.clip_norm)
        self._require_finite("a gradient", norm.item(), step)
        self._optimizer.step()
        return {"loss": loss.item(), **figures}, len(share)

    def _require_finite(self, what: str, value: float, step: int) -> None:
        # All processes stop together: one that waited for the gradients of another would wait forever.
        if self._peers.any(not math.isfinite(value), self._device):
            shown = "infinite or not a number" if math.isfinite(value) else str(value)
            raise TrainingDiverged(f"{what} became {shown} at step {step}; lower the learning rate and resume")


def to_batch(pixels: Pixels, device: torch.device) -> Tensor:
    """Return pixels (N, H, W, C) as a task takes them, (N, C, H, W) float32 in 0..1, channels last."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2)
    return batch.float() / 255


def _resume(
    path: Path | None,
    task: nn.Module,
    optimizer: torch.optim.Optimizer,
    averages: _Averages,
    watcher: Watcher | None,
    on_note: Callable[[str], None] | None,
) -> tuple[int, float]:
    if path is None or not has_checkpoint(path):
        return 0, 0.0
    state = load_checkpoint(path, on_note)
    try:
        task.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} belongs to another network: {str(error).splitlines()[0]}") from error
    if "averages" in state:
        averages.load_state_dict(state["averages"])
    if watcher is not None and "watcher" in state:
        watcher.load_state_dict(state["watcher"])
    step = int(state["step"])
    if on_note is not None:
        on_note(f"going on after step {step:,}")
    return step, float(state["elapsed_s"])


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


class _Averages:
    """Means of figures over the pictures of several steps."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}

    def add(self, figures: Mapping[str, float], count: int) -> None:
        """Count a step's figures for so many pictures."""
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * count
            self._counts[name] = self._counts.get(name, 0) + count

    def take(self, peers: Peers, device: torch.device) -> dict[str, float]:
        """Return the means over all processes since the last call."""
        sums, counts = peers.sums(self._sums, device), peers.sums(self._counts, device)
        means = {name: sums[name] / counts[name] for name in self._sums}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, dict[str, float]]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
