"""The standard comparison: bundled photo models beside other codecs and published ones, on two sets of photographs.

    python benchmarks/kodak.py --anchors kodak_published.json --jobs 2

Kodak is read from $NNCODEC_DATA/kodak; the second set is the photographs that scikit-image ships. Everything goes
through real files with `nncodec.compare`. One JSON (benchmarks/results/kodak.json) and one plot (docs/images/kodak.png)
come out; the tables of README.md are written from the JSON by benchmarks/tables.py. `--results DIR` keeps the full
results of each set and measures only those codecs that are not there yet.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import skimage.data
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from tqdm import tqdm

from nncodec import metrics
from nncodec.compare import Comparison, CurvePoint, bd_delta, code_at_psnr, compare, open_codec, read_anchors

ROOT = Path(__file__).parent.parent
MODELS = ("hyperprior/photo", "conv/photo")
CODECS = (*MODELS, "jpeg", "jpeg444", "webp", "avif", "avif-psnr", "jxl")
LADDER = tuple(range(0, 101, 10))
SKIMAGE = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left")
# Published codecs that are named in the table, if the file of anchors has them.
ANCHORS = ("bmshj2018-hyperprior", "mbt2018-mean", "bpg", "av1", "vtm", "cheng2020-anchor", "evc-s")
METRICS = ("psnr_db", "ms_ssim", "ssimulacra2")
GENERATIONS = 10
GENERATION_QUALITY = 50


def main() -> None:
    """Measure, or take what was measured, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codecs", default=",".join(CODECS))
    parser.add_argument("--anchors", type=Path, help="published curves, as for nncodec compare")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results", type=Path, help="folder of full results, one file a set")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "kodak.json")
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "images" / "kodak.png")
    options = parser.parse_args()
    codecs = tuple(options.codecs.split(","))
    sets = {"kodak": kodak(), "skimage": photographs()}
    found = {name: measured(name, pictures, codecs, options) for name, pictures in sets.items() if pictures}
    anchors = read_anchors(options.anchors) if options.anchors else {}
    command = "python benchmarks/kodak.py" + (f" --anchors {options.anchors.name}" if options.anchors else "")
    record: dict[str, Any] = {"command": command, "generations": generation_loss(codecs)}
    for name, comparison in found.items():
        record[name] = summary(comparison, anchors if name == "kodak" else {})
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    plot(found, anchors, options.plot)


def kodak() -> dict[str, Image.Image | Path]:
    """Return the Kodak pictures by name; none without the data."""
    folder = Path(os.environ.get("NNCODEC_DATA", "")) / "kodak"
    if not folder.is_dir():
        print("set NNCODEC_DATA to a folder that holds kodak/ for the first set", file=sys.stderr)
        return {}
    return {path.name: path for path in sorted(folder.glob("*.png"))}


def photographs() -> dict[str, Image.Image | Path]:
    """Return the photographs of scikit-image by name."""
    folder = Path(skimage.data.__file__).parent
    return {name: next(folder.glob(f"{name}.*")) for name in SKIMAGE}


def measured(
    name: str, pictures: Mapping[str, Image.Image | Path], codecs: Sequence[str], options: argparse.Namespace
) -> Comparison:
    """Measure a set; codecs that an earlier run kept are taken from there."""
    kept = options.results / f"{name}.json" if options.results else None
    known = Comparison.from_json(kept.read_bytes()) if kept is not None and kept.exists() else None
    missing = [codec for codec in codecs if known is None or codec not in {info.name for info in known.codecs}]
    if not missing:
        assert known is not None
        return known
    qualities = {model: LADDER for model in missing if model in MODELS}
    with tqdm(desc=name, leave=False) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        comparison = compare(pictures, missing, qualities=qualities, jobs=options.jobs, on_progress=advance)
    if known is not None:
        comparison = replace(
            comparison,
            codecs=(*comparison.codecs, *known.codecs),
            measurements=(*comparison.measurements, *known.measurements),
            skipped=(*comparison.skipped, *known.skipped),
        )
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(comparison.to_json())
    return comparison


