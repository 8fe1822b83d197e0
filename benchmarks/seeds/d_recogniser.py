"""System D: the VGG16 digit recogniser, and how much meaning survives compression.

    python benchmarks/seeds/d_recogniser.py            # all of MNIST, from $NNCODEC_DATA; about 45 minutes on one core
    python benchmarks/seeds/d_recogniser.py --quick    # seconds: drawn digits, a few steps

VGG16 is trained from random weights (no ImageNet weights are at hand): digits resized to 32 x 32, grey on three
channels, batch normalisation while it trains, folded afterwards, one dense layer on the 512 last maps. A fifth of the
training set is held back for the validation curves. A small plain network is trained beside it, as the document
compares with one. The run goes on where an interrupted one stopped, and leaves `vgg16_digits.safetensors` in its
folder, which the perceptual loss takes where no ImageNet weights are named. The test set is read once, at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from class_report import class_report
from common import CURVES, RESULTS, RUNS, data_folder, drawn_digits, idx_labels, idx_pictures, write_results
from decoded_digits import coded, settings
from recogniser import Labelled, Training, loss_and_accuracy, plain_network, scores, train
from torch import nn

from nncodec.nn.vgg16 import VGG16, add_batch_normalisation, fold_batch_normalisation, write_recogniser
from nncodec.plugin.latents import Pixels
from nncodec.training.losses.perceptual import OWN_WEIGHTS

DOCUMENT = {"epochs": 15, "batch_size": 200, "accuracy": 0.9934, "plain_accuracy": 0.9914, "plain_loss": 0.026}
"""The figures of the source document, which starts from ImageNet weights."""

EDGE, PLAIN_EDGE = 32, 28
CLASSES = 10
HELD_BACK = 0.2
WEIGHTS = OWN_WEIGHTS.name


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, default=5, help="of VGG16")
    length.add_argument("--minutes", type=float, help="of training VGG16, in place of epochs")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, default=RUNS / "d", help="folder for checkpoints, weights and pictures")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON")
    parser.add_argument("--curves", type=Path, default=CURVES, help="folder for the plot")
    options = parser.parse_args(arguments)
    epochs = None if options.minutes else options.epochs
    vgg16 = Training(EDGE, epochs=epochs, minutes=options.minutes)
    plain = Training(PLAIN_EDGE, epochs=5, learning_rate=0.02)
    if options.quick:
        data, test = (Labelled(*drawn_digits(count, seed)) for count, seed in ((160, 0), (40, 1)))
        vgg16 = Training(EDGE, epochs=1, batch_size=16, learning_rate=0.01)
        plain = Training(PLAIN_EDGE, epochs=12, batch_size=16, learning_rate=0.01)
    else:
        folder = data_folder("mnist")
        data, test = (Labelled(idx_pictures(folder, part), idx_labels(folder, part)) for part in ("train", "t10k"))
    plain_result = run_plain(data, test, plain, options.run)
    network, history = train_vgg16(data, vgg16, options.run)
    classes = scores(network, test.pictures, EDGE)
    loss, _ = loss_and_accuracy(classes, test.labels)
    predicted = classes.argmax(1).numpy()
    results = {
        "document": DOCUMENT,
        "training": {
            "pictures": round(len(data.labels) * (1 - HELD_BACK)),
            "epochs": history["steps"] // history["steps_per_epoch"],
            "batch_size": vgg16.batch_size,
            "minutes": history["minutes"],
        },
        "history": {part: history[part] for part in ("train", "validation")},
        "test": {"pictures": len(test.labels), "loss": loss, **class_report(predicted, test.labels, CLASSES)},
        "plain": plain_result,
        "decoded": decoded_accuracy(network, test, options.quick, options.run),
    }
    stem = "d_recogniser_quick" if options.quick else "d_recogniser"
    command = "python benchmarks/seeds/d_recogniser.py" + (" --quick" if options.quick else "")
    write_results(options.results / f"{stem}.json", command, history["minutes"] + plain_result["minutes"], results)
    plot_curves(results["history"], options.curves / f"{stem}.png")
    plot_decoded(results["decoded"], options.curves / f"{stem}_decoded.png")
    show_predictions(test, predicted, options.run / "predictions.png")
    print(f"test accuracy {results['test']['accuracy']:.4%}, loss {loss:.4f}; plain {plain_result['accuracy']:.4%}")


def train_vgg16(data: Labelled, training: Training, folder: Path) -> tuple[VGG16, dict[str, Any]]:
    """Train VGG16 with batch normalisation, fold it, leave its weights in the folder; return it with its history."""
    torch.manual_seed(training.seed)
    network = VGG16(CLASSES, head="dense")
    add_batch_normalisation(network)
    history = train(network, *data.split(HELD_BACK, training.seed), training, folder / "checkpoint.pt", _say)
    fold_batch_normalisation(network)
    write_recogniser(folder / WEIGHTS, network, "MNIST")
    return network, history


def run_plain(data: Labelled, test: Labelled, training: Training, folder: Path) -> dict[str, Any]:
    """Train and measure the plain network that VGG16 is compared with."""
    torch.manual_seed(training.seed)
    network = plain_network(CLASSES, PLAIN_EDGE)
    history = train(network, *data.split(HELD_BACK, training.seed), training, folder / "plain.pt", _say)
    loss, accuracy = loss_and_accuracy(scores(network, test.pictures, PLAIN_EDGE), test.labels)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"accuracy": accuracy, "loss": loss, "parameters": parameters, "minutes": history["minutes"]}


def decoded_accuracy(network: nn.Module, test: Labelled, reduced: bool, folder: Path) -> list[dict[str, Any]]:
    """Return bytes, error and accuracy of the digits as they are and as each codec gives them back.

    The network runs in bfloat16, for originals and decoded digits alike. Points are kept in the folder as they are
    measured, for as long as the weights there stay the same.
    """
    weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    store = folder / "decoded.json"
    points: list[dict[str, Any]] = []
    if store.is_file() and (kept := json.loads(store.read_text()))["weights"] == weights:
        points = kept["points"]

    def add(codec: str, quality: int | None, pictures: Pixels, **figures: float) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, accuracy = loss_and_accuracy(scores(network, pictures, EDGE), test.labels)
        points.append({"codec": codec, "quality": quality, **figures, "accuracy": accuracy})
        store.write_text(json.dumps({"weights": weights, "points": points}))
        _say(str(points[-1]))

    if not points:
        add("original", None, test.pictures)
    for setting in settings(reduced):
        if not any((point["codec"], point["quality"]) == (setting.codec, setting.quality) for point in points):
            made = coded(test.pictures, setting)
            add(setting.codec, setting.quality, made.decoded, bytes_a_file=made.bytes_a_file, mse=made.mse)
    return points


def plot_curves(history: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Write loss and accuracy over epochs, training and validation."""
    figure, axes = _figure(2)
    for axis, kind in zip(axes, ("loss", "accuracy"), strict=True):
        for part, marker in (("train", "."), ("validation", "o")):
            points = history[part]
            axis.plot([p["epoch"] for p in points], [p[kind] for p in points], marker=marker, label=part)
        axis.set(xlabel="epoch", ylabel=kind, yscale="log" if kind == "loss" else "linear")
        axis.legend()
    axes[1].set_ylim(max(0.0, min(p["accuracy"] for p in history["train"][1:]) - 0.01), 1)
    _save(figure, path)


