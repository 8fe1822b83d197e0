"""The training loop: one task, one sampler, a schedule over steps or minutes, checkpoints, a log."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nncodec.errors import NncError, first_line
from nncodec.nn.precision import training_precision
from nncodec.nn.tensors import to_tensor
from nncodec.plugin.guard import UNKNOWN_PLUGIN, PluginGuard
from nncodec.plugin.latents import Pixels
from nncodec.training.averaging import WeightAverage
from nncodec.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from nncodec.training.distributed import SINGLE_PROCESS, ProcessGroup, parallel
from nncodec.training.events import Advanced, Note, OnEvent, ignore
from nncodec.training.guarding import guarded
from nncodec.training.log import CsvLog
from nncodec.training.optimizers import Optimizer, optimizer_for
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.sampling import Sampler
from nncodec.training.tasks import TrainingTask

_RANK_STRIDE = 1 << 40  # keeps the seeds of processes apart at every step
_SEEDS = 1 << 63  # torch takes no larger ones


class TrainingDiverged(NncError, ArithmeticError):
    """The loss became NaN or infinite; the last checkpoint is from before that."""


@dataclass
class TrainingReport:
    """Totals of a run.

    Args:
        steps: taken, including those before the run was resumed.
        elapsed_s: seconds of training, likewise.
        figures: the last averages.
        cancelled: whether `cancel` ended the run, in any process.
    """

    steps: int
    elapsed_s: float
    figures: dict[str, float] = field(default_factory=dict)
    cancelled: bool = False


class Validator(Protocol):
    """Looks at a run after its steps; checkpoints keep its state."""

    @property
    def ended(self) -> bool:
        """Whether the run should end here; the same in every process."""

    def after_step(self, step: int) -> None:
        """Look at the run after a step; every process calls this."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors, numbers, texts, lists and dicts of them."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


def fit(
    task: TrainingTask,
    sampler: Sampler,
    schedule: Schedule,
    options: LoopOptions,
    *,
    on_event: OnEvent = ignore,
    cancel: Callable[[], bool] = lambda: False,
    validator: Validator | None = None,
    processes: ProcessGroup = SINGLE_PROCESS,
    guard: PluginGuard = UNKNOWN_PLUGIN,
) -> TrainingReport:
    """Train a task in place, resuming from the checkpoint if there is one.

    Ctrl-C in the main thread ends the run after the current step; a second one ends it at once.

    Args:
        task: network and loss; its parameters are changed, and end as their average if one is kept.
        sampler: batches by step number, so that a resumed run sees the same batches as an uninterrupted one.
        schedule: length and learning rate.
        options: the rest.
        on_event: receives `Advanced` after every step, and a `Note` if the run resumes from a checkpoint or the newest
            one is damaged.
        cancel: asked after every step; True ends the run after a checkpoint.
        validator: validation or the like.
        processes: those that share every batch; the first of them writes. They must be connected, see `connected`.
        guard: of the plugin that the task comes from.

    Returns:
        The totals and the last logged figures.

    Raises:
        TrainingDiverged: a loss was NaN or infinite.
        ValueError: the checkpoint cannot be read or belongs to another network; or a batch has fewer pictures than
            there are processes; or the task raised one, see `guarded`.
        PluginError: the task failed.
        OSError: checkpoint or log cannot be written.
        KeyboardInterrupt: passed on after a checkpoint was written.
    """
    device = torch.device(options.device)
    task.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_for(options.optimizer, guarded(guard, task.parameter_groups, schedule.learning_rate))
    base_rates = [float(group["lr"]) for group in optimizer.param_groups]
    average = WeightAverage(task.parameters(), options.ema_decay) if options.ema_decay else None
    state = _State(task, optimizer, schedule, options, processes, validator, average, on_event)
    state.resume()
    processes.wait()  # no process may still be reading the checkpoint when the first writes the next one
    update = _Update(task, optimizer, options, processes, guard)
    task.train()
    cancelled = False
    with _interrupts_noted() as interrupted, torch.random.fork_rng(_cuda_devices(device)):
        while (progress := state.progress()) < 1 and not (validator is not None and validator.ended):
            factor = schedule.rate_factor(state.step, guarded(guard, task.rate_progress, progress))
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            state.count(*update(sampler.batch(state.step), state.step, progress))
            try:
                state.after_step()
                cancelled = cancel()
            except KeyboardInterrupt:
                interrupted.append(True)
            if processes.any(bool(interrupted), device):
                state.save()
                raise KeyboardInterrupt
            cancelled = processes.any(cancelled, device)
            if cancelled:
                break
            state.save_if_time()
    state.save()
    if average is not None:
        average.apply()
    task.eval()
    return state.report(cancelled)


