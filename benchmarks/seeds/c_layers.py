"""System C: autoencoders of 3, 5, 7 and 10 layers with the hybrid loss, against JPEG matched by SSIM.

    python benchmarks/seeds/c_layers.py                    # photographs of $NNCODEC_DATA
    python benchmarks/seeds/c_layers.py --only 3,5
    python benchmarks/seeds/c_layers.py --quick            # seconds: photographs of scikit-image, few steps

The test set are 1,000 colour crops of 128 x 128 from a tenth of the training photographs that is held out by a hash of
the file name; nothing else sees these. Rate weights and shapes were chosen on crops of another twentieth. SSIM is
`nncodec.metrics.ssim`, the mean over the R, G and B planes; ratios are 49,152 bytes of samples over those of the real
file. Every codec uses one quality for the whole set: the lowest whose mean SSIM is at least the autoencoder's.

The perceptual part of the loss compares VGG16's first two blocks on an eighth of each batch. Its weights are those of
`--features`, else those that `d_recogniser.py` has left; without any the part is left out, and the results say so.
Training goes on from its checkpoints, and finished measurements are kept in the run folder.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from common import CURVES, RESULTS, RUNS, data_folder, install, write_results
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import nncodec
from nncodec import metrics
from nncodec.compare import open_codec
from nncodec.nn.tensors import with_file_precision
from nncodec.nn.vgg16 import read_features
from nncodec.plugin.latents import Pixels
from nncodec.training.autoencoder import AutoencoderTask
from nncodec.training.data import CropSampler, list_pictures, load_pictures, split_by_name
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec.training.losses import Loss, PerceptualLoss, dissimilarity, mse
from nncodec.training.losses.perceptual import OWN_WEIGHTS
from nncodec_conv.networks import StackConfig, build_stack
from nncodec_conv.starting import start_stack

EDGE = 128
RAW_BYTES = 3 * EDGE**2
TEST_SHARE, CHOICE_SHARE = 0.10, 0.15
"""Photographs below the first share of hashes are the test set, those up to the second served for choices."""
TEST_CROPS = 1000
JPEG_POINTS = (95, 75, 20, 13)
"""The JPEG qualities of the document's table."""


@dataclass(frozen=True)
class Printed:
    """What the source document gives for a number of layers: its autoencoder, and JPEG at about that SSIM."""

    psnr_db: float
    ssim: float
    ratio: float
    seconds: float
    jpeg_ssim: float
    jpeg_ratio: float
    jpeg_seconds: float


@dataclass(frozen=True)
class Training:
    """How a stack is built and trained; `rate` is the weight of bits a pixel beside the loss."""

    width: int
    codes: int
    rate: float
    steps: int
    learning_rate: float
    levels: int = 256
    batch_size: int = 8
    crop: int = 64


DOCUMENT = {
    3: Printed(27.09, 0.9738, 1.11, 1.46, 0.9742, 4.58, 0.02),
    5: Printed(25.78, 0.9392, 1.18, 1.67, 0.9405, 12.03, 0.01),
    7: Printed(23.70, 0.8528, 1.37, 1.62, 0.8559, 32.25, 0.02),
    10: Printed(22.61, 0.8062, 1.51, 1.58, 0.8147, 40.82, 0.01),
}
TRAINING = {
    3: Training(width=96, codes=48, rate=0.004, steps=5000, learning_rate=1e-4),
    5: Training(width=224, codes=112, rate=0.004, steps=3000, learning_rate=8e-5),
    7: Training(width=128, codes=64, rate=0.01, steps=4000, learning_rate=1e-4),
    10: Training(width=320, codes=160, rate=0.005, steps=2000, learning_rate=6e-5),
}
HYBRID = {"ssim": 0.5, "perceptual": 0.1, "mse": 0.4}
"""Weights a, b, c of the document, which does not give them."""

