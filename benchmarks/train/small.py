"""Train an autoencoder on small grey pictures of the MNIST family, measure it on the test set, write its model file."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import data_folder, show

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import to_tensor, weights_of, with_file_precision
from nncodec.plugin.model_file import write_model
from nncodec.training.autoencoder import AutoencoderTask
from nncodec.training.data import ArraySampler, read_idx
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec.training.losses import loss_by_name, mse


@dataclass(frozen=True)
class Recipe:
    """What differs between the models.

    Args:
        name: of the model, `plugin/model`.
        architecture: its architecture.
        data: folder of its data set below $NNCODEC_DATA.
        loss: name of the reconstruction loss.
        plain_share: see `AutoencoderTask`.
        epochs, batch_size, learning_rate, levels: defaults of the options.
        summary, training_data: for the model card; `{levels}` in the summary is filled in.
        weights: where the model file goes by default.
    """

    name: str
    architecture: str
    data: str
    loss: str
    plain_share: float
    epochs: int
    batch_size: int
    learning_rate: float
    levels: int
    summary: str
    training_data: str
    weights: Path


def train(recipe: Recipe, build: Callable[[int], tuple[dict[str, Any], Autoencoder]], description: str | None) -> None:
    """Parse the command line, train, measure and write.

    Args:
        recipe: defaults and names.
        build: levels to the config, as a model file holds it, and the network.
        description: of the script.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--batch-size", type=int, default=recipe.batch_size)
    parser.add_argument("--learning-rate", type=float, default=recipe.learning_rate)
    parser.add_argument("--levels", type=int, default=recipe.levels)
    parser.add_argument("--run", type=Path, default=Path("runs") / recipe.name.replace("/", "_"))
    parser.add_argument("--output", type=Path, default=recipe.weights)
    options = parser.parse_args()
    folder = data_folder(recipe.data)
    pictures, test = (read_idx(folder / f"{part}-images-idx3-ubyte.gz")[..., None] for part in ("train", "t10k"))
    torch.manual_seed(0)
    config, network = build(options.levels)
    task = AutoencoderTask(network, loss_by_name(recipe.loss), recipe.plain_share)
    sampler = ArraySampler(pictures, options.batch_size, seed=1)
    schedule = Schedule(options.learning_rate, steps=options.epochs * sampler.steps_per_epoch)
    every = sampler.steps_per_epoch
    loop = LoopOptions(checkpoint=options.run / "checkpoint.pt", log=options.run / "log.csv", log_steps=every)
    report = fit(task, sampler, schedule, loop, on_progress=show)
    figures = measure(with_file_precision(network), to_tensor(test), recipe.loss)
    print(figures)
    card = {
        "summary": recipe.summary.format(levels=options.levels),
        "licence": "Apache-2.0",
        "training_data": recipe.training_data,
        "training": {"epochs": options.epochs, "steps": report.steps, "minutes": round(report.elapsed_s / 60, 1)},
        "measured": {name: round(value, 6) for name, value in figures.items()},
    }
    write_model(
        options.output,
        architecture=recipe.architecture,
        config=config,
        name=recipe.name,
        card=card,
        tensors=weights_of(network),
    )


@torch.inference_mode()
def measure(network: Autoencoder, pixels: torch.Tensor, loss: str) -> dict[str, float]:
    """Return mean squared error and loss on (N, 1, H, W) pixels in 0..1, with quantization and without."""
    figures = {}
    for suffix, quantized in (("", True), ("_unquantized", False)):
        restored = network(pixels, quantized=quantized)
        figures[f"test_mse{suffix}"] = mse(restored, pixels).item()
        figures[f"test_{loss}{suffix}"] = loss_by_name(loss)(restored, pixels).item()
    return figures
