"""Train `conv/digits` on the MNIST in $NNCODEC_DATA and write its model file.

python benchmarks/train/conv_digits.py --epochs 30
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
from nncodec.training.losses import bce
from nncodec_conv.networks import DigitsConfig, build_digits


def main() -> None:
    """Train, measure on the test set, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--levels", type=int, default=16)
    parser.add_argument("--run", type=Path, default=Path("runs/conv_digits"))
    parser.add_argument("--output", type=Path, default=Path("plugins/nncodec_conv/weights/digits.safetensors"))
    options = parser.parse_args()
    torch.manual_seed(0)
    folder = data_folder("mnist")
    training = read_idx(folder / "train-images-idx3-ubyte.gz")[..., None]
    test = read_idx(folder / "t10k-images-idx3-ubyte.gz")[..., None]
    config = DigitsConfig(options.levels)
    network = build_digits(config)
    task = AutoencoderTask(network, "bce", plain_share=0.3)
    sampler = ArraySampler(training, options.batch_size, seed=1)
    steps = options.epochs * sampler.steps_per_epoch
    loop = LoopOptions(checkpoint=options.run / "checkpoint.pt", log=options.run / "log.csv", log_steps=468)
    report = fit(task, sampler, Schedule(options.learning_rate, steps=steps), loop, on_progress=show)
    with_file_precision(network)
    with torch.inference_mode():
        pixels = to_tensor(test)
        figures = {
            "test_bce_unquantized": bce(network(pixels, quantized=False), pixels).item(),
            "test_bce": bce(network(pixels), pixels).item(),
            "test_mse": (network(pixels) - pixels).square().mean().item(),
        }
    print(figures)
    card = {
        "summary": f"handwritten digits, grey 28 x 28, 128 codes of {options.levels} levels",
        "licence": "Apache-2.0",
        "training_data": "MNIST training set (60,000 pictures)",
        "training": {"epochs": options.epochs, "steps": report.steps, "minutes": round(report.elapsed_s / 60, 1)},
        "measured": {name: round(value, 6) for name, value in figures.items()},
    }
    write_model(
        options.output,
        architecture="conv-digits",
        config=config.as_dict(),
        name="conv/digits",
        card=card,
        tensors=weights_of(network),
    )


if __name__ == "__main__":
    main()
