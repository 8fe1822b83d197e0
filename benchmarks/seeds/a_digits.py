"""System A: the convolutional autoencoder for digits, 20 epochs, and what its code takes in real files.

    python benchmarks/seeds/a_digits.py            # all of MNIST, from $NNCODEC_DATA
    python benchmarks/seeds/a_digits.py --quick    # seconds: drawn digits, six short epochs

Losses are binary cross-entropies in nats a pixel. "plain" is the network as the document has it, without quantization;
"quantized" is what files hold. Test losses of earlier epochs are measured after the training, from the weights that
were kept; nothing is chosen by them. The run goes on where an interrupted one stopped.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from common import CURVES, RESULTS, RUNS, data_folder, drawn_digits, grid, idx_pictures, install, write_results
from PIL import Image
from torch import Tensor, nn

import nncodec
from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import to_pixels, to_tensor, with_file_precision
from nncodec.plugin.latents import Pixels
from nncodec.training.autoencoder import AutoencoderTask
from nncodec.training.data import ArraySampler
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec.training.losses import bce, mse
from nncodec_conv.networks import DIGIT_CODE_CHANNELS, DIGIT_CODE_EDGE, DigitsConfig, build_digits

DOCUMENT = {"epochs": 20, "train": 0.0921, "test": 0.0910}
"""The figures of the source document: losses after its last epoch."""

NAME = "seed/digits"
_MEASURE_BATCH = 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=DOCUMENT["epochs"])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--levels", type=int, default=32, help="quantization levels of a code")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, default=RUNS / "a", help="folder for checkpoint, model and pictures")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON")
    parser.add_argument("--curves", type=Path, default=CURVES, help="folder for the plot")
    options = parser.parse_args(arguments)
    if options.quick:
        options.epochs, options.batch_size = 6, 16
        train_pictures, test_pictures = (drawn_digits(count, seed)[0] for count, seed in ((512, 0), (64, 1)))
    else:
        train_pictures, test_pictures = (idx_pictures(data_folder("mnist"), part) for part in ("train", "t10k"))
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
    command = "python benchmarks/seeds/a_digits.py" + (" --quick" if options.quick else "")
    write_results(options.results / f"{stem}.json", command, minutes, results)
    plot(history, options.curves / f"{stem}.png")
    show(network, test_pictures[:12], options.run / "reconstructions.png")
    print({"test": results["test"], "files": results["files"]})


def start(network: Autoencoder, pictures: Pixels) -> None:
    """Give a network weights to start from, in place.

    Layers this narrow lose a quarter of their rectifiers for good when the first steps are large, and those are large
    as long as the output is not yet as dark as digits are. So weights start as He et al. (2015) have them, and the last
    bias at the log odds of the mean pixel.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    mean = float(pictures.mean()) / 255
    last = [layer for layer in network.decoder.modules() if isinstance(layer, nn.Conv2d)][-1]
    nn.init.constant_(last.bias, math.log(mean / (1 - mean)))  # type: ignore[arg-type]


