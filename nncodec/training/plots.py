"""The plot of a run: its figures over the steps, training and validation together."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from nncodec._support import extras

_PANELS = {"loss": "loss", "psnr_db": "PSNR, dB", "rate_bpp": "bits per pixel"}
_INCHES = (6.4, 2.6)  # of a panel
_DPI = 120


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return extras.is_installed("matplotlib")


def loss_plot(training: Sequence[Mapping[str, float]], validation: Sequence[Mapping[str, float]]) -> bytes:
    """Return a PNG with a panel for the loss and one each for PSNR and rate, where a run has them.

    Args:
        training, validation: rows of the logs.

    Raises:
        NncError: matplotlib is not installed.
    """
    extras.require("matplotlib", "train", "the plot of the loss")
    # Drawn without pyplot: no global state, no screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in _PANELS if any(name in row for row in (*training, *validation))] or ["loss"]
    figure = Figure(figsize=(_INCHES[0], _INCHES[1] * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(names):
        axes = figure.add_subplot(len(names), 1, number + 1)
        for label, rows, style in (("training", training, "-"), ("validation", validation, ".-")):
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), style, label=label, linewidth=1.2, markersize=4)
        if name == "loss" and all(row["loss"] > 0 for row in (*training, *validation) if "loss" in row):
            axes.set_yscale("log")
        axes.set_ylabel(_PANELS[name])
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(frameon=False)
    figure.axes[-1].set_xlabel("step")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
