"""Gains of ten minutes of fine-tuning: the photo model adapted to clothing, scanned pages and tissue.

    python -m benchmarks.fine_tuning                     # about 45 minutes; clothing from $NNCODEC_DATA
    python -m benchmarks.fine_tuning --sets pages        # one of the three
    python -m benchmarks.fine_tuning --quick             # seconds: a few steps on tissue

Each model comes from the command that a user would type, `nncodec train hyperprior DATA --from photo`. The script
installs it and measures it on held-back pictures through real files, beside the general model, JPEG, WebP and AVIF. It
keeps models that are in the run folder, and resumes an interrupted training from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from PIL import Image
from scipy.interpolate import PchipInterpolator

from benchmarks.fine_tuning_sets import SETS, PictureSet
from benchmarks.measuring import plots
from benchmarks.measuring.machine import machine
from benchmarks.measuring.models import use_models
from benchmarks.measuring.records import IMAGES, RESULTS, ROOT, command_line, read_record, write_record
from nncodec.cli import main as run_command
from nncodec.compare import Comparison, MeanPoint, bd_delta, compare
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import read_model_info

GENERAL = "photo"
PEERS = ("webp", "avif", "jpeg")
MINUTES = 9.0
"""Of training; reading pictures, fitting tables and starting up add one."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "clothing": ("--batch-size", "128"),
    "pages": ("--batch-size", "8", "--crop", "128"),
    "texture": ("--batch-size", "8", "--crop", "128", "--set", "held_back=0", "--set", "augment=true"),
}
"""Options of `nncodec train` for each set."""

_LADDERS = {
    "webp": (0, 2, 5, *range(10, 100, 10)),
    "avif": tuple(range(5, 100, 10)),
    "jpeg": (1, 3, 5, *range(10, 100, 10)),
}
_MODEL_LADDER = tuple(range(0, 101, 10))
_METRICS = ("psnr_db", "ssimulacra2")
_COMPARED_AT = 5  # number of PSNRs in the table


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of training for each set")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / "fine_tuning")
    parser.add_argument("--output", type=Path, default=RESULTS / "fine_tuning.json")
    parser.add_argument("--plot", type=Path, default=IMAGES / "fine_tuning.png")
    options = parser.parse_args(arguments)
    names = ["texture"] if options.quick else options.sets.split(",")
    if unknown := set(names) - set(SETS):
        parser.error(f"there is no set {min(unknown)!r}; choose from {', '.join(SETS)}")
    models = options.run / "models"
    models.mkdir(parents=True, exist_ok=True)
    use_models(models)
    rows = {}
    for name in names:
        pictures = SETS[name]()
        trained = tune(pictures, options)
        registry.refresh()
        rows[name] = {
            "about": pictures.about,
            "training": trained,
            **summary(name, measured(pictures, options.quick)),
        }
        shown = {key: rows[name][key] for key in ("training", "bd_rate_percent")}
        print(json.dumps({name: shown}, indent=1), flush=True)
    part = ["--quick"] if options.quick else ["--sets", ",".join(names)] if len(names) < len(SETS) else []
    sets = _with_earlier(options.output, rows)
    write_record(options.output, {"command": command_line("fine_tuning", part), "machine": machine(), "sets": sets})
    plot({name: row["curves"] for name, row in sets.items()}, options.plot)


def tune(pictures: PictureSet, options: argparse.Namespace) -> dict[str, Any]:
    """Train a set's model with the command line and install it; return the command, steps and minutes."""
    folder = options.run / pictures.name
    output = options.run / "models" / f"{pictures.name}.safetensors"
    length = ("--steps", "3") if options.quick else ("--minutes", f"{options.minutes:g}")
    quick = ("--batch-size", "1", "--crop", "64", "--set", "table_megapixels=0.02", "--set", "held_back=0")
    chosen = [*length, "--learning-rate", f"{options.learning_rate:g}"]
    chosen += quick if options.quick else OPTIONS[pictures.name]
    shown = " ".join(["nncodec train hyperprior", _shown(pictures.name), "--from photo", *chosen])
    kept = folder / "trained.json"
    if kept.exists() and output.exists():
        trained: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if trained["command"] == shown:
            return trained
    data = _written(pictures, folder / "pictures")
    fresh = folder / "tuned.safetensors"
    arguments = ["train", "hyperprior", str(data), "--from", GENERAL, "-o", str(fresh), "-f"]
    arguments += ["--name", model_name(pictures), *chosen, "--run", str(folder / "run")]
    if (folder / "run" / "run.json").exists():
        arguments.append("--resume")
    output.unlink(missing_ok=True)  # `nncodec train` refuses the name of an installed model
    began = time.monotonic()
    run_command(arguments, standalone_mode=False)
    took_s = time.monotonic() - began
    fresh.replace(output)
    training = read_model_info(output).card["training"]
    trained = {
        "command": shown,
        "minutes_of_training": training["minutes"],
        "steps": training["steps"],
        "minutes_in_all": round(took_s / 60, 2),
    }
    kept.write_text(json.dumps(trained), encoding="utf-8")
    return trained