def summary(comparison: Comparison, anchors: Mapping[str, Sequence[CurvePoint]]) -> dict[str, Any]:
    """Return mean curves and the differences of every model from every other codec and published curve."""
    if comparison.skipped:
        print("\n".join(f"skipped: {one}" for one in comparison.skipped), file=sys.stderr)
    codecs = {codec.name: codec for codec in comparison.codecs if comparison.mean_curve(codec.name)}
    curves = {name: comparison.mean_curve(name) for name in codecs}
    differences: dict[str, dict[str, dict[str, float | None]]] = {}
    for model in (name for name, codec in codecs.items() if codec.learned):
        against = {name: curve for name, curve in curves.items() if name != model}
        differences[model] = {
            name: {metric: _rounded(bd_delta(curve, curves[model], metric).rate_percent, 2) for metric in METRICS}
            for name, curve in against.items()
        }
        published = {name: anchors[name] for name in ANCHORS if name in anchors}
        for name, points in published.items():
            differences[model][f"published {name}"] = {
                metric: _rounded(bd_delta(points, curves[model], metric).rate_percent, 2) for metric in METRICS[:2]
            }
    return {
        "pictures": len(comparison.pictures),
        "skipped": len(comparison.skipped),
        "versions": comparison.versions,
        "options": {name: codec.options for name, codec in codecs.items()},
        "bd_rate_percent": differences,
        "curves": {
            name: [{key: _rounded(value, 5) for key, value in asdict(point).items()} for point in curve]
            for name, curve in curves.items()
        },
    }


def generation_loss(codecs: Sequence[str]) -> dict[str, Any]:
    """Return PSNR against the original after each of ten re-encodings, means over the second set.

    The first model codes at quality 50; every other codec at its quality nearest in PSNR after the first generation.
    """
    first = open_codec(codecs[0])
    loss: dict[str, list[list[float]]] = {}
    pictures = [Image.open(path).convert("RGB") for path in photographs().values()]
    for picture in tqdm(pictures, desc="generations", leave=False):
        reached = metrics.psnr(picture, first.decode(first.encode(picture, GENERATION_QUALITY)))
        for name in codecs:
            codec = open_codec(name)
            if not codec.info.learned and not _writes(codec.info.name, picture):
                continue
            is_first = name == codecs[0]
            quality = GENERATION_QUALITY if is_first else code_at_psnr(codec, picture, reached).quality
            current, values = picture, []
            for _ in range(GENERATIONS):
                current = codec.decode(codec.encode(current, quality))
                values.append(metrics.psnr(picture, current))
            loss.setdefault(name, []).append(values)
    means = {
        name: [round(sum(column) / len(column), 3) for column in zip(*rows, strict=True)] for name, rows in loss.items()
    }
    return {"quality": GENERATION_QUALITY, "pictures": len(pictures), "psnr_db": means}


def _writes(name: str, picture: Image.Image) -> bool:
    """Return whether a peer is installed."""
    try:
        open_codec(name).encode(picture.resize((32, 32)), 50)
    except Exception as error:  # a peer is anyone's code; what is missing is told, and the rest goes on
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


def plot(found: Mapping[str, Comparison], anchors: Mapping[str, Sequence[CurvePoint]], path: Path) -> None:
    """Draw PSNR over rate for each set."""
    figure = Figure(figsize=(6.2 * len(found), 5), layout="constrained")
    FigureCanvasAgg(figure)
    titles = {"kodak": "Kodak, 24 photographs", "skimage": f"scikit-image, {len(SKIMAGE)} photographs"}
    for axes, (name, comparison) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        for codec in comparison.codecs:
            points = comparison.mean_curve(codec.name)
            style = {"linewidth": 2.4, "marker": "o"} if codec.learned else {"linewidth": 1.2, "marker": "."}
            axes.plot([p.bpp for p in points], [p.psnr_db for p in points], label=codec.label, **style)
        if name == "kodak":
            for anchor in (a for a in ANCHORS if a in anchors):
                points = [p for p in anchors[anchor] if p.psnr_db is not None]
                axes.plot([p.bpp for p in points], [p.psnr_db for p in points], ":", linewidth=1, label=anchor)
        axes.set(title=titles[name], xlabel="bits per pixel", ylabel="PSNR on RGB, dB", xlim=(0, 2.2), ylim=(24, 42))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    path.write_bytes(buffer.getvalue())


def _rounded(value: Any, digits: int) -> Any:
    return round(value, digits) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