_PERCEPTUAL_LAYERS = ("relu1_2", "relu2_2")
_PERCEPTUAL_SHARE = 8  # one in so many crops of a batch
_TIMED = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="3,5,7,10", help="numbers of layers, separated by commas")
    parser.add_argument("--steps", type=int, help="instead of each model's own")
    parser.add_argument("--rate", type=float, help="weight of bits a pixel, instead of each model's own")
    parser.add_argument("--features", type=Path, help="file of VGG16 weights for the perceptual part")
    parser.add_argument("--choose", action="store_true", help="measure on the crops for choices, not on the test set")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, default=RUNS / "c", help="folder for checkpoints and models")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON")
    parser.add_argument("--curves", type=Path, default=CURVES, help="folder for the plots")
    options = parser.parse_args(arguments)
    if unknown := set(options.only.split(",")) - set(map(str, TRAINING)):
        parser.error(f"there is no model of {min(unknown)!r} layers; choose from {', '.join(map(str, TRAINING))}")
    layers = [int(text) for text in options.only.split(",")]
    training, choice, test = _photographs(options.quick)
    wanted = 6 if options.quick else TEST_CROPS // 10 if options.choose else TEST_CROPS
    crops = test_crops(choice if options.choose else test, wanted)
    loss, note = hybrid(options.features, options.quick)
    began = time.monotonic()
    trained = {}
    for count in layers:
        settings = _settings(TRAINING[count], options)
        trained[count] = train(count, settings, training, loss, options.run)
    if options.choose:
        for count in layers:
            print(count, _figures(measure(_coder(trained[count]["name"]), 0, crops)))
        return
    searches = {name: Search(_coder(name), crops) for name in ("jpeg", "photo")}
    rows = [row_of(count, trained[count], crops, searches) for count in layers]
    points = [_point(quality, searches) for quality in ((75, 13) if options.quick else JPEG_POINTS)]
    stem = "c_layers" + ("_quick" if options.quick else "")
    if len(layers) < len(TRAINING):
        stem += "_part"
    command = "python benchmarks/seeds/c_layers.py" + (" --quick" if options.quick else "")
    minutes = sum(one["minutes"] for one in trained.values()) + (time.monotonic() - began) / 60
    results = {
        "crops": len(crops),
        "test_photographs": len(test),
        "training_photographs": len(training),
        "loss": {"weights": HYBRID, "perceptual": note},
        "models": [{key: value for key, value in row.items() if key != "pictures"} for row in rows],
        "jpeg_points": points,
    }
    write_results(options.results / f"{stem}.json", command, minutes, results)
    options.curves.mkdir(parents=True, exist_ok=True)
    _plot_means(rows, options.curves / f"{stem}_means.png")
    _plot_pictures(rows, options.curves / f"{stem}_pictures.png")


# --- data -----------------------------------------------------------------------------------------------------------


def _photographs(quick: bool) -> tuple[list[Pixels], list[Pixels], list[Pixels]]:
    """Return photographs to train on, those for choices, and those held out for the test."""
    if quick:
        folder = Path(skimage.data.__file__).parent
        read = load_pictures([folder / name for name in ("astronaut.png", "coffee.png", "chelsea.png")])
        return [one[:256, :256] for one in read[:2]], read[1:2], read[2:]
    rest, test = split_by_name(list_pictures(data_folder("photos")), TEST_SHARE)
    training, choice = split_by_name(rest, CHOICE_SHARE)
    return load_pictures(training), load_pictures(choice), load_pictures(test)


def test_crops(photographs: Sequence[Pixels], count: int) -> list[Pixels]:
    """Return crops at places that depend on nothing but their number, as many from every photograph."""
    crops = []
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        rng = np.random.default_rng(number)
        top, left = (int(rng.integers(size - EDGE + 1)) for size in photograph.shape[:2])
        crops.append(photograph[top : top + EDGE, left : left + EDGE])
    return crops


# --- training -------------------------------------------------------------------------------------------------------


def hybrid(features: Path | None, quick: bool) -> tuple[Loss, str]:
    """Return the document's loss, and what is to be said of its perceptual part."""
    path = features or (OWN_WEIGHTS if OWN_WEIGHTS.is_file() and not quick else None)
    if path is None:
        share = HYBRID["ssim"] + HYBRID["mse"]
        weights = {name: HYBRID[name] / share for name in ("ssim", "mse")}
        return _weighted(weights, None), "left out: there were no VGG16 weights"
    network, trained_on = read_features(path)
    perceptual = PerceptualLoss(network, _PERCEPTUAL_LAYERS)
    return _weighted(HYBRID, perceptual), f"VGG16 features of {trained_on or path.name}"


