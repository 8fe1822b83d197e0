"""Plots of system B: errors of members, training histories, and rates in real files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import plots
from nncodec_dense.config import DenseConfig

Rows = Sequence[Mapping[str, Any]]


def plot_errors(rows: Rows, path: Path) -> None:
    """Draw each member's test error beside the document's."""
    figure, ((axes,),) = plots.panels(1, 1, 7.5, 4)
    places = np.arange(len(rows))
    axes.bar(places - 0.2, [row["document"]["test"] for row in rows], 0.4, label="source document", color="#b5b5b5")
    axes.bar(places + 0.2, [row["mse"]["test"]["plain"] for row in rows], 0.4, label="here, codes not rounded")
    axes.plot(places + 0.2, [row["mse"]["test"]["quantized"] for row in rows], "k_", label="here, real files")
    axes.set_xticks(places, [row["member"] for row in rows], rotation=60)
    axes.set(ylabel="test mean squared error")
    plots.save(figure, path)


def plot_history(rows: Rows, path: Path) -> None:
    """Draw each member's held-back error after every epoch."""
    figure, ((axes,),) = plots.panels(1, 1, 7.5, 4.5)
    for number, row in enumerate(rows):
        history = row["history"]["held_back"]
        axes.plot(range(1, len(history) + 1), history, label=row["member"], color=f"C{number % 10}", linewidth=1.2)
    axes.set(xlabel="epoch", ylabel="held-back mean squared error", yscale="log")
    plots.save(figure, path)


def plot_rates(results: Mapping[str, Any], bytes_a_value: int, path: Path) -> None:
    """Draw errors over bytes in real files, the document's count of bytes, and WebP."""
    figure, ((axes,),) = plots.panels(1, 1, 6.2, 4.5)
    members = results["members"]
    for label, size in (("one file a picture", "bytes_a_file"), ("all in one file", "bytes_a_picture_stacked")):
        axes.plot([row["files"][size] for row in members], [row["files"]["mse"] for row in members], "o", label=label)
    counted = [bytes_a_value * DenseConfig.named(row["member"]).latents for row in members]
    printed = [row["document"]["test"] for row in members]
    axes.plot(counted, printed, "kx", label=f"source document, {bytes_a_value} bytes a value")
    webp = [(point["bytes_a_file"], point["mse"]) for point in results["webp"]]
    axes.plot(*zip(*webp, strict=True), ".-", color="gray", label="WebP, method 6")
    axes.set(xlabel="bytes a picture", ylabel="mean squared error", yscale="log")
    plots.save(figure, path)