class _State:
    """Steps, seconds and averages of a run so far: reported and logged after each step, kept in checkpoints."""

    def __init__(
        self,
        task: nn.Module,
        optimizer: Optimizer,
        schedule: Schedule,
        options: LoopOptions,
        processes: ProcessGroup,
        validator: Validator | None,
        average: WeightAverage | None,
        on_event: OnEvent,
    ) -> None:
        self.step = 0
        self._task = task
        self._optimizer = optimizer
        self._schedule = schedule
        self._options = options
        self._device = torch.device(options.device)
        self._processes = processes
        self._validator = validator
        self._average = average
        self._on_event = on_event
        self._log = CsvLog(options.log) if options.log and processes.is_first else None
        self._averages = _Averages()
        self._figures: dict[str, float] = {}
        self._elapsed_before_s = 0.0
        self._started = self._saved = time.monotonic()

    def resume(self) -> None:
        """Restore the checkpoint if there is one, cut the log to its step, and start the clock."""
        path = self._options.checkpoint
        if path is not None and has_checkpoint(path):
            state = load_checkpoint(path, lambda text: self._on_event(Note(text)))
            try:
                self._restore(state)
            except (RuntimeError, ValueError) as error:
                raise ValueError(f"{path} belongs to another network: {first_line(error)}") from error
            except KeyError as error:  # torch's optimizers look for their own entries
                raise ValueError(f"{path} belongs to another optimizer: it has no {error}") from error
            except Exception as error:  # the file is untrusted, and torch expects its own types
                raise ValueError(f"{path} cannot be resumed from: {first_line(error)}") from error
            self._on_event(Note(f"resuming after step {self.step:,}"))
        if self._log:
            self._log.cut(self.step)
        self._started = self._saved = time.monotonic()

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._task.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average is not None:
            self._average.load_state_dict(state["ema"]) if "ema" in state else self._average.restart()
        if "averages" in state:
            self._averages.load_state_dict(state["averages"])
        if self._validator is not None and "watcher" in state:
            self._validator.load_state_dict(state["watcher"])
        self.step, self._elapsed_before_s = int(state["step"]), float(state["elapsed_s"])

    def progress(self) -> float:
        """Return how much of the run is done, the same in every process."""
        return self._schedule.progress(self.step, self._processes.from_first(self._elapsed_s(), self._device))

    def count(self, figures: Mapping[str, float], pictures: int) -> None:
        """Count a step with its figures for so many pictures."""
        self._averages.add(figures, pictures)
        self.step += 1
        if self._average is not None:
            self._average.update()

    def after_step(self) -> None:
        """Log the step if it is time, validate, and report the step."""
        fresh = self.step % self._options.log_steps == 0
        if fresh:
            self._figures = self._averages.take(self._processes, self._device)
            if self._log:
                self._log.append({"step": self.step, "elapsed_s": round(self._elapsed_s(), 1), **self._figures})
        if self._validator is not None:
            with contextlib.nullcontext() if self._average is None else self._average.applied():
                self._validator.after_step(self.step)
        elapsed_s = self._elapsed_s()
        progress = self._schedule.progress(self.step, elapsed_s)
        left_s = elapsed_s * (1 - progress) / progress if progress > 0 else math.inf
        self._on_event(Advanced(self.step, progress, elapsed_s, left_s, self._figures, fresh))

    def save_if_time(self) -> None:
        """Write a checkpoint if the last one is old enough."""
        if time.monotonic() - self._saved > 60 * self._options.checkpoint_minutes:
            self.save()
            self._saved = time.monotonic()

    def save(self) -> None:
        """Write a checkpoint, in the first process."""
        if self._options.checkpoint is None or not self._processes.is_first:
            return
        state = {
            "step": self.step,
            "elapsed_s": self._elapsed_s(),
            "model": self._task.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "averages": self._averages.state_dict(),
        }
        if self._average is not None:
            state["ema"] = self._average.state_dict()
        if self._validator is not None:
            state["watcher"] = self._validator.state_dict()  # an older name, kept so that old runs can be resumed
        save_checkpoint(self._options.checkpoint, state)

    def report(self, cancelled: bool) -> TrainingReport:
        """Return the totals and the latest figures."""
        figures = self._figures or self._averages.take(self._processes, self._device)
        return TrainingReport(self.step, self._elapsed_s(), figures, cancelled)

    def _elapsed_s(self) -> float:
        return self._elapsed_before_s + time.monotonic() - self._started


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

    def take(self, processes: ProcessGroup, device: torch.device) -> dict[str, float]:
        """Return the means over all processes since the last call."""
        sums, counts = processes.sums(self._sums, device), processes.sums(self._counts, device)
        means = {name: sums[name] / counts[name] for name in self._sums}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, dict[str, float]]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


