"""Where a run is, and what follows each of its steps: figures, log, watcher, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from nncodec.training.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from nncodec.training.distributed import Peers
from nncodec.training.log import CsvLog
from nncodec.training.optimizers import Optimizer

if TYPE_CHECKING:
    from nncodec.training.loop import LoopOptions, Schedule, Watcher


@dataclass
class TrainingReport:
    """What a run did: steps and seconds in all (resumed parts included) and the last averaged figures."""

    steps: int
    elapsed_s: float
    figures: dict[str, float] = field(default_factory=dict)


class Course:
    """The steps and seconds of a run so far; arguments as `nncodec.training.loop.fit` has them."""

    def __init__(
        self,
        task: nn.Module,
        optimizer: Optimizer,
        schedule: Schedule,
        options: LoopOptions,
        peers: Peers,
        watcher: Watcher | None,
        on_progress: Callable[[int, float, Mapping[str, float]], bool | None] | None,
        on_step: Callable[[int, float, float], bool | None] | None,
    ) -> None:
        self.step = 0
        self._task = task
        self._optimizer = optimizer
        self._schedule = schedule
        self._options = options
        self._device = torch.device(options.device)
        self._peers = peers
        self._watcher = watcher
        self._on_progress = on_progress
        self._on_step = on_step
        self._log = CsvLog(options.log) if options.log and peers.is_first else None
        self._averages = _Averages()
        self._figures: dict[str, float] = {}
        self._elapsed_before_s = 0.0
        self._started = self._saved = time.monotonic()

    def resume(self, on_note: Callable[[str], None] | None) -> None:
        """Go on from the checkpoint where there is one; the log then ends where it does. The clock starts."""
        self.step, self._elapsed_before_s = _resume(
            self._options.checkpoint, self._task, self._optimizer, self._averages, self._watcher, on_note
        )
        if self._log:
            self._log.cut(self.step)
        self._started = self._saved = time.monotonic()

    def progress(self) -> float:
        """Return how much of the run is done, the same in every process."""
        return self._schedule.progress(self.step, self._peers.from_first(self._elapsed_s(), self._device))

    def count(self, figures: Mapping[str, float], pictures: int) -> None:
        """Note that a step was taken."""
        self._averages.add(figures, pictures)
        self.step += 1

    def after_step(self, progress: float) -> bool:
        """Tell everybody of the step that was taken at `progress`; return whether the run goes on."""
        going_on = True
        if self.step % self._options.log_steps == 0:
            self._figures = self._averages.take(self._peers, self._device)
            if self._log:
                self._log.append({"step": self.step, "elapsed_s": round(self._elapsed_s(), 1), **self._figures})
            if self._on_progress is not None and self._on_progress(self.step, progress, self._figures) is False:
                going_on = False
        if self._watcher is not None:
            self._watcher.after_step(self.step, progress)
        if self._on_step is not None:
            elapsed_s = self._elapsed_s()
            if self._on_step(self.step, self._schedule.progress(self.step, elapsed_s), elapsed_s) is False:
                going_on = False
        return going_on

    def save_if_time(self) -> None:
        """Write a checkpoint if the last one is old enough."""
        if time.monotonic() - self._saved > 60 * self._options.checkpoint_minutes:
            self.save()
            self._saved = time.monotonic()

    def save(self) -> None:
        """Write a checkpoint, in the first process."""
        if self._options.checkpoint is None or not self._peers.is_first:
            return
        state = {
            "step": self.step,
            "elapsed_s": self._elapsed_s(),
            "model": self._task.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "averages": self._averages.state_dict(),
        }
        if self._watcher is not None:
            state["watcher"] = self._watcher.state_dict()
        save_checkpoint(self._options.checkpoint, state)

    def report(self) -> TrainingReport:
        """Return the totals, and the latest figures."""
        figures = self._figures or self._averages.take(self._peers, self._device)
        return TrainingReport(self.step, self._elapsed_s(), figures)

    def _elapsed_s(self) -> float:
        return self._elapsed_before_s + time.monotonic() - self._started


def _resume(
    path: Path | None,
    task: nn.Module,
    optimizer: Optimizer,
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
    except KeyError as error:  # torch's optimizers look for their own entries
        raise ValueError(f"{path} belongs to another optimizer: it has no {error}") from error
    if "averages" in state:
        averages.load_state_dict(state["averages"])
    if watcher is not None and "watcher" in state:
        watcher.load_state_dict(state["watcher"])
    step = int(state["step"])
    if on_note is not None:
        on_note(f"going on after step {step:,}")
    return step, float(state["elapsed_s"])


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
