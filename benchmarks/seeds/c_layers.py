"""System C: autoencoders of 3, 5, 7 and 10 layers with the hybrid loss, against JPEG at equal SSIM.

    python -m benchmarks.seeds.c_layers                    # photographs of $NNCODEC_DATA
    python -m benchmarks.seeds.c_layers --only 3,5
    python -m benchmarks.seeds.c_layers --quick            # seconds: photographs of scikit-image, few steps

The test set has 1,000 colour crops of 128 x 128 from a tenth of the photographs, chosen by a hash of the file name and
used for nothing else. Rate weights and shapes were chosen on crops of another twentieth. SSIM is that of
`nncodec.metrics.ssim`, the mean over the R, G and B planes; ratios are 49,152 bytes of samples over those of the real
file. Every codec uses one quality for the whole set: the lowest whose mean SSIM is at least the autoencoder's.

The perceptual part of the loss compares VGG16's first two blocks on an eighth of each batch. Its weights come from
`--features`, or else from a full run of system D; without any the part is left out, and the record says so. The script
resumes interrupted trainings from their checkpoints.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.data import open_rgb, scikit_image, split_photographs
from benchmarks.seeds.layers_measuring import EDGE, Measured, Search, measure, seconds_a_picture
from benchmarks.seeds.layers_plots import plot_means, plot_pictures
from benchmarks.seeds.layers_training import HYBRID, TRAINING, Training, hybrid, train
from benchmarks.seeds.shared import RECOGNISER, argument_parser, write_results
from nncodec.compare import Codec, open_codec
from nncodec.plugin.latents import Pixels
from nncodec.training.data import load_pictures, split_by_name

TEST_SHARE, CHOICE_SHARE = 0.10, 0.15
"""Photographs with hashes below the first share are the test set; those below the second served for choices."""
TEST_CROPS = 1000
JPEG_POINTS = (95, 75, 20, 13)
"""The JPEG qualities of the document's table."""


@dataclass(frozen=True)
class Printed:
    """The source document's figures for a number of layers: its autoencoder, and JPEG at about that SSIM."""

    psnr_db: float
    ssim: float
    ratio: float
    seconds: float
    jpeg_ssim: float
    jpeg_ratio: float
    jpeg_seconds: float


