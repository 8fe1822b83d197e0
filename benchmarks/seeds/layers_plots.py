"""Plots of system C: means by number of layers, and every crop of the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import plots

_SHOWN = {"psnr_db": "PSNR, dB", "ssim": "SSIM", "ratio": "compression ratio"}
_COLOURS = {"autoencoder": "C0", "jpeg": "C1", "photo": "C2"}


def plot_means(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw each codec's means over the number of layers, beside the document's."""
    figure, panels = plots.panels(1, len(_SHOWN), 4.4, 3)
    for axes, (key, label) in zip(panels[0], _SHOWN.items(), strict=True):
        for codec, colour in _COLOURS.items():
            points = [(row["layers"], row[codec][key]) for row in rows if row[codec]]
            axes.plot(*zip(*points, strict=True), "o-", color=colour, label=codec)
        printed = [(row["layers"], row["document"][key]) for row in rows]
        axes.plot(*zip(*printed, strict=True), "kx:", label="source document")
        axes.set(xlabel="layers", ylabel=label, xticks=[row["layers"] for row in rows])
        axes.set_yscale("log" if key == "ratio" else "linear")
    plots.save(figure, path, legend_size=7, dpi=100)


def plot_pictures(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw every crop's results for the autoencoder and JPEG, a row of panels for each number of layers."""
    figure, panels = plots.panels(len(rows), len(_SHOWN), 4.4, 3)
    for line, row in zip(panels, rows, strict=True):
        for axes, (key, label) in zip(line, _SHOWN.items(), strict=True):
            for codec in ("jpeg", "autoencoder"):
                if measured := row["pictures"].get(codec):
                    axes.plot(getattr(measured, key), color=_COLOURS[codec], label=codec, linewidth=0.5)
            axes.set(xlabel="picture number", ylabel=label, title=f"{row['layers']} layers")
            axes.set_yscale("log" if key == "ratio" else "linear")
    plots.save(figure, path, legend_size=7, dpi=100)
