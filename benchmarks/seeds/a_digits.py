"""System A: the convolutional autoencoder for digits, 20 epochs, and the bytes of its code in real files.

    python -m benchmarks.seeds.a_digits            # all of MNIST, from $NNCODEC_DATA
    python -m benchmarks.seeds.a_digits --quick    # seconds: drawn digits, six short epochs

Losses are binary cross-entropies in nats per pixel. "plain" is the document's network, without quantization;
"quantized" is what files hold. Test losses of all epochs are measured after the training, from the weights kept after
each; they decide nothing. The script resumes an interrupted run.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks.measuring import plots
from benchmarks.measuring.data import idx_pictures
from benchmarks.measuring.models import install
from benchmarks.measuring.small_sets import by_model, stacked
from benchmarks.seeds.epochs import EpochValues
from benchmarks.seeds.shared import argument_parser, drawn_digits, write_results
from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import to_pixels, to_tensor, with_file_precision
from nncodec.plugin.latents import Pixels
from nncodec.training.log import CsvLog
from nncodec.training.loop import fit
from nncodec.training.losses import bce, mse
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import AutoencoderTask
from nncodec_conv.digits import DIGIT_CODE_CHANNELS, DIGIT_CODE_EDGE, DigitsConfig
from nncodec_conv.networks import build_digits

DOCUMENT = {"epochs": 20, "train": 0.0921, "test": 0.0910}
"""The figures of the source document: losses after its last epoch."""

NAME = "seed/digits"
_MEASURE_BATCH = 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, write."""
    parser = argument_parser(__doc__, "a")
    parser.add_argument("--epochs", type=int, default=DOCUMENT["epochs"])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--levels", type=int, default=32, help="quantization levels of a code")
    options = parser.parse_args(arguments)
    if options.quick:
        options.epochs, options.batch_size = 6, 16
        train_pictures, test_pictures = (drawn_digits(count, seed)[0] for count, seed in ((512, 0), (64, 1)))
    else:
        train_pictures, test_pictures = (idx_pictures("mnist", part) for part in ("train", "t10k"))
    torch.manual_seed(0)
    config = DigitsConfig(options.levels)
    network = build_digits(config)
    start(network, train_pictures)
    minutes, history = train(network, train_pictures, to_tensor(test_pictures), options)
    install(options.run / "models", "conv-digits", config.as_dict(), NAME, with_file_precision(network))
    results = {
        "document": DOCUMENT,
        "training": {
            "epochs": options.epochs,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "pictures": len(train_pictures),
        },
        "history": history,
        "test": losses(network, to_tensor(test_pictures)),
        "code": {"values": DIGIT_CODE_CHANNELS * DIGIT_CODE_EDGE**2, "levels": options.levels},
        "files": files(test_pictures),
    }
    stem = "a_digits_quick" if options.quick else "a_digits"
    shown = ["--quick"] if options.quick else []
    write_results(options.results / f"{stem}.json", "a_digits", shown, minutes, results)
    plot(history, options.curves / f"{stem}.png")
    show(network, test_pictures[:12], options.run / "reconstructions.png")
    print({"test": results["test"], "files": results["files"]})


