"""Trains a recogniser of small labelled pictures: augmentation, one learning rate cycle, checkpoints, a history."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nncodec.plugin.latents import Pixels
from nncodec.training.checkpoint import load_checkpoint, previous_of, save_checkpoint
from nncodec.training.options import Schedule

_MOMENTUM = 0.9
# Pictures scored at once; larger batches take memory and save no time.
_SCORE_BATCH = 250


@dataclass(frozen=True)
class Labelled:
    """Pictures, uint8 (n, H, W, 1), and their classes, int64 (n,)."""

    pictures: Pixels
    labels: NDArray[np.int64]

    def subset(self, chosen: NDArray[np.intp]) -> Labelled:
        """Return some of them."""
        return Labelled(self.pictures[chosen], self.labels[chosen])

    def split(self, share: float, seed: int) -> tuple[Labelled, Labelled]:
        """Return (the rest, a random `share`)."""
        order = np.random.default_rng(seed).permutation(len(self.labels))
        held_back = round(share * len(order))
        return self.subset(order[held_back:]), self.subset(order[:held_back])


@dataclass(frozen=True)
class Training:
    """How to train a recogniser: stochastic gradient descent with Nesterov momentum, linear warm-up, cosine.

    Args:
        edge: pictures are resized to edge x edge, bilinearly.
        epochs, minutes: the length; one of the two.
        learning_rate: the peak.
        warmup: share of an epoch before the peak.
        decay: weight decay.
        smoothing: of the labels, 0..1.
        degrees, shift, zoom: largest rotation, shift (share of the edge) and change of size in augmentation.
    """

    edge: int
    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 128
    learning_rate: float = 0.05
    warmup: float = 0.8
    decay: float = 5e-4
    smoothing: float = 0.1
    degrees: float = 12.0
    shift: float = 0.08
    zoom: float = 0.1
    seed: int = 0
    checkpoint_minutes: float = 3.0
    points_per_epoch: int = 8


def plain_network(classes: int, edge: int) -> nn.Sequential:
    """Return a small recogniser of pictures (N, 1, edge, edge): two convolutions, pooling, two dense layers."""
    left = (edge - 4) // 2
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten()),
        *(nn.Linear(64 * left * left, 128), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(128, classes),
    )


def to_input(pictures: Pixels, edge: int) -> Tensor:
    """Return pictures as the recogniser's input, (N, 1, edge, edge) in 0..1."""
    values = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(values, (edge, edge), mode="bilinear", align_corners=False)