@dataclass
class Epochs:
    """Keeps the weights after every epoch; see `nncodec.training.loop.Watcher`."""

    network: Autoencoder
    steps: int
    kept: list[dict[str, Tensor]] = field(default_factory=list)

    ended: ClassVar[bool] = False

    def after_step(self, step: int, progress: float) -> None:
        """Keep the weights at the end of an epoch."""
        if step % self.steps == 0:
            self.kept.append({name: value.detach().clone() for name, value in self.network.state_dict().items()})
            print(f"epoch {len(self.kept)}", flush=True)

    def state_dict(self) -> dict[str, Any]:
        """Return what was kept."""
        return {"kept": self.kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what was kept."""
        self.kept = state["kept"]


def train(
    network: Autoencoder, pictures: Pixels, test: Tensor, options: argparse.Namespace
) -> tuple[float, list[dict[str, float]]]:
    """Train in place; return minutes and the losses of every epoch.

    Losses of the training set are means over the epoch while it runs, those of the test set are at its end.
    """
    sampler = ArraySampler(pictures, options.batch_size, seed=1)
    per_epoch = sampler.steps_per_epoch
    epochs = Epochs(network, per_epoch)
    log = options.run / "log.csv"
    steps = options.epochs * per_epoch
    report = fit(
        AutoencoderTask(network, bce, plain_share=0.3),
        sampler,
        Schedule(options.learning_rate, steps=steps, warmup_steps=min(500, steps // 5)),
        LoopOptions(checkpoint=options.run / "checkpoint.pt", log=log, log_steps=per_epoch),
        watcher=epochs,
    )
    with log.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    last = {name: value.clone() for name, value in network.state_dict().items()}
    history = []
    for number, (row, weights) in enumerate(zip(rows, epochs.kept, strict=True), 1):
        network.load_state_dict(weights)
        tested = {
            f"test_{kind}": loss for kind, loss in losses(network, test).items() if kind in ("plain", "quantized")
        }
        trained = {"train_plain": float(row["unquantized"]), "train_quantized": float(row["distortion"])}
        history.append({"epoch": number, **trained, **tested})
    network.load_state_dict(last)
    return report.elapsed_s / 60, history


@torch.inference_mode()
def losses(network: Autoencoder, pixels: Tensor) -> dict[str, float]:
    """Return cross-entropy and mean squared error with and without quantization, of (N, 1, 28, 28) in 0..1."""
    network.eval()
    found = {}
    for kind, quantized in (("plain", False), ("quantized", True)):
        restored = torch.cat([network(part, quantized=quantized) for part in pixels.split(_MEASURE_BATCH)])
        found[kind], found[f"mse_{kind}"] = bce(restored, pixels).item(), mse(restored, pixels).item()
    return found


def files(pictures: Pixels) -> dict[str, Any]:
    """Return bytes a digit and the loss of what decodes, for a file each and for one file of all."""
    images = [Image.fromarray(picture[..., 0]) for picture in pictures]
    each = nncodec.encode_batch(images, NAME)
    stacked = nncodec.encode(images, NAME)
    decoded = np.stack([np.asarray(image) for image in nncodec.decode_batch(each)])[..., None]
    frames = np.stack([np.asarray(image) for image in nncodec.decode_frames(stacked)])[..., None]
    original = to_tensor(pictures)
    return {
        "pictures": len(images),
        "bytes_a_file": float(np.mean([len(data) for data in each])),
        "largest_file_bytes": max(map(len, each)),
        "bytes_a_picture_stacked": len(stacked) / len(images),
        "mse": mse(to_tensor(decoded), original).item(),
        "frames_equal_files": bool(np.array_equal(decoded, frames)),
    }


@torch.inference_mode()
def show(network: Autoencoder, pictures: Pixels, path: Path) -> None:
    """Write a row of originals over a row of what the plain network makes of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid([pictures, to_pixels(network(to_tensor(pictures), quantized=False))], path)


def plot(history: Sequence[dict[str, float]], path: Path) -> None:
    """Write the losses per epoch, training and test, beside the document's last ones."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    epochs = [point["epoch"] for point in history]
    for kind, style in (("plain", "-"), ("quantized", "--")):
        for part, colour in (("train", "tab:blue"), ("test", "tab:orange")):
            values = [point[f"{part}_{kind}"] for point in history]
            axes.plot(epochs, values, style, color=colour, label=f"{part}, {kind}")
    axes.plot(DOCUMENT["epochs"], DOCUMENT["train"], "o", color="tab:blue", label="document, train")
    axes.plot(DOCUMENT["epochs"], DOCUMENT["test"], "s", color="tab:orange", label="document, test")
    axes.set(xlabel="epoch", ylabel="binary cross-entropy, nats a pixel")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
