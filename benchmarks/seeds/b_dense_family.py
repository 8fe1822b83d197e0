"""System B: the twelve dense autoencoders `LD{K}E{N}D{M}` on Fashion-MNIST, and what their codes take in real files.

    python benchmarks/seeds/b_dense_family.py                       # all twelve, from $NNCODEC_DATA
    python benchmarks/seeds/b_dense_family.py --only LD32E3D3
    python benchmarks/seeds/b_dense_family.py --quick               # seconds: drawn digits, two members, few epochs

Errors are mean squared errors of pixels in 0..1. "plain" is the network as the document has it, with codes that are not
rounded; "quantized" is what files hold. A part of the training file is held back to judge epochs and learning rates by;
test errors were seen beside. Every member's result is kept in the run folder, and a member in training goes on from its
checkpoint, so an interrupted run loses little.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from common import CURVES, RESULTS, RUNS, data_folder, drawn_digits, idx_pictures, install, write_results
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import nncodec
from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import to_tensor, with_file_precision
from nncodec.plugin.latents import Pixels
from nncodec.training.autoencoder import AutoencoderTask
from nncodec.training.data import ArraySampler
from nncodec.training.log import CsvLog
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec.training.losses import mse
from nncodec_dense.network import DenseConfig, build

HELD_BACK = 3000
"""Pictures at the end of the training file that no network is trained on."""
LEVELS = 64
BYTES_A_VALUE = 4
"""What the document counts for a value of the code: float32 in a NumPy array."""
PEER_QUALITIES = (0, 5, 10, 20, 40)

_MEASURE_BATCH = 2000


@dataclass(frozen=True)
class Printed:
    """What the source document gives for a member: epochs, mean squared errors, compression factor."""

    epochs: int
    train: float
    test: float
    factor: float


@dataclass(frozen=True)
class Training:
    """How a member is trained here; the learning rate falls by a cosine."""

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
    """Return how a member is trained."""
    if quick:
        return Training(epochs=10, learning_rate=1e-2, batch_size=32)
    if name in _OWN_TRAINING:
        return _OWN_TRAINING[name]
    depth = DenseConfig.named(name).decoder_layers
    return {1: Training(30, 2e-2), 2: Training(50, 5e-3), 3: Training(60, 5e-3, 128), 4: Training(60, 5e-3)}[depth]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="members, separated by commas; the others' kept results are not looked at")
    parser.add_argument("--epochs", type=int, help="instead of each member's own")
    parser.add_argument("--learning-rate", type=float, help="instead of each member's own")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, default=RUNS / "b", help="folder for checkpoints, models and kept results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON")
    parser.add_argument("--curves", type=Path, default=CURVES, help="folder for the plots")
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
    script, reduced = "python benchmarks/seeds/b_dense_family.py", " --quick" if options.quick else ""
    stem = "b_dense_family" + ("_quick" if options.quick else "")
    if options.only:
        stem, reduced = f"{stem}_part", f"{reduced} --only {options.only}"
    results = {
        "training_pictures": len(pictures) - held_back,
        "held_back_pictures": held_back,
        "test_pictures": len(test),
        "levels": LEVELS,
        "png_bytes": _png_bytes(test),
        "webp": _webp(test[:1000]),
        "members": rows,
    }
    write_results(options.results / f"{stem}.json", script + reduced, sum(row["minutes"] for row in rows), results)
    options.curves.mkdir(parents=True, exist_ok=True)
    _plot_errors(rows, options.curves / f"{stem}_errors.png")
    _plot_history(rows, options.curves / f"{stem}_training.png")
    _plot_rates(results, options.curves / f"{stem}_rates.png")


def _data(quick: bool) -> tuple[Pixels, Pixels]:
    if quick:
        return drawn_digits(640, 0)[0], drawn_digits(60, 1)[0]
    folder = data_folder("fashion-mnist")
    return idx_pictures(folder, "train"), idx_pictures(folder, "t10k")


class Held:
    """The error of held-back pictures after every epoch; see `nncodec.training.loop.Watcher`."""

    ended: ClassVar[bool] = False

    def __init__(self, network: Autoencoder, pixels: Tensor, steps: int) -> None:
        self._network = network
        self._pixels = pixels
        self._steps = steps
        self.errors: list[float] = []

    def after_step(self, step: int, progress: float) -> None:
        """Measure at the end of an epoch."""
        if step % self._steps == 0:
            self.errors.append(_error(self._network, self._pixels, quantized=True))

    def state_dict(self) -> dict[str, Any]:
        """Return what was measured."""
        return {"errors": self.errors}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what was measured."""
        self.errors = state["errors"]


