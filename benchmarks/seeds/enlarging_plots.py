"""Plots of system E, and its example pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.measuring import plots
from benchmarks.measuring.data import middle, open_rgb, scikit_image
from benchmarks.seeds.enlarging import methods, reduced

EDGE = 256
"""Edge of the example pictures, which are enlarged from a quarter of it."""
COLUMNS = {"nearest": "64 x 64", "bicubic": "bicubic", "content": "content weights", "gan": "GAN weights"}
"""The ways to enlarge, with captions; the original follows."""

# Upper left corners within scikit-image's pictures.
_CROPS = {"astronaut": (80, 0), "chelsea": (96, 20)}
_ZOOM, _ZOOMED_EDGE = 6, 64
_CAPTION, _GAP = 22, 2
_MARKERS = {
    "nearest": "v",
    "bilinear": "s",
    "bicubic": "o",
    "lanczos": "D",
    "content": "P",
    "half": "X",
    "gan": "*",
}
_METRICS = {"psnr_db": "PSNR, dB", "ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2", "niqe": "NIQE (lower is better)"}


def example_pictures() -> dict[str, Image.Image]:
    """Return parts of 256 x 256 of two photographs that scikit-image ships, free of rights."""
    return {
        name: open_rgb(scikit_image()[name]).crop((left, top, left + EDGE, top + EDGE))
        for name, (left, top) in _CROPS.items()
    }


def example_sheet(pictures: Mapping[str, Image.Image], enhancer: str) -> Image.Image:
    """Return a row for each picture: reduced to a quarter, enlarged in several ways, and the original."""
    ways = methods(enhancer)
    step = EDGE + _GAP
    sheet = Image.new("RGB", (step * (len(COLUMNS) + 1) - _GAP, _CAPTION + step * len(pictures) - _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, caption in enumerate((*COLUMNS.values(), "original")):
        draw.text((column * step + EDGE // 2, _CAPTION // 2), caption, "black", font, anchor="mm")
    for row, image in enumerate(pictures.values()):
        small = reduced(image)
        for column, shown in enumerate((*(ways[way](small) for way in COLUMNS), image)):
            sheet.paste(shown, (column * step, _CAPTION + row * step))
    return sheet


def zoomed_sheet(images: Sequence[Image.Image]) -> Image.Image:
    """Return the middles of pictures of one size beside each other, enlarged, to look for artefacts of networks."""
    edge = _ZOOMED_EDGE
    sheet = Image.new("RGB", (len(images) * _ZOOM * edge, _ZOOM * edge))
    for column, image in enumerate(images):
        part = middle(image, edge, edge)
        sheet.paste(part.resize((_ZOOM * edge, _ZOOM * edge), Image.Resampling.NEAREST), (column * _ZOOM * edge, 0))
    return sheet


def plot_results(record: Mapping[str, Any], folder: Path, stem: str) -> None:
    """Draw the measured parts: fidelity against looks of the sets, and the codec's figures over rate."""
    sets = {name: part for name, part in record.get("sets", {}).items() if isinstance(part, dict)}
    if sets:
        _plot_sets(sets, folder / f"{stem}_sets.png")
    if "restored" in record:
        _plot_codec(record["restored"]["whole"], folder / f"{stem}_restored.png")
    if "reduced" in record:
        _plot_codec([*record["reduced"]["whole"], *record["reduced"]["reduced"]], folder / f"{stem}_reduced.png")


def _plot_sets(sets: Mapping[str, Any], path: Path) -> None:
    figure, panels = plots.panels(1, len(sets), 4.4, 3.4)
    for axes, (name, part) in zip(panels[0], sets.items(), strict=True):
        for way, row in part["mean"].items():
            if row["niqe"] is not None:
                axes.plot(row["psnr_y_db"], row["niqe"], _MARKERS[way], markersize=9, label=way)
        if part["original"]["niqe"] is not None:
            axes.axhline(part["original"]["niqe"], color="k", linestyle=":", linewidth=1, label="originals")
        axes.set(title=f"{name}, {part['pictures']} pictures", xlabel="PSNR on luma, dB", ylabel=_METRICS["niqe"])
    plots.save(figure, path, legend_size=7, dpi=100)


def _plot_codec(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    figure, panels = plots.panels(1, len(_METRICS), 4.4, 3.4)
    for axes, (key, label) in zip(panels[0], _METRICS.items(), strict=True):
        for way in dict.fromkeys(row["way"] for row in rows):
            points = [(row["rate_bpp"], row[key]) for row in rows if row["way"] == way and row[key] is not None]
            if points:
                axes.plot(*zip(*sorted(points), strict=True), "o-", label=way)
        axes.set(xlabel="bits per pixel", ylabel=label)
    plots.save(figure, path, legend_size=7, dpi=100)
