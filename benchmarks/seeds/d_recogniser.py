"""System D: the VGG16 digit recogniser, and its accuracy on digits after compression.

    python -m benchmarks.seeds.d_recogniser            # all of MNIST, from $NNCODEC_DATA; about 45 minutes on one core
    python -m benchmarks.seeds.d_recogniser --quick    # seconds: drawn digits, a few steps

VGG16 starts from random weights, since no ImageNet weights were available: digits resized to 32 x 32, grey on three
channels, batch normalisation during training, folded afterwards, one dense layer on the last 512 maps. A fifth of the
training set is held back for the validation curves. As in the document, a small plain network is trained for
comparison. The script resumes an interrupted run and leaves `vgg16_digits.safetensors` in its folder, whose features
system C uses in its perceptual loss. It reads the test set once, at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.measuring import plots
from benchmarks.measuring.data import idx_labels, idx_pictures
from benchmarks.seeds.class_report import class_report
from benchmarks.seeds.digit_codecs import digit_codecs
from benchmarks.seeds.recogniser import Labelled, Training, loss_and_accuracy, plain_network, scores, train
from benchmarks.seeds.shared import RECOGNISER, argument_parser, drawn_digits, write_results
from nncodec.nn.vgg16 import VGG16, add_batch_normalisation, fold_batch_normalisation, write_recogniser
from nncodec.plugin.latents import Pixels

DOCUMENT = {"epochs": 15, "batch_size": 200, "accuracy": 0.9934, "plain_accuracy": 0.9914, "plain_loss": 0.026}
"""The figures of the source document, which starts from ImageNet weights."""

EDGE, PLAIN_EDGE = 32, 28
CLASSES = 10
HELD_BACK = 0.2
WEIGHTS = RECOGNISER.name


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, write."""
    parser = argument_parser(__doc__, "d")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=int, default=5, help="of VGG16")
    length.add_argument("--minutes", type=float, help="of training VGG16, in place of epochs")
    options = parser.parse_args(arguments)
    epochs = None if options.minutes else options.epochs
    vgg16 = Training(EDGE, epochs=epochs, minutes=options.minutes)
    plain = Training(PLAIN_EDGE, epochs=5, learning_rate=0.02)
    if options.quick:
        data, test = (Labelled(*drawn_digits(count, seed)) for count, seed in ((160, 0), (40, 1)))
        vgg16 = Training(EDGE, epochs=1, batch_size=16, learning_rate=0.01)
        plain = Training(PLAIN_EDGE, epochs=12, batch_size=16, learning_rate=0.01)
    else:
        data, test = (Labelled(idx_pictures("mnist", part), idx_labels("mnist", part)) for part in ("train", "t10k"))
    plain_result = run_plain(data, test, plain, options.run)
    network, history = train_vgg16(data, vgg16, options.run)
    classes = scores(network, test.pictures, EDGE)
    loss, _ = loss_and_accuracy(classes, test.labels)
    predicted = classes.argmax(1).numpy()
    results: dict[str, Any] = {
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
    minutes = history["minutes"] + plain_result["minutes"]
    shown = ["--quick"] if options.quick else []
    write_results(options.results / f"{stem}.json", "d_recogniser", shown, minutes, results)
    plot_curves(results["history"], options.curves / f"{stem}.png")
    plot_decoded(results["decoded"], options.curves / f"{stem}_decoded.png")
    show_predictions(test, predicted, options.run / "predictions.png", columns=3 if options.quick else 12)
    print(f"test accuracy {results['test']['accuracy']:.4%}, loss {loss:.4f}; plain {plain_result['accuracy']:.4%}")


def train_vgg16(data: Labelled, training: Training, folder: Path) -> tuple[VGG16, dict[str, Any]]:
    """Train VGG16 with batch normalisation, fold it, write its weights to the folder; return it with its history."""
    torch.manual_seed(training.seed)
    network = VGG16(CLASSES, head="dense")
    add_batch_normalisation(network)
    history = train(network, *data.split(HELD_BACK, training.seed), training, folder / "checkpoint.pt", _say)
    fold_batch_normalisation(network)
    write_recogniser(folder / WEIGHTS, network, "MNIST")
    return network, history


def run_plain(data: Labelled, test: Labelled, training: Training, folder: Path) -> dict[str, Any]:
    """Train and measure the plain network for comparison."""
    torch.manual_seed(training.seed)
    network = plain_network(CLASSES, PLAIN_EDGE)
    history = train(network, *data.split(HELD_BACK, training.seed), training, folder / "plain.pt", _say)
    loss, accuracy = loss_and_accuracy(scores(network, test.pictures, PLAIN_EDGE), test.labels)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"accuracy": accuracy, "loss": loss, "parameters": parameters, "minutes": history["minutes"]}


def decoded_accuracy(network: nn.Module, test: Labelled, quick: bool, folder: Path) -> list[dict[str, Any]]:
    """Return bytes, error and accuracy of the original digits and of those that each codec returns.

    The network runs in bfloat16, for originals and decoded digits. Points stay in the folder while its weights stay the
    same, so an interrupted run keeps them.
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
    known = {(point["codec"], point["quality"]) for point in points}
    for codec in digit_codecs(quick):
        if (codec.name, codec.quality) not in known:
            coded = codec.code(test.pictures)
            add(codec.name, codec.quality, coded.decoded, bytes_a_file=coded.bytes_a_picture, mse=coded.mse)
    return points


def plot_curves(history: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Write loss and accuracy over epochs, training and validation."""
    figure, panels = plots.panels(1, 2, 5, 4)
    for axes, kind in zip(panels[0], ("loss", "accuracy"), strict=True):
        for part, marker in (("train", "."), ("validation", "o")):
            points = history[part]
            axes.plot([p["epoch"] for p in points], [p[kind] for p in points], marker=marker, label=part)
        axes.set(xlabel="epoch", ylabel=kind, yscale="log" if kind == "loss" else "linear")
    panels[0][1].set_ylim(max(0.0, min(p["accuracy"] for p in history["train"][1:]) - 0.01), 1)
    plots.save(figure, path)


def plot_decoded(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Write accuracy over bytes, a line for each codec."""
    figure, ((axes,),) = plots.panels(1, 1, 6.4, 4)
    axes.axhline(100 * points[0]["accuracy"], color="grey", linewidth=1, label="originals")
    for codec in dict.fromkeys(point["codec"] for point in points[1:]):
        chosen = [point for point in points if point["codec"] == codec]
        axes.plot([p["bytes_a_file"] for p in chosen], [100 * p["accuracy"] for p in chosen], marker="o", label=codec)
    axes.set(xlabel="bytes a file, 28 x 28 digit", ylabel="accuracy, %", xscale="log")
    plots.save(figure, path)


def show_predictions(test: Labelled, predicted: NDArray[np.int64], path: Path, columns: int) -> None:
    """Write digits with their predictions: two rows of right ones, then two rows of wrong ones."""
    right, wrong = (np.flatnonzero((predicted == test.labels) == equal)[: 2 * columns] for equal in (True, False))
    figure, panels = plots.panels(4, columns, 10 / 12, 1)
    for axes in panels.flat:
        axes.axis("off")
    places = [*panels[:2].flat][: len(right)] + [*panels[2:].flat][: len(wrong)]
    for axes, index in zip(places, [*right, *wrong], strict=True):
        axes.imshow(test.pictures[index, ..., 0], cmap="gray")
        axes.set_title(f"{predicted[index]} ({test.labels[index]})", fontsize=8)
    plots.save(figure, path)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
