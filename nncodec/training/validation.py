"""Validation during a run: figures of held-back pictures, the best weights, early stopping."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from nncodec.nn.precision import training_precision
from nncodec.nn.tensors import to_tensor
from nncodec.plugin.guard import UNKNOWN_PLUGIN, PluginGuard
from nncodec.training.distributed import ProcessGroup
from nncodec.training.events import OnEvent, SamplesDue, Validated
from nncodec.training.guarding import guarded
from nncodec.training.log import CsvLog
from nncodec.training.options import RunOptions
from nncodec.training.sampling import Batches
from nncodec.training.tasks import ModelTask, evaluating


class Validation:
    """A `Validator` that validates every few epochs and keeps the weights with the lowest loss.

    The loss is that at the end of a training (progress 1), without gradients and in evaluation mode, on the same
    batches every time, with the same random numbers. While the task's losses are not comparable, the latest weights
    are kept and patience does not run out. A run that resumes with other pictures to validate on forgets its best: a
    loss on others says nothing about it.

    Args:
        task: in training.
        batches: to train and to validate on; without the latter nothing is measured and nothing is kept.
        options: `patience` and `bfloat16`.
        device: where the task is.
        log: CSV file of the figures; None writes none.
        processes: those that share every batch.
        on_event: receives `Validated`, and `SamplesDue` when a grid of samples is due.
        guard: of the plugin that the task comes from.
    """

    def __init__(
        self,
        task: ModelTask,
        batches: Batches,
        options: RunOptions,
        device: torch.device,
        *,
        log: CsvLog | None,
        processes: ProcessGroup,
        on_event: OnEvent,
        guard: PluginGuard = UNKNOWN_PLUGIN,
    ) -> None:
        self._task = task
        self._guard = guard
        self._batches = batches
        self._measured_on = batches.validation_digest
        self._options = options
        self._device = device
        self._log = log
        self._processes = processes
        self._on_event = on_event
        self._best_weights: dict[str, Tensor] | None = None
        self._best_loss = math.inf
        self._without_gain = 0
        self._last_step = 0
        self.best_figures: dict[str, float] = {}
        self.best_step = 0

    @property
    def ended(self) -> bool:
        """Whether `patience` validations in a row brought no better loss."""
        return bool(self._options.patience) and self._without_gain >= self._options.patience

    def after_step(self, step: int) -> None:
        """Validate and ask for samples, if it is time."""
        if self._batches.sample_steps and step % self._batches.sample_steps == 0:
            self._on_event(SamplesDue(step // self._batches.steps_per_epoch))
        if self._batches.validation and step % self._batches.validation_steps == 0:
            self._validate(step)

    def finish(self, step: int) -> None:
        """Validate the last step if that has not been done, and load the best weights into the task."""
        if self._batches.validation and step != self._last_step:
            self._validate(step)
        if self._best_weights is not None:
            self._task.load_state_dict(self._best_weights)

    def state_dict(self) -> dict[str, Any]:
        """See `Validator`."""
        return {
            "best_weights": self._best_weights,
            "best_loss": self._best_loss,
            "best_figures": self.best_figures,
            "best_step": self.best_step,
            "in_vain": self._without_gain,
            "last_step": self._last_step,
            "measured_on": self._measured_on,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Validator`."""
        if self._log:
            self._log.cut(state["last_step"])
        # Checkpoints of older versions do not say what they were measured on.
        if state.get("measured_on", self._measured_on) != self._measured_on:
            return
        self._best_weights = state["best_weights"]
        self._best_loss = state["best_loss"]
        self.best_figures = state["best_figures"]
        self.best_step = state["best_step"]
        self._without_gain = state["in_vain"]
        self._last_step = state["last_step"]

    def _validate(self, step: int) -> None:
        figures = self._measured()
        self._last_step = step
        is_best = self._task.comparable and figures["loss"] < self._best_loss
        if is_best or not self._task.comparable:
            self._best_loss, self.best_figures, self.best_step, self._without_gain = figures["loss"], figures, step, 0
            self._best_weights = {
                name: value.detach().to("cpu", copy=True) for name, value in self._task.state_dict().items()
            }
        else:
            self._without_gain += 1
        if self._log:
            self._log.append({"step": step, "epoch": round(step / self._batches.steps_per_epoch, 3), **figures})
        self._on_event(Validated(step, step / self._batches.steps_per_epoch, figures, is_best))

    @torch.no_grad()
    def _measured(self) -> dict[str, float]:
        sums: dict[str, float] = {"pictures": 0.0}
        with evaluating(self._task):
            for number, batch in enumerate(self._batches.validation):
                # A batch too small to be shared counts in the first process only.
                share = self._processes.share(batch) if len(batch) >= self._processes.world_size else batch
                weight = len(share) if len(batch) >= self._processes.world_size or self._processes.is_first else 0
                generator = torch.Generator(self._device).manual_seed((self._processes.rank << 32) + number)
                with training_precision(self._device, self._options.bfloat16):
                    pixels = to_tensor(share, self._device)
                    loss, figures = guarded(self._guard, self._task.loss, pixels, 1.0, generator)
                sums["pictures"] += weight
                for name, value in {"loss": loss.item(), **figures}.items():
                    sums[name] = sums.get(name, 0.0) + value * weight
        sums = self._processes.sums(sums, self._device)
        pictures = sums.pop("pictures")
        means = {name: value / pictures for name, value in sums.items()}
        return {"loss": means.pop("loss"), **means}