def model_name(pictures: PictureSet) -> str:
    """Return the name of a set's model."""
    return f"tuned/{pictures.name}"


def _shown(name: str) -> str:
    return "train-images-idx3-ubyte.gz" if name == "clothing" else f"{name}/"


def _written(pictures: PictureSet, folder: Path) -> Path:
    """Return where a set's training pictures lie, after writing those that do not come from a file."""
    if pictures.file is not None:
        return pictures.file
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(pictures.training):
        _image(pixels).save(folder / f"{number:04d}.png")
    return folder


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def measured(pictures: PictureSet, quick: bool) -> Comparison:
    """Measure every codec on the held-back pictures."""
    held_back = pictures.held_back[:1] if quick else pictures.held_back
    images: dict[str, Image.Image | Path] = {f"{number:04d}": _image(pixels) for number, pixels in enumerate(held_back)}
    models = (model_name(pictures), GENERAL)
    ladders = {**_LADDERS, **dict.fromkeys(models, _MODEL_LADDER)}
    if quick:
        ladders = dict.fromkeys(ladders, (20, 50, 80))
    return compare(images, [*models, *PEERS], qualities=ladders)


def summary(name: str, comparison: Comparison) -> dict[str, Any]:
    """Return BD-rates of a set's model, and the bytes of every codec at the same PSNRs."""
    tuned = f"tuned/{name}"
    # A picture that is stored exactly has no error, and no place on a curve.
    curves = {
        codec.name: [point for point in comparison.mean_curve(codec.name) if math.isfinite(point.psnr_db)]
        for codec in comparison.codecs
    }
    others = (GENERAL, *PEERS)
    return {
        "held_back_pictures": len(comparison.pictures),
        "skipped": len(comparison.skipped),
        "versions": comparison.versions,
        "options": {codec.name: codec.options for codec in comparison.codecs},
        "bd_rate_percent": {
            metric: {other: _rounded(bd_delta(curves[other], curves[tuned], metric).rate_percent) for other in others}
            for metric in _METRICS
        },
        "bytes_at_psnr": at_equal_psnr(curves, tuned),
        "curves": {
            codec: [
                {
                    "quality": point.quality,
                    "bytes": round(point.bytes, 2),
                    **{metric: _rounded(getattr(point, metric), 4) for metric in _METRICS},
                }
                for point in curve
            ]
            for codec, curve in curves.items()
        },
    }


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


def at_equal_psnr(curves: Mapping[str, Sequence[MeanPoint]], tuned: str) -> list[dict[str, Any]]:
    """Return bytes of every codec at PSNRs that the tuned model and WebP both reach, evenly spaced; None outside."""
    spans = [_span(curves[name]) for name in (tuned, "webp")]
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    rows = []
    for psnr_db in np.linspace(low, high, _COMPARED_AT + 2)[1:-1]:
        sizes = {name: _bytes_at(curve, float(psnr_db)) for name, curve in curves.items()}
        rows.append({"psnr_db": round(float(psnr_db), 2), "bytes": sizes})
    return rows


def _span(curve: Sequence[MeanPoint]) -> tuple[float, float]:
    values = [point.psnr_db for point in curve]
    return min(values), max(values)


def _bytes_at(curve: Sequence[MeanPoint], psnr_db: float) -> float | None:
    """Return the size at which a curve reaches a PSNR, by the interpolation of BD-rates: PCHIP of logarithms."""
    rising: list[MeanPoint] = []
    for point in sorted(curve, key=lambda point: point.bytes):
        if not rising or point.psnr_db > rising[-1].psnr_db:
            rising.append(point)
    if len(rising) < 2 or not rising[0].psnr_db <= psnr_db <= rising[-1].psnr_db:
        return None
    logarithm = PchipInterpolator([p.psnr_db for p in rising], [math.log(p.bytes) for p in rising])(psnr_db)
    return round(math.exp(float(logarithm)), 1)


def _with_earlier(path: Path, rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sets of this run, and the others of an earlier one."""
    earlier = read_record(path)["sets"] if path.exists() else {}
    return {name: rows.get(name, earlier.get(name)) for name in SETS if name in rows or name in earlier}


def plot(sets: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]], path: Path) -> None:
    """Draw PSNR over bytes for each set."""
    figure, panels = plots.panels(1, len(sets), 5, 4)
    for axes, (name, curves) in zip(panels[0], sets.items(), strict=True):
        for codec, curve in curves.items():
            learned = codec not in PEERS
            axes.plot(
                [point["bytes"] for point in curve],
                [point["psnr_db"] for point in curve],
                marker="o" if learned else ".",
                linewidth=2 if learned else 1.2,
                label=codec,
            )
        axes.set(title=name, xlabel="bytes a picture", ylabel="PSNR, dB", xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    plots.save(figure, path)


if __name__ == "__main__":
    main()