DOCUMENT = {
    3: Printed(27.09, 0.9738, 1.11, 1.46, 0.9742, 4.58, 0.02),
    5: Printed(25.78, 0.9392, 1.18, 1.67, 0.9405, 12.03, 0.01),
    7: Printed(23.70, 0.8528, 1.37, 1.62, 0.8559, 32.25, 0.02),
    10: Printed(22.61, 0.8062, 1.51, 1.58, 0.8147, 40.82, 0.01),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, measure, write."""
    parser = argument_parser(__doc__, "c")
    parser.add_argument("--only", default="3,5,7,10", help="numbers of layers, separated by commas")
    parser.add_argument("--steps", type=int, help="instead of each model's own")
    parser.add_argument("--rate", type=float, help="weight of bits per pixel, instead of each model's own")
    parser.add_argument("--features", type=Path, help="file of VGG16 weights for the perceptual part")
    parser.add_argument("--choose", action="store_true", help="measure on the crops for choices, not on the test set")
    options = parser.parse_args(arguments)
    if unknown := set(options.only.split(",")) - set(map(str, TRAINING)):
        parser.error(f"there is no model of {min(unknown)!r} layers; choose from {', '.join(map(str, TRAINING))}")
    layers = [int(text) for text in options.only.split(",")]
    training, choice, test = _photographs(options.quick)
    wanted = 2 if options.quick else TEST_CROPS // 10 if options.choose else TEST_CROPS
    crops = test_crops(choice if options.choose else test, wanted)
    features = options.features or (RECOGNISER if RECOGNISER.is_file() and not options.quick else None)
    loss, note = hybrid(features)
    began = time.monotonic()
    trained = {}
    for count in layers:
        trained[count] = train(count, _training(TRAINING[count], options), training, loss, options.run)
    if options.choose:
        for count in layers:
            print(count, _measured(open_codec(trained[count]["name"]), crops).figures())
        return
    searches = {name: Search(open_codec(name), crops) for name in ("jpeg", "photo")}
    rows = [_row(count, trained[count], crops, searches) for count in layers]
    points = [_point(quality, searches) for quality in ((75, 13) if options.quick else JPEG_POINTS)]
    minutes = sum(result["minutes"] for result in trained.values()) + (time.monotonic() - began) / 60
    results = {
        "crops": len(crops),
        "test_photographs": len(test),
        "training_photographs": len(training),
        "loss": {"weights": HYBRID, "perceptual": note},
        "models": [{key: value for key, value in row.items() if key != "pictures"} for row in rows],
        "jpeg_points": points,
    }
    part = "_part" if len(layers) < len(TRAINING) else ""
    stem = "c_layers" + ("_quick" if options.quick else "") + part
    shown = ["--quick"] if options.quick else []
    write_results(options.results / f"{stem}.json", "c_layers", shown, minutes, results)
    plot_means(rows, options.curves / f"{stem}_means.png")
    plot_pictures(rows, options.curves / f"{stem}_pictures.png")


def test_crops(photographs: Sequence[Pixels], count: int) -> list[Pixels]:
    """Return crops at places that depend only on their number, equally many from every photograph."""
    crops = []
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        rng = np.random.default_rng(number)
        top, left = (int(rng.integers(size - EDGE + 1)) for size in photograph.shape[:2])
        crops.append(photograph[top : top + EDGE, left : left + EDGE])
    return crops


def _photographs(quick: bool) -> tuple[list[Pixels], list[Pixels], list[Pixels]]:
    """Return the photographs for training, for choices and for the test."""
    if quick:
        paths = scikit_image()
        first, second, third = (np.asarray(open_rgb(paths[name])) for name in ("astronaut", "coffee", "chelsea"))
        return [first[:256, :256], second[:256, :256]], [second], [third]
    rest, test = split_photographs(TEST_SHARE)
    training, choice = split_by_name(rest, CHOICE_SHARE)
    return load_pictures(training), load_pictures(choice), load_pictures(test)


def _training(training: Training, options: argparse.Namespace) -> Training:
    """Return how to train, with the changes that the command line asks for."""
    changes = {"steps": options.steps, "rate": options.rate}
    if options.quick:
        changes |= {"width": 24, "codes": 12, "batch_size": 4, "steps": options.steps or 60, "learning_rate": 1e-3}
    return Training(**(asdict(training) | {key: value for key, value in changes.items() if value is not None}))


def _measured(codec: Codec, crops: Sequence[Pixels]) -> Measured:
    """Measure a codec that has one quality."""
    return measure(codec, codec.qualities[0], crops)


def _row(
    layers: int, trained: Mapping[str, Any], crops: Sequence[Pixels], searches: Mapping[str, Search]
) -> dict[str, Any]:
    """Return an autoencoder's figures beside those of other codecs at its SSIM, and the document's."""
    codec = open_codec(trained["name"])
    own = _measured(codec, crops)
    matched = {name: search.at_least(own.mean_ssim) for name, search in searches.items()}
    row = {
        "layers": layers,
        "document": asdict(DOCUMENT[layers]),
        "training": {**trained["training"], "minutes": round(trained["minutes"], 1)},
        "autoencoder": _timed(own, codec, crops),
        **{name: _timed(match, searches[name].codec, crops) if match else None for name, match in matched.items()},
        "pictures": {"autoencoder": own, **{name: match for name, match in matched.items() if match}},
    }
    print(json.dumps({key: row[key] for key in ("layers", "autoencoder", *searches)}), flush=True)
    return row


def _point(quality: int, searches: Mapping[str, Search]) -> dict[str, Any]:
    """Return JPEG at one of the document's qualities, and `photo` at the same SSIM."""
    jpeg = searches["jpeg"].at(quality)
    photo = searches["photo"].at_least(jpeg.mean_ssim)
    point = {"jpeg": jpeg.figures(), "photo": photo.figures() if photo else None}
    print(json.dumps(point), flush=True)
    return point


def _timed(measured: Measured, codec: Codec, crops: Sequence[Pixels]) -> dict[str, float]:
    return measured.figures() | {"seconds_a_picture": seconds_a_picture(codec, measured.quality, crops)}


if __name__ == "__main__":
    main()