def augmented(pictures: Pixels, training: Training, generator: torch.Generator) -> Tensor:
    """Return pictures resized with a random small rotation, shift and zoom, (N, 1, edge, edge) in 0..1."""
    values = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
    count = len(values)

    def uniform(most: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * most

    angle = uniform(math.radians(training.degrees))
    size = 1 + uniform(training.zoom)
    # The grid spans -1..1, so a shift of a share s of the edge is 2 s.
    rows = [
        torch.stack([angle.cos() * size, -angle.sin() * size, uniform(2 * training.shift)], 1),
        torch.stack([angle.sin() * size, angle.cos() * size, uniform(2 * training.shift)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 1, training.edge, training.edge], align_corners=False)
    return F.grid_sample(values, grid, mode="bilinear", padding_mode="border", align_corners=False)


def scores(network: nn.Module, pictures: Pixels, edge: int) -> Tensor:
    """Return the classes' scores in float32, (n, classes), with the network in inference mode."""
    network.eval()
    with torch.inference_mode():
        parts = [
            network(to_input(pictures[start : start + _SCORE_BATCH], edge))
            for start in range(0, len(pictures), _SCORE_BATCH)
        ]
    return torch.cat(parts).float()


def loss_and_accuracy(classes: Tensor, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return mean cross-entropy in nats and the share of right answers, from scores (n, classes)."""
    truth = torch.from_numpy(labels)
    return F.cross_entropy(classes, truth).item(), (classes.argmax(1) == truth).double().mean().item()


def train(
    network: nn.Module,
    data: Labelled,
    validation: Labelled,
    training: Training,
    checkpoint: Path | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train in place, from the checkpoint if there is one.

    Returns:
        `minutes`, `steps`, `steps_per_epoch`, and `train` and `validation`: lists of points with epoch, loss (without
        smoothing) and accuracy; those of training are means over a part of an epoch, on augmented pictures.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        network.parameters(), training.learning_rate, _MOMENTUM, weight_decay=training.decay, nesterov=True
    )
    per_epoch = len(data.labels) // training.batch_size
    schedule = Schedule(
        training.learning_rate,
        steps=None if training.epochs is None else training.epochs * per_epoch,
        minutes=training.minutes,
        warmup_steps=max(1, round(training.warmup * per_epoch)),
    )
    step, before_s = 0, 0.0
    history: dict[str, list[dict[str, float]]] = {"train": [], "validation": []}
    if checkpoint is not None and (checkpoint.exists() or previous_of(checkpoint).exists()):
        state = load_checkpoint(checkpoint)
        network.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, before_s, history = state["step"], state["elapsed_s"], state["history"]
        say(f"resuming at step {step}")
    started = saved = time.monotonic()
    sums = torch.zeros(3)

    def elapsed_s() -> float:
        return before_s + time.monotonic() - started

    def save() -> None:
        if checkpoint is not None:
            state = {"step": step, "elapsed_s": elapsed_s(), "history": history}
            save_checkpoint(checkpoint, {**state, "model": network.state_dict(), "optimizer": optimizer.state_dict()})

    def report(kind: str) -> None:
        point = history[kind][-1]
        figures = f"loss {point['loss']:.4f} accuracy {point['accuracy']:.3%}"
        say(f"epoch {point['epoch']:.2f} {kind} {figures}, {elapsed_s() / 60:.1f} min")

    def validate() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, accuracy = loss_and_accuracy(scores(network, validation.pictures, training.edge), validation.labels)
        history["validation"].append({"epoch": step / per_epoch, "loss": loss, "accuracy": accuracy})
        report("validation")

    point_steps = max(1, per_epoch // training.points_per_epoch)
    while (progress := schedule.progress(step, elapsed_s())) < 1:
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * schedule.rate_factor(step, progress)
        sums += _update(network, optimizer, data, training, step, per_epoch)
        step += 1
        if step % point_steps == 0:
            loss, accuracy = (sums[:2] / sums[2]).tolist()
            history["train"].append({"epoch": step / per_epoch, "loss": loss, "accuracy": accuracy})
            report("train")
            sums.zero_()
        if step % per_epoch == 0:
            validate()
        if time.monotonic() - saved > 60 * training.checkpoint_minutes:
            save()
            saved = time.monotonic()
    if not history["validation"] or history["validation"][-1]["epoch"] < step / per_epoch:
        validate()
    save()
    network.eval()
    return {"minutes": elapsed_s() / 60, "steps": step, "steps_per_epoch": per_epoch, **history}


def _update(
    network: nn.Module, optimizer: torch.optim.Optimizer, data: Labelled, training: Training, step: int, per_epoch: int
) -> Tensor:
    """Take one step; return the sums of loss and right answers over the batch, and its size."""
    epoch, index = divmod(step, per_epoch)
    order = np.random.default_rng([training.seed, epoch]).permutation(len(data.labels))
    batch = data.subset(order[index * training.batch_size : (index + 1) * training.batch_size])
    torch.manual_seed(training.seed * 1_000_003 + step)  # the same dropout however often the run was resumed
    generator = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
    labels = torch.from_numpy(batch.labels)
    network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        classes = network(augmented(batch.pictures, training, generator)).float()
    loss = F.cross_entropy(classes, labels, label_smoothing=training.smoothing)
    if not math.isfinite(loss.item()):
        raise ArithmeticError(f"the loss became {loss.item()} at step {step}; lower the learning rate")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    with torch.no_grad():
        right = (classes.argmax(1) == labels).sum()
        return torch.stack([F.cross_entropy(classes, labels, reduction="sum"), right, torch.tensor(len(labels))])