def plot_decoded(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Write accuracy over bytes, a line a codec."""
    figure, (axis,) = _figure(1)
    original = points[0]["accuracy"]
    axis.axhline(100 * original, color="grey", linewidth=1, label="originals")
    for codec in dict.fromkeys(point["codec"] for point in points[1:]):
        chosen = [point for point in points if point["codec"] == codec]
        axis.plot([p["bytes_a_file"] for p in chosen], [100 * p["accuracy"] for p in chosen], marker="o", label=codec)
    axis.set(xlabel="bytes a file, 28 x 28 digit", ylabel="accuracy, %", xscale="log")
    axis.legend()
    _save(figure, path)


def show_predictions(test: Labelled, predicted: np.ndarray[Any, Any], path: Path) -> None:
    """Write digits with what the network says of them: some that are right, then those that are wrong."""
    right, wrong = (np.flatnonzero((predicted == test.labels) == equal)[:24] for equal in (True, False))
    figure, axes = _figure(48, columns=12)
    for axis in axes:
        axis.axis("off")
    for axis, index in zip([*axes[: len(right)], *axes[24 : 24 + len(wrong)]], [*right, *wrong], strict=True):
        axis.imshow(test.pictures[index, ..., 0], cmap="gray")
        axis.set_title(f"{predicted[index]} ({test.labels[index]})", fontsize=8)
    _save(figure, path)


def _figure(count: int, columns: int = 2) -> tuple[Any, list[Any]]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows, columns = -(-count // columns), min(count, columns)
    size = (6.4, 4) if count == 1 else (10, 4)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    return figure, list(axes.flat)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