class _Update:
    """Takes a training step and returns its figures; raises before an update that is not finite."""

    def __init__(
        self,
        task: TrainingTask,
        optimizer: Optimizer,
        options: LoopOptions,
        processes: ProcessGroup,
        guard: PluginGuard,
    ) -> None:
        self._task = task
        self._guard = guard
        self._parameters = list(task.parameters())
        self._optimizer = optimizer
        self._options = options
        self._device = torch.device(options.device)
        self._processes = processes
        self._loss = parallel(task, processes, self._device, guard)

    def __call__(self, batch: Pixels, step: int, progress: float) -> tuple[dict[str, float], int]:
        """Return the figures of this process's share and the number of pictures in it."""
        share = self._processes.share(batch)
        seed = (self._options.seed * 1_000_003 + step + _RANK_STRIDE * self._processes.rank) % _SEEDS
        # What a task draws without the generator, such as dropout, must not depend on how often a run was resumed.
        torch.manual_seed(seed)
        generator = torch.Generator(self._device).manual_seed(seed)
        # Gradients are averaged over processes with equal weights, so larger shares need a larger weight.
        weight = len(share) * self._processes.world_size / len(batch)
        pixels = to_tensor(share, self._device)
        guarded(self._guard, self._task.begin_step, progress)
        figures = self._turn(0, pixels, weight, step, progress, generator)
        for turn in range(1, self._task.turns):
            turn_figures = self._turn(turn, pixels, weight, step, progress, generator)
            del turn_figures["loss"]  # the step's loss is that of its first turn
            figures |= turn_figures
        guarded(self._guard, self._task.end_step)
        return figures, len(share)

    def _turn(
        self, turn: int, pixels: Tensor, weight: float, step: int, progress: float, generator: torch.Generator
    ) -> dict[str, float]:
        with training_precision(self._device, self._options.bfloat16):
            loss, figures = self._loss(turn, pixels, progress, generator)
        self._require_finite("the loss", loss.item(), step)
        self._optimizer.zero_grad(set_to_none=True)
        (loss * weight).backward()
        norm = nn.utils.clip_grad_norm_(self._parameters, self._options.clip_norm)
        self._require_finite("a gradient", norm.item(), step)
        self._optimizer.step()
        return {"loss": loss.item(), **figures}

    def _require_finite(self, what: str, value: float, step: int) -> None:
        # All processes stop together: one that waited for the gradients of another would wait forever.
        if self._processes.any(not math.isfinite(value), self._device):
            shown = "NaN or infinite" if math.isfinite(value) else str(value)
            detail = f"{what} became {shown} at step {step}; lower the learning rate and resume"
            raise TrainingDiverged(detail=detail)


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[list[bool]]:
    """Collect the first Ctrl-C in the list that is yielded, and restore the usual handler for the second."""
    noted: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        noted.append(True)
        signal.signal(signal.SIGINT, before)

    if callable(before):  # a worker whose parent handles Ctrl-C ignores it
        signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
