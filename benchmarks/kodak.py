"""The standard comparison: bundled photo models against other codecs and published ones, on two sets of photographs.

    python -m benchmarks.kodak --anchors kodak_published.json --jobs 2

The sets are $NNCODEC_DATA/kodak and the photographs that scikit-image ships. `nncodec.compare` measures everything
through real files, ColorVideoVDP only where its package is installed. The results are a record
(benchmarks/results/kodak.json) and a plot (docs/images/kodak.png). `--results DIR` keeps the full results of each set,
and a later run measures only codecs that are missing there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped]

from benchmarks.measuring import plots
from benchmarks.measuring.data import find_data, kodak, open_rgb, scikit_image
from benchmarks.measuring.records import IMAGES, RESULTS, Record, command_line, write_record
from nncodec import metrics
from nncodec.compare import Comparison, CurvePoint, bd_delta, code_at_psnr, compare, open_codec, read_anchors
from nncodec.metrics import cvvdp

MODELS = ("hyperprior/photo", "hyperprior/photo-psnr", "conv/photo")
PEERS = ("jpeg", "jpegli", "webp", "avif", "avif-ssimulacra2", "avif-psnr", "jxl", "jxl9")
CODECS = (*MODELS, *PEERS)
# Published codecs in the table, where the file of anchors has them.
ANCHORS = ("bmshj2018-hyperprior", "mbt2018-mean", "bpg", "av1", "vtm", "cheng2020-anchor", "evc-s")
METRICS = ("psnr_db", "ms_ssim", "ssimulacra2", "colorvideovdp")
GENERATIONS = 10
GENERATION_QUALITY = 50

Pictures = Mapping[str, Path]


def main() -> None:
    """Measure what is missing, then write the record and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codecs", default=",".join(CODECS))
    parser.add_argument("--anchors", type=Path, help="published curves, as for nncodec compare")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results", type=Path, help="folder of full results, one file a set")
    parser.add_argument("--output", type=Path, default=RESULTS / "kodak.json")
    parser.add_argument("--plot", type=Path, default=IMAGES / "kodak.png")
    options = parser.parse_args()
    codecs = tuple(options.codecs.split(","))
    sets = {"skimage": scikit_image()}
    if find_data("kodak"):
        sets = {"kodak": kodak()} | sets
    else:
        print("set NNCODEC_DATA to a folder that holds kodak/ for the first set", file=sys.stderr)
    comparisons = {name: measured(name, pictures, codecs, options) for name, pictures in sets.items()}
    anchors = read_anchors(options.anchors) if options.anchors else {}
    command = command_line("kodak", ["--anchors", options.anchors.name] if options.anchors else [])
    record: Record = {"command": command, "generations": generation_loss(codecs)}
    for name, comparison in comparisons.items():
        record[name] = summary(comparison, anchors if name == "kodak" else {})
    write_record(options.output, record)
    plot(comparisons, anchors, options.plot)


def measured(name: str, pictures: Pictures, codecs: Sequence[str], options: argparse.Namespace) -> Comparison:
    """Measure a set, reusing codecs that an earlier run kept."""
    kept = options.results / f"{name}.json" if options.results else None
    known = Comparison.from_json(kept.read_bytes()) if kept is not None and kept.exists() else None
    missing = [codec for codec in codecs if known is None or codec not in {info.name for info in known.codecs}]
    if not missing:
        assert known is not None
        return known
    slow = cvvdp.is_available()
    with tqdm(desc=name, leave=False) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        comparison = compare(pictures, missing, colorvideovdp=slow, jobs=options.jobs, on_progress=advance)
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
    """Return mean curves, and BD-rates of every model against every other codec and published curve."""
    if comparison.skipped:
        print("\n".join(f"skipped: {skipped}" for skipped in comparison.skipped), file=sys.stderr)
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
    pictures = [open_rgb(path) for path in scikit_image().values()]
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
    """Return whether a peer can write a picture here; print why if not."""
    try:
        open_codec(name).encode(picture.resize((32, 32)), 50)
    except Exception as error:  # a peer is anyone's code; skip it and measure the rest
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


def plot(comparisons: Mapping[str, Comparison], anchors: Mapping[str, Sequence[CurvePoint]], path: Path) -> None:
    """Draw PSNR over rate for each set."""
    figure, panels = plots.panels(1, len(comparisons), 6.2, 5)
    titles = {"kodak": "Kodak", "skimage": "scikit-image"}
    for axes, (name, comparison) in zip(panels[0], comparisons.items(), strict=True):
        for codec in comparison.codecs:
            points = comparison.mean_curve(codec.name)
            style = {"linewidth": 2.4, "marker": "o"} if codec.learned else {"linewidth": 1.2, "marker": "."}
            axes.plot([p.bpp for p in points], [p.psnr_db for p in points], label=codec.label, **style)
        if name == "kodak":
            for anchor in (a for a in ANCHORS if a in anchors):
                published = [p for p in anchors[anchor] if p.psnr_db is not None]
                axes.plot([p.bpp for p in published], [p.psnr_db for p in published], ":", linewidth=1, label=anchor)
        title = f"{titles[name]}, {len(comparison.pictures)} photographs"
        axes.set(title=title, xlabel="bits per pixel", ylabel="PSNR on RGB, dB", xlim=(0, 2.2), ylim=(24, 42))
    plots.save(figure, path)


def _rounded(value: Any, digits: int) -> Any:
    return round(value, digits) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