def _weighted(weights: Mapping[str, float], perceptual: PerceptualLoss | None) -> Loss:
    def loss(restored: Tensor, original: Tensor) -> Tensor:
        total = weights["ssim"] * dissimilarity(restored, original) + weights["mse"] * mse(restored, original)
        if perceptual is not None:
            some = max(1, len(original) // _PERCEPTUAL_SHARE)
            total = total + weights["perceptual"] * perceptual(restored[:some], original[:some])
        return total

    return loss


def _settings(settings: Training, options: argparse.Namespace) -> Training:
    changes = {"steps": options.steps, "rate": options.rate}
    if options.quick:
        changes |= {"width": 24, "codes": 12, "batch_size": 4, "steps": options.steps or 60, "learning_rate": 1e-3}
    return Training(**(asdict(settings) | {key: value for key, value in changes.items() if value is not None}))


def train(layers: int, settings: Training, pictures: Sequence[Pixels], loss: Loss, run: Path) -> dict[str, Any]:
    """Train a stack, or go on with it, install it, and return its name and what it took."""
    folder = run / f"{layers}-{settings.rate:g}-{settings.width}-{settings.codes}-{settings.levels}-{settings.steps}"
    torch.manual_seed(0)
    config = StackConfig(layers, settings.width, settings.codes, settings.levels)
    network = build_stack(config)
    start_stack(network, config)
    sampler = CropSampler(pictures, settings.batch_size, settings.crop, seed=layers)

    def tell(step: int, progress: float, figures: Mapping[str, float]) -> None:
        print(f"{layers} layers {step:6d} " + " ".join(f"{k} {v:.4f}" for k, v in figures.items()), flush=True)

    report = fit(
        AutoencoderTask(network, loss, rate=settings.rate),
        sampler,
        Schedule(settings.learning_rate, steps=settings.steps, warmup_steps=min(300, settings.steps // 4)),
        LoopOptions(
            checkpoint=folder / "checkpoint.pt",
            checkpoint_minutes=1,
            log=folder / "log.csv",
            log_steps=min(200, settings.steps // 2),
        ),
        on_progress=tell,
    )
    with_file_precision(network)
    name = f"seed/layers{layers}"
    install(run / "models", "conv-stack", config.as_dict(), name, network)
    figures = {key: round(value, 5) for key, value in report.figures.items()}
    return {
        "name": name,
        "minutes": report.elapsed_s / 60,
        "training": {**asdict(settings), "stride": config.stride, "last_figures": figures},
    }


# --- measuring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coder:
    """A codec over a whole set, every picture in a file of its own.

    Args:
        encode: pictures and quality to files.
        decode: files to pictures.
        qualities: what there is, worst first.
    """

    encode: Callable[[Sequence[Image.Image], int], list[bytes]]
    decode: Callable[[Sequence[bytes]], list[Image.Image]]
    qualities: range


def _coder(name: str) -> Coder:
    codec = open_codec(name)
    if codec.info.learned:
        return Coder(
            lambda images, quality: list(nncodec.encode_batch(images, name, quality)),
            lambda files: list(nncodec.decode_batch(files)),
            codec.qualities,
        )
    return Coder(
        lambda images, quality: [codec.encode(image, quality) for image in images],
        lambda files: [codec.decode(data).convert("RGB") for data in files],
        codec.qualities,
    )


@dataclass(frozen=True)
class Measured:
    """What a codec made of every picture at one quality."""

    quality: int
    psnr_db: list[float]
    ssim: list[float]
    ratio: list[float]
    bytes: list[int]

    @property
    def mean_ssim(self) -> float:
        """Mean over pictures."""
        return statistics.fmean(self.ssim)


def measure(coder: Coder, quality: int, crops: Sequence[Pixels]) -> Measured:
    """Encode and decode every crop."""
    images = [_image(crop) for crop in crops]
    files = coder.encode(images, quality)
    decoded = coder.decode(files)
    return Measured(
        quality,
        [metrics.psnr(before, after) for before, after in zip(images, decoded, strict=True)],
        [metrics.ssim(before, after) for before, after in zip(images, decoded, strict=True)],
        [RAW_BYTES / len(data) for data in files],
        [len(data) for data in files],
    )


def seconds_a_picture(coder: Coder, quality: int, crops: Sequence[Pixels]) -> float:
    """Return the median time to encode and decode a crop, one by one, after one that is not counted."""
    taken = []
    for crop in [crops[0], *crops[:_TIMED]]:
        image = _image(crop)
        start = time.perf_counter()
        coder.decode(coder.encode([image], quality))
        taken.append(time.perf_counter() - start)
    return round(statistics.median(taken[1:]), 5)


def _image(crop: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(crop))


class Search:
    """Looks for qualities of a codec over a set of crops; what it has measured once it knows.

    Args:
        coder: the codec.
        crops: the set.
    """

    def __init__(self, coder: Coder, crops: Sequence[Pixels]) -> None:
        self.coder = coder
        self._crops = crops
        self._known: dict[int, Measured] = {}

    def at(self, quality: int) -> Measured:
        """Return the set at a quality."""
        if quality not in self._known:
            self._known[quality] = measure(self.coder, quality, self._crops)
        return self._known[quality]

    def at_least(self, ssim: float) -> Measured | None:
        """Return the set at the lowest quality whose mean SSIM is at least so much; None where even the best is not."""
        qualities = self.coder.qualities
        low, high = 0, len(qualities) - 1
        best: Measured | None = None
        while low <= high:
            middle = (low + high) // 2
            found = self.at(qualities[middle])
            if found.mean_ssim >= ssim:
                best, high = found, middle - 1
            else:
                low = middle + 1
        return best


def row_of(
    layers: int, trained: Mapping[str, Any], crops: Sequence[Pixels], searches: Mapping[str, Search]
) -> dict[str, Any]:
    """Return an autoencoder's figures beside those of the other codecs at its SSIM, and of the document."""
    coder = _coder(trained["name"])
    own = measure(coder, 0, crops)
    matched = {name: search.at_least(own.mean_ssim) for name, search in searches.items()}
    row = {
        "layers": layers,
        "document": asdict(DOCUMENT[layers]),
        "training": {**trained["training"], "minutes": round(trained["minutes"], 1)},
        "autoencoder": _timed(own, coder, crops),
        **{name: _timed(found, searches[name].coder, crops) if found else None for name, found in matched.items()},
        "pictures": {"autoencoder": own, **{name: found for name, found in matched.items() if found}},
    }
    print(json.dumps({key: row[key] for key in ("layers", "autoencoder", *searches)}), flush=True)
    return row


def _point(quality: int, searches: Mapping[str, Search]) -> dict[str, Any]:
    """Return JPEG at one of the document's qualities, and the project's codec at the SSIM that it has there."""
    jpeg = searches["jpeg"].at(quality)
    photo = searches["photo"].at_least(jpeg.mean_ssim)
    point = {"jpeg": _figures(jpeg), "photo": _figures(photo) if photo else None}
    print(json.dumps(point), flush=True)
    return point


def _figures(found: Measured) -> dict[str, float]:
    return {
        "quality": found.quality,
        "psnr_db": round(statistics.fmean(found.psnr_db), 3),
        "ssim": round(found.mean_ssim, 5),
        "ratio": round(statistics.fmean(found.ratio), 3),
        "ratio_of_all_bytes": round(RAW_BYTES * len(found.bytes) / sum(found.bytes), 3),
        "bytes_a_file": round(statistics.fmean(found.bytes), 1),
    }


def _timed(found: Measured, coder: Coder, crops: Sequence[Pixels]) -> dict[str, float]:
    return _figures(found) | {"seconds_a_picture": seconds_a_picture(coder, found.quality, crops)}


# --- plots ----------------------------------------------------------------------------------------------------------

_SHOWN = {"psnr_db": "PSNR, dB", "ssim": "SSIM", "ratio": "compression ratio"}
_COLOURS = {"autoencoder": "C0", "jpeg": "C1", "photo": "C2"}


def _plot_means(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    figure, panels = _panels(1, len(_SHOWN))
    for axes, (key, label) in zip(panels[0], _SHOWN.items(), strict=True):
        for codec, colour in _COLOURS.items():
            points = [(row["layers"], row[codec][key]) for row in rows if row[codec]]
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=codec)
        printed = [(row["layers"], row["document"][key]) for row in rows]
        axes.plot(*zip(*printed, strict=True), "kx:", label="source document")
        axes.set(xlabel="layers", ylabel=label, xticks=[row["layers"] for row in rows])
        if key == "ratio":
            axes.set_yscale("log")
    _save(figure, panels, path)


def _plot_pictures(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    figure, panels = _panels(len(rows), len(_SHOWN))
    for line, row in zip(panels, rows, strict=True):
        for axes, (key, label) in zip(line, _SHOWN.items(), strict=True):
            for codec in ("jpeg", "autoencoder"):
                found = row["pictures"].get(codec)
                if found:
                    axes.plot(getattr(found, key), color=_COLOURS[codec], label=codec, linewidth=0.5)
            axes.set(xlabel="picture number", ylabel=label, title=f"{row['layers']} layers")
            if key == "ratio":
                axes.set_yscale("log")
    _save(figure, panels, path)


def _panels(rows: int, columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(4.4 * columns, 3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure: Figure, panels: Any, path: Path) -> None:
    for axes in panels.ravel():
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
