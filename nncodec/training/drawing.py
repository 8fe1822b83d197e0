"""Pictures that a run draws: grids of samples, and the plot of its figures over the steps."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from nncodec._support import extras
from nncodec.nn.tensors import to_pixels, to_tensor
from nncodec.plugin.latents import Pixels
from nncodec.training.tasks import ModelTask, evaluating

_MOST_SAMPLES = 16
_GRID_WIDTH = 1200  # about, pixels
_GAP = 4
_BACKGROUND = 255
_PANELS = {"loss": "loss", "psnr_db": "PSNR, dB", "rate_bpp": "bits per pixel"}
_PANEL_INCHES = (6.4, 2.6)
_DPI = 120


def sample_grid(task: ModelTask, batches: Iterable[Pixels], device: torch.device) -> Image.Image:
    """Return a grid of samples: the rows that the task makes of some pictures.

    Args:
        task: to reconstruct with; it is in evaluation mode meanwhile.
        batches: uint8 (N, H, W, C); the first pictures are taken.
        device: where the task is.
    """
    chosen: list[Pixels] = []
    for batch in batches:
        columns = max(1, min(_MOST_SAMPLES, _GRID_WIDTH // (batch.shape[2] + _GAP)))
        chosen += list(batch[: columns - len(chosen)])
        if len(chosen) >= columns:
            break
    with evaluating(task), torch.no_grad():
        rows = task.sample_rows(to_tensor(np.stack(chosen), device))
    return grid([to_pixels(row.float().cpu()) for row in rows])


def grid(rows: list[Pixels]) -> Image.Image:
    """Return rows of pictures, each (N, H, W, C) of one size, as one image; small pictures are enlarged."""
    count, height, width = rows[0].shape[:3]
    scale = max(1, min(8, _GRID_WIDTH // (count * (width + _GAP))))
    columns, lines = (scale * width + _GAP, scale * height + _GAP)
    canvas = Image.new("RGB", (count * columns + _GAP, len(rows) * lines + _GAP), (_BACKGROUND,) * 3)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
            enlarged = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (_GAP + column * columns, _GAP + row * lines))
    return canvas


def can_plot() -> bool:
    """Return whether matplotlib is installed."""
    return extras.is_installed("matplotlib")


def loss_plot(training: Sequence[Mapping[str, float]], validation: Sequence[Mapping[str, float]]) -> bytes:
    """Return a PNG with a panel for the loss and, if the run has them, one each for PSNR and rate.

    Args:
        training, validation: rows of the logs.

    Raises:
        NncError: matplotlib is not installed.
    """
    extras.require("matplotlib", "train", "the plot of the loss")
    # Drawn without pyplot, which has global state and wants a screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in _PANELS if any(name in row for row in (*training, *validation))] or ["loss"]
    figure = Figure(figsize=(_PANEL_INCHES[0], _PANEL_INCHES[1] * len(names)), layout="constrained")
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