def _member(
    name: str, training: Training, pictures: Pixels, held_back: int, test: Pixels, folder: Path
) -> dict[str, Any]:
    """Return a member's figures: those that are kept, if they were made so, or else new ones."""
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
    held = Held(network, to_tensor(pictures[len(pictures) - held_back :]), sampler.steps_per_epoch)
    steps = training.epochs * sampler.steps_per_epoch
    report = fit(
        AutoencoderTask(network, mse),
        sampler,
        Schedule(training.learning_rate, steps=steps, warmup_steps=min(200, steps // 5)),
        LoopOptions(checkpoint=folder / "checkpoint.pt", log=folder / "log.csv", log_steps=sampler.steps_per_epoch),
        watcher=held,
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
            "held_back": [round(error, 6) for error in held.errors],
        },
    }
    kept.write_text(json.dumps(row))
    return row


@torch.inference_mode()
def _error(network: Autoencoder, pixels: Tensor, *, quantized: bool) -> float:
    total = 0.0
    for part in pixels.split(_MEASURE_BATCH):
        total += mse(network(part, quantized=quantized), part).item() * len(part)
    return total / len(pixels)


def _files(model: str, pictures: Pixels) -> dict[str, float]:
    """Return what real files take and lose: one a picture, and all pictures in one."""
    images = [Image.fromarray(one[..., 0]) for one in pictures]
    files = nncodec.encode_batch(images, model)
    decoded = np.stack([np.asarray(image) for image in nncodec.decode_batch(files)])
    stacked = nncodec.encode(images, model)
    bytes_a_file = sum(map(len, files)) / len(files)
    return {
        "bytes_a_file": round(bytes_a_file, 2),
        "bytes_a_picture_stacked": round(len(stacked) / len(images), 3),
        "factor": round(_png_bytes(pictures) / bytes_a_file, 3),
        "factor_stacked": round(_png_bytes(pictures) * len(images) / len(stacked), 3),
        "mse": round(_pixel_error(decoded, pictures), 6),
    }


def _pixel_error(decoded: Pixels, pictures: Pixels) -> float:
    return float(np.square((decoded.astype(np.float64) - pictures[..., 0]) / 255).mean())


def _png_bytes(pictures: Pixels) -> float:
    """Return the mean size as PNG, as Pillow writes it."""
    return round(sum(len(_file(one, "PNG")) for one in pictures) / len(pictures), 2)


def _webp(pictures: Pixels) -> list[dict[str, float]]:
    """Return bytes and error of WebP, for the plot."""
    points = []
    for quality in PEER_QUALITIES:
        files = [_file(one, "WEBP", quality=quality, method=6) for one in pictures]
        decoded = np.stack([np.asarray(Image.open(io.BytesIO(data)).convert("L")) for data in files])
        size = sum(map(len, files)) / len(files)
        points.append({"quality": quality, "bytes_a_file": size, "mse": round(_pixel_error(decoded, pictures), 6)})
    return points


def _file(picture: Pixels, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0]).save(buffer, kind, **options)
    return buffer.getvalue()


def _line(row: Mapping[str, Any]) -> str:
    test, files = row["mse"]["test"], row["files"]
    return (
        f"{row['member']}: test {test['plain']:.5f} plain, {test['quantized']:.5f} quantized (document "
        f"{row['document']['test']:.4f}), held back {row['mse']['held_back']['plain']:.5f}, train "
        f"{row['mse']['train']['plain']:.5f}; {files['bytes_a_file']:.1f} bytes a file; {row['minutes']:.1f} minutes"
    )


def _plot_errors(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    axes = _axes(7.5, 4)
    places = np.arange(len(rows))
    axes.bar(places - 0.2, [row["document"]["test"] for row in rows], 0.4, label="source document", color="#b5b5b5")
    axes.bar(places + 0.2, [row["mse"]["test"]["plain"] for row in rows], 0.4, label="here, codes not rounded")
    axes.plot(places + 0.2, [row["mse"]["test"]["quantized"] for row in rows], "k_", label="here, real files")
    axes.set_xticks(places, [row["member"] for row in rows], rotation=60)
    axes.set(ylabel="test mean squared error")
    _save(axes, path)


def _plot_history(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    axes = _axes(7.5, 4.5)
    for number, row in enumerate(rows):
        history = row["history"]["held_back"]
        axes.plot(range(1, len(history) + 1), history, label=row["member"], color=f"C{number % 10}", linewidth=1.2)
    axes.set(xlabel="epoch", ylabel="held-back mean squared error", yscale="log")
    _save(axes, path)


def _plot_rates(results: Mapping[str, Any], path: Path) -> None:
    axes = _axes(6.2, 4.5)
    for label, size in (("one file a picture", "bytes_a_file"), ("all in one file", "bytes_a_picture_stacked")):
        points = [(row["files"][size], row["files"]["mse"]) for row in results["members"]]
        axes.plot(*zip(*points, strict=True), "o", label=label)
    counted = [
        (BYTES_A_VALUE * DenseConfig.named(row["member"]).latents, row["document"]["test"])
        for row in results["members"]
    ]
    axes.plot(*zip(*counted, strict=True), "kx", label="source document, 4 bytes a value")
    webp = [(point["bytes_a_file"], point["mse"]) for point in results["webp"]]
    axes.plot(*zip(*webp, strict=True), ".-", color="gray", label="WebP, method 6")
    axes.set(xlabel="bytes a picture", ylabel="mean squared error", yscale="log")
    _save(axes, path)


def _axes(width: float, height: float) -> Any:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def _save(axes: Any, path: Path) -> None:
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
