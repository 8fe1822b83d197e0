"""Train `dense/fashion` (LD32E3D3) on the Fashion-MNIST in $NNCODEC_DATA and write its model file.

python benchmarks/train/dense_fashion.py --epochs 160
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from common import data_folder, show

from nncodec.model_file import write_model
from nncodec.nn.tensors import to_tensor, weights_of, with_file_precision
from nncodec.training.autoencoder import AutoencoderTask
from nncodec.training.data import ArraySampler, read_idx
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec_dense.network import DenseConfig, build

NAME = "LD32E3D3"


def main() -> None:
    """Train, measure on the test set, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=160)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--levels", type=int, default=64)
    parser.add_argument("--run", type=Path, default=Path("runs/dense_fashion"))
    parser.add_argument("--output", type=Path, default=Path("plugins/nncodec_dense/weights/fashion.safetensors"))
    options = parser.parse_args()
    torch.manual_seed(0)
    folder = data_folder("fashion-mnist")
    training = read_idx(folder / "train-images-idx3-ubyte.gz")[..., None]
    test = read_idx(folder / "t10k-images-idx3-ubyte.gz")[..., None]
    config = DenseConfig.named(NAME, levels=options.levels)
    network = build(config)
    task = AutoencoderTask(network, "mse")
    sampler = ArraySampler(training, options.batch_size, seed=1)
    steps = options.epochs * sampler.steps_per_epoch
    loop = LoopOptions(
        checkpoint=options.run / "checkpoint.pt",
        log=options.run / "log.csv",
        log_steps=5 * sampler.steps_per_epoch,
    )
    report = fit(task, sampler, Schedule(options.learning_rate, steps=steps), loop, on_progress=show)
    with_file_precision(network)
    with torch.inference_mode():
        pixels = to_tensor(test)
        figures = {
            "test_mse": (network(pixels) - pixels).square().mean().item(),
            "test_mse_unquantized": (network(pixels, quantized=False) - pixels).square().mean().item(),
        }
    print(figures)
    card = {
        "summary": f"{NAME}: grey pictures of clothing, 28 x 28, 32 latents of {options.levels} levels",
        "licence": "Apache-2.0",
        "training_data": "Fashion-MNIST training set (60,000 pictures; Zalando, MIT licence)",
        "training": {"epochs": options.epochs, "steps": report.steps, "minutes": round(report.elapsed_s / 60, 1)},
        "measured": {name: round(value, 6) for name, value in figures.items()},
    }
    write_model(
        options.output,
        architecture="dense",
        config=config.as_dict(),
        name="dense/fashion",
        card=card,
        tensors=weights_of(network),
    )


if __name__ == "__main__":
    main()
