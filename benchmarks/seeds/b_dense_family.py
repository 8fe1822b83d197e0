"""System B: the twelve dense autoencoders `LD{K}E{N}D{M}` on Fashion-MNIST, and the bytes of their codes in real files.

    python -m benchmarks.seeds.b_dense_family                       # all twelve, from $NNCODEC_DATA
    python -m benchmarks.seeds.b_dense_family --only LD32E3D3
    python -m benchmarks.seeds.b_dense_family --quick               # seconds: drawn digits, two members, few epochs

Errors are mean squared errors of pixels in 0..1. "plain" is the document's network, whose codes are not rounded;
"quantized" is what files hold. Epochs and learning rates were chosen on a held-back part of the training file, with
test errors in view. The run folder keeps every member's result and checkpoint, so an interrupted run loses little.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.data import idx_pictures
from benchmarks.measuring.models import install
from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.small_sets import by_model, by_pillow, stacked
from benchmarks.seeds.dense_plots import plot_errors, plot_history, plot_rates
from benchmarks.seeds.epochs import EpochValues
from benchmarks.seeds.shared import argument_parser, drawn_digits, write_results
from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import to_tensor, with_file_precision
from nncodec.plugin.latents import Pixels
from nncodec.training.log import CsvLog
from nncodec.training.loop import fit
from nncodec.training.losses import mse
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import AutoencoderTask
from nncodec_dense.config import DenseConfig
from nncodec_dense.network import build

HELD_BACK = 3000
"""Pictures at the end of the training file that no network trains on."""
LEVELS = 64
BYTES_A_VALUE = 4
"""The document's count for a value of the code: float32 in a NumPy array."""
PNG = PillowCodec("PNG", "PNG", {})
WEBP = PillowCodec("WebP", "WEBP", {"method": 6})
WEBP_QUALITIES = (0, 5, 10, 20, 40)

_MEASURE_BATCH = 2000
_WEBP_PICTURES = 1000


@dataclass(frozen=True)
class Printed:
    """The source document's figures for a member: epochs, mean squared errors, compression factor."""

    epochs: int
    train: float
    test: float
    factor: float


@dataclass(frozen=True)
class Training:
    """How to train a member here; the learning rate falls along a cosine."""

    epochs: int
    learning_rate: float
    batch_size: int = 256


DOCUMENT = {
    "LD16E1D1": Printed(10, 0.0172, 0.0172, 9.15),
    "LD16E2D2": Printed(50, 0.0106, 0.0111, 9.15),
    "LD16E3D3": Printed(100, 0.0100, 0.0106, 9.15),
    "LD16E4D4": Printed(120, 0.0112, 0.0124, 9.15),
    "LD32E1D1": Printed(10, 0.0124, 0.0126, 4.57),  # the test error is printed as 0.126
    "LD32E2D2": Printed(55, 0.0082, 0.0086, 4.57),
    "LD32E3D3": Printed(70, 0.0072, 0.0077, 4.57),
    "LD32E4D4": Printed(95, 0.0086, 0.0093, 4.57),
    "LD64E1D1": Printed(15, 0.0087, 0.0088, 2.28),
    "LD64E2D2": Printed(60, 0.0059, 0.0063, 2.28),
    "LD64E3D3": Printed(100, 0.0058, 0.0064, 2.28),
    "LD64E4D4": Printed(210, 0.0075, 0.0084, 2.28),
}
_OWN_TRAINING = {
    "LD32E3D3": Training(260, 3e-3, 128),
    "LD64E2D2": Training(120, 5e-3),
    "LD64E3D3": Training(160, 3e-3, 128),
}
"""The document's best members of their size, which take longest to match."""
QUICK = ("LD16E1D1", "LD32E1D1")


