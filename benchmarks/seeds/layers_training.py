"""Trains the stacks of system C with the document's hybrid loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.models import install
from nncodec.nn.tensors import with_file_precision
from nncodec.nn.vgg16 import read_features
from nncodec.plugin.latents import Pixels
from nncodec.training.events import Advanced, Event
from nncodec.training.loop import fit
from nncodec.training.losses import Loss, PerceptualLoss, dissimilarity, mse
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.sampling import CropSampler
from nncodec.training.tasks import AutoencoderTask
from nncodec_conv.networks import StackConfig, build_stack
from nncodec_conv.starting import start_stack

HYBRID = {"ssim": 0.5, "perceptual": 0.1, "mse": 0.4}
"""Weights a, b, c of the document, which does not give them."""

_PERCEPTUAL_LAYERS = ("relu1_2", "relu2_2")
_PERCEPTUAL_SHARE = 8  # one in so many crops of a batch


@dataclass(frozen=True)
class Training:
    """How to build and train a stack; `rate` is the weight of bits per pixel beside the loss."""

    width: int
    codes: int
    rate: float
    steps: int
    learning_rate: float
    levels: int = 256
    batch_size: int = 8
    crop: int = 64


TRAINING = {
    3: Training(width=96, codes=48, rate=0.004, steps=5000, learning_rate=1e-4),
    5: Training(width=224, codes=112, rate=0.004, steps=3000, learning_rate=8e-5),
    7: Training(width=128, codes=64, rate=0.01, steps=4000, learning_rate=1e-4),
    10: Training(width=320, codes=160, rate=0.005, steps=2000, learning_rate=6e-5),
}


def hybrid(features: Path | None) -> tuple[Loss, str]:
    """Return the document's loss and a note on its perceptual part.

    Args:
        features: file of VGG16 weights; None leaves the part out.
    """
    if features is None:
        share = HYBRID["ssim"] + HYBRID["mse"]
        weights = {name: HYBRID[name] / share for name in ("ssim", "mse")}
        return _weighted(weights, None), "left out: there were no VGG16 weights"
    network, trained_on = read_features(features)
    perceptual = PerceptualLoss(network, _PERCEPTUAL_LAYERS)
    return _weighted(HYBRID, perceptual), f"VGG16 features of {trained_on or features.name}"


def _weighted(weights: Mapping[str, float], perceptual: PerceptualLoss | None) -> Loss:
    def loss(restored: Tensor, original: Tensor) -> Tensor:
        total = weights["ssim"] * dissimilarity(restored, original) + weights["mse"] * mse(restored, original)
        if perceptual is not None:
            some = max(1, len(original) // _PERCEPTUAL_SHARE)
            total = total + weights["perceptual"] * perceptual(restored[:some], original[:some])
        return total

    return loss


def train(layers: int, training: Training, pictures: Sequence[Pixels], loss: Loss, run: Path) -> dict[str, Any]:
    """Train a stack or resume its training, install it, and return its name, minutes and settings."""
    folder = run / f"{layers}-{training.rate:g}-{training.width}-{training.codes}-{training.levels}-{training.steps}"
    torch.manual_seed(0)
    config = StackConfig(layers, training.width, training.codes, training.levels)
    network = build_stack(config)
    start_stack(network, config)
    sampler = CropSampler(pictures, training.batch_size, training.crop, seed=layers)

    def tell(event: Event) -> None:
        if not isinstance(event, Advanced) or not event.fresh:
            return
        step, figures = event.step, event.figures
        print(f"{layers} layers {step:6d} " + " ".join(f"{k} {v:.4f}" for k, v in figures.items()), flush=True)

    report = fit(
        AutoencoderTask(network, loss, rate=training.rate),
        sampler,
        Schedule(training.learning_rate, steps=training.steps, warmup_steps=min(300, training.steps // 4)),
        LoopOptions(
            checkpoint=folder / "checkpoint.pt",
            checkpoint_minutes=1,
            log=folder / "log.csv",
            log_steps=min(200, training.steps // 2),
        ),
        on_event=tell,
    )
    with_file_precision(network)
    name = f"seed/layers{layers}"
    install(run / "models", "conv-stack", config.as_dict(), name, network)
    figures = {key: round(value, 5) for key, value in report.figures.items()}
    return {
        "name": name,
        "minutes": report.elapsed_s / 60,
        "training": {**asdict(training), "stride": config.stride, "last_figures": figures},
    }