def start(network: Autoencoder, pictures: Pixels) -> None:
    """Initialise a network in place.

    Layers this narrow lose a quarter of their rectifiers for good when the first steps are large, and those are large
    until the output is as dark as digits are. So weights start as in He et al. (2015), and the last bias at the log
    odds of the mean pixel.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    mean = float(pictures.mean()) / 255
    last = [layer for layer in network.decoder.modules() if isinstance(layer, nn.Conv2d)][-1]
    nn.init.constant_(last.bias, math.log(mean / (1 - mean)))  # type: ignore[arg-type]


def train(
    network: Autoencoder, pictures: Pixels, test: Tensor, options: argparse.Namespace
) -> tuple[float, list[dict[str, float]]]:
    """Train in place; return minutes and the losses of every epoch.

    Losses of the training set are means over the epoch while it runs, those of the test set are at its end.
    """
    sampler = ArraySampler(pictures, options.batch_size, seed=1)
    per_epoch = sampler.steps_per_epoch
    weights = EpochValues(per_epoch, lambda: {name: value.clone() for name, value in network.state_dict().items()})
    log = options.run / "log.csv"
    steps = options.epochs * per_epoch
    report = fit(
        AutoencoderTask(network, bce, plain_share=0.3),
        sampler,
        Schedule(options.learning_rate, steps=steps, warmup_steps=min(500, steps // 5)),
        LoopOptions(checkpoint=options.run / "checkpoint.pt", log=log, log_steps=per_epoch),
        validator=weights,
    )
    history = []
    for number, (row, kept) in enumerate(zip(CsvLog(log).rows(), weights.values, strict=True), 1):
        network.load_state_dict(kept)
        tested = {
            f"test_{kind}": loss for kind, loss in losses(network, test).items() if kind in ("plain", "quantized")
        }
        trained = {"train_plain": float(row["unquantized"]), "train_quantized": float(row["distortion"])}
        history.append({"epoch": number, **trained, **tested})
    return report.elapsed_s / 60, history


@torch.inference_mode()
def losses(network: Autoencoder, pixels: Tensor) -> dict[str, float]:
    """Return cross-entropy and mean squared error with and without quantization; pixels (N, 1, 28, 28) in 0..1."""
    network.eval()
    figures = {}
    for kind, quantized in (("plain", False), ("quantized", True)):
        restored = torch.cat([network(part, quantized=quantized) for part in torch.split(pixels, _MEASURE_BATCH)])
        figures[kind], figures[f"mse_{kind}"] = bce(restored, pixels).item(), mse(restored, pixels).item()
    return figures


def files(pictures: Pixels) -> dict[str, Any]:
    """Return bytes per digit and the error after decoding, for a file each and for one file of all."""
    each, together = by_model(pictures, NAME), stacked(pictures, NAME)
    return {
        "pictures": len(pictures),
        "bytes_a_file": each.bytes_a_picture,
        "largest_file_bytes": max(map(len, each.files)),
        "bytes_a_picture_stacked": together.bytes_a_picture,
        "mse": each.mse,
        "frames_equal_files": bool(np.array_equal(each.decoded, together.decoded)),
    }


@torch.inference_mode()
def show(network: Autoencoder, pictures: Pixels, path: Path) -> None:
    """Write a row of originals over a row of the plain network's reconstructions, each pixel enlarged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [pictures, to_pixels(network(to_tensor(pictures), quantized=False))]
    framed = np.pad(np.stack(rows)[..., 0], ((0, 0), (0, 0), (1, 1), (1, 1)))  # (2, n, H + 2, W + 2)
    grid = Image.fromarray(np.vstack([np.hstack(list(row)) for row in framed]))
    grid.resize((2 * grid.width, 2 * grid.height), Image.Resampling.NEAREST).save(path)


def plot(history: Sequence[dict[str, float]], path: Path) -> None:
    """Write the losses of every epoch, training and test, beside the document's last ones."""
    figure, ((axes,),) = plots.panels(1, 1, 6.4, 4)
    epochs = [point["epoch"] for point in history]
    for kind, style in (("plain", "-"), ("quantized", "--")):
        for part, colour in (("train", "tab:blue"), ("test", "tab:orange")):
            values = [point[f"{part}_{kind}"] for point in history]
            axes.plot(epochs, values, style, color=colour, label=f"{part}, {kind}")
    axes.plot(DOCUMENT["epochs"], DOCUMENT["train"], "o", color="tab:blue", label="document, train")
    axes.plot(DOCUMENT["epochs"], DOCUMENT["test"], "s", color="tab:orange", label="document, test")
    axes.set(xlabel="epoch", ylabel="binary cross-entropy, nats per pixel")
    plots.save(figure, path)


if __name__ == "__main__":
    main()