def training_of(name: str, quick: bool = False) -> Training:
    """Return how to train a member."""
    if quick:
        return Training(epochs=10, learning_rate=1e-2, batch_size=32)
    if name in _OWN_TRAINING:
        return _OWN_TRAINING[name]
    depth = DenseConfig.named(name).decoder_layers
    return {1: Training(30, 2e-2), 2: Training(50, 5e-3), 3: Training(60, 5e-3, 128), 4: Training(60, 5e-3)}[depth]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, measure, write."""
    parser = argument_parser(__doc__, "b")
    parser.add_argument("--only", help="members, separated by commas; the record holds only these")
    parser.add_argument("--epochs", type=int, help="instead of each member's own")
    parser.add_argument("--learning-rate", type=float, help="instead of each member's own")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else QUICK if options.quick else tuple(DOCUMENT)
    if unknown := set(names) - set(DOCUMENT):
        parser.error(f"there is no member {min(unknown)!r}; choose from {', '.join(DOCUMENT)}")
    pictures, test = _data(options.quick)
    held_back = len(pictures) // 10 if options.quick else HELD_BACK
    rows = []
    for name in names:
        chosen = training_of(name, options.quick)
        rate = options.learning_rate or chosen.learning_rate
        training = Training(options.epochs or chosen.epochs, rate, chosen.batch_size)
        rows.append(_member(name, training, pictures, held_back, test, options.run / name))
        print(_line(rows[-1]), flush=True)
    stem = "b_dense_family" + ("_quick" if options.quick else "") + ("_part" if options.only else "")
    shown = [*(["--quick"] if options.quick else []), *(["--only", options.only] if options.only else [])]
    results = {
        "training_pictures": len(pictures) - held_back,
        "held_back_pictures": held_back,
        "test_pictures": len(test),
        "levels": LEVELS,
        "png_bytes": _png_bytes(test),
        "webp": _webp(test[:_WEBP_PICTURES]),
        "members": rows,
    }
    minutes = sum(row["minutes"] for row in rows)
    write_results(options.results / f"{stem}.json", "b_dense_family", shown, minutes, results)
    plot_errors(rows, options.curves / f"{stem}_errors.png")
    plot_history(rows, options.curves / f"{stem}_training.png")
    plot_rates(results, BYTES_A_VALUE, options.curves / f"{stem}_rates.png")


def _data(quick: bool) -> tuple[Pixels, Pixels]:
    if quick:
        return drawn_digits(640, 0)[0], drawn_digits(60, 1)[0]
    return idx_pictures("fashion-mnist", "train"), idx_pictures("fashion-mnist", "t10k")


def _member(
    name: str, training: Training, pictures: Pixels, held_back: int, test: Pixels, folder: Path
) -> dict[str, Any]:
    """Return a member's figures, from the run folder if it holds those of the same training."""
    kept = folder / "result.json"
    if kept.exists():
        row: dict[str, Any] = json.loads(kept.read_text())
        if row["training"] == asdict(training):
            return row
    folder = folder / "-".join(f"{value:g}" for value in asdict(training).values())
    torch.manual_seed(0)
    config = DenseConfig.named(name, levels=LEVELS)
    network = build(config)
    trained = pictures[: len(pictures) - held_back]
    sampler = ArraySampler(trained, training.batch_size, seed=1)
    validation = to_tensor(pictures[len(pictures) - held_back :])
    errors = EpochValues(sampler.steps_per_epoch, lambda: _error(network, validation, quantized=True))
    steps = training.epochs * sampler.steps_per_epoch
    report = fit(
        AutoencoderTask(network, mse),
        sampler,
        Schedule(training.learning_rate, steps=steps, warmup_steps=min(200, steps // 5)),
        LoopOptions(checkpoint=folder / "checkpoint.pt", log=folder / "log.csv", log_steps=sampler.steps_per_epoch),
        validator=errors,
    )
    with_file_precision(network).eval()
    model = f"seed/{name.lower()}"
    install(folder.parents[1] / "models", "dense", config.as_dict(), model, network)
    sets = {"train": trained, "held_back": pictures[len(pictures) - held_back :], "test": test}
    row = {
        "member": name,
        "document": asdict(DOCUMENT[name]),
        "training": asdict(training),
        "minutes": round(report.elapsed_s / 60, 2),
        "mse": {
            key: {
                kind: round(_error(network, to_tensor(values), quantized=kind == "quantized"), 6)
                for kind in ("plain", "quantized")
            }
            for key, values in sets.items()
        },
        "factor": round(_png_bytes(test) / (BYTES_A_VALUE * config.latents), 3),
        "files": _files(model, test),
        "history": {
            "train": [round(float(line["distortion"]), 6) for line in CsvLog(folder / "log.csv").rows()],
            "held_back": [round(error, 6) for error in errors.values],
        },
    }
    kept.write_text(json.dumps(row))
    return row


@torch.inference_mode()
def _error(network: Autoencoder, pixels: Tensor, *, quantized: bool) -> float:
    total = 0.0
    for part in torch.split(pixels, _MEASURE_BATCH):
        total += mse(network(part, quantized=quantized), part).item() * len(part)
    return total / len(pixels)


def _files(model: str, pictures: Pixels) -> dict[str, float]:
    """Return bytes and error of real files: one for each picture, and one for all."""
    each, together, png_bytes = by_model(pictures, model), stacked(pictures, model), _png_bytes(pictures)
    return {
        "bytes_a_file": round(each.bytes_a_picture, 2),
        "bytes_a_picture_stacked": round(together.bytes_a_picture, 3),
        "factor": round(png_bytes / each.bytes_a_picture, 3),
        "factor_stacked": round(png_bytes / together.bytes_a_picture, 3),
        "mse": round(each.mse, 6),
    }


def _png_bytes(pictures: Pixels) -> float:
    """Return the mean size as PNG, as Pillow writes it."""
    return round(by_pillow(pictures, PNG).bytes_a_picture, 2)


def _webp(pictures: Pixels) -> list[dict[str, float]]:
    """Return bytes and error of WebP, for the plot."""
    points = {quality: by_pillow(pictures, WEBP.at(quality)) for quality in WEBP_QUALITIES}
    return [
        {"quality": quality, "bytes_a_file": coded.bytes_a_picture, "mse": round(coded.mse, 6)}
        for quality, coded in points.items()
    ]


def _line(row: Mapping[str, Any]) -> str:
    test, files = row["mse"]["test"], row["files"]
    return (
        f"{row['member']}: test {test['plain']:.5f} plain, {test['quantized']:.5f} quantized (document "
        f"{row['document']['test']:.4f}), held back {row['mse']['held_back']['plain']:.5f}, train "
        f"{row['mse']['train']['plain']:.5f}; {files['bytes_a_file']:.1f} bytes a file; {row['minutes']:.1f} minutes"
    )


if __name__ == "__main__":
    main()
