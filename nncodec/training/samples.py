"""Grids of pictures: originals over what a decoder would show of them, or what else a task has to show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nncodec.plugin.latents import Pixels
from nncodec.training.loop import to_batch
from nncodec.training.recipe import ModelTask
from nncodec.training.validation import evaluating

_MOST = 16
_WIDTH = 1200  # of the grid, about, pixels
_GAP = 4
_BACKGROUND = 255


def sample_grid(task: ModelTask, batches: Iterable[Pixels], device: torch.device) -> Image.Image:
    """Return some pictures in the rows that the task makes of them.

    Args:
        task: to reconstruct with; in evaluation mode meanwhile.
        batches: uint8 (N, H, W, C); the first pictures are taken.
        device: where the task is.
    """
    chosen: list[Pixels] = []
    for batch in batches:
        room = max(1, min(_MOST, _WIDTH // (batch.shape[2] + _GAP)))
        chosen += list(batch[: room - len(chosen)])
        if len(chosen) >= room:
            break
    originals = np.stack(chosen)
    with evaluating(task), torch.no_grad():
        rows = task.sample_rows(to_batch(originals, device))
    return grid([_shown(row) for row in rows])


def grid(rows: list[Pixels]) -> Image.Image:
    """Return rows of pictures, each (N, H, W, C) of one size, as one picture; small ones are enlarged."""
    count, height, width = rows[0].shape[:3]
    scale = max(1, min(8, _WIDTH // (count * (width + _GAP))))
    columns, lines = (scale * width + _GAP, scale * height + _GAP)
    canvas = Image.new("RGB", (count * columns + _GAP, len(rows) * lines + _GAP), (_BACKGROUND,) * 3)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
            enlarged = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
            canvas.paste(enlarged, (_GAP + column * columns, _GAP + row * lines))
    return canvas


def _shown(batch: Tensor) -> Pixels:
    shown: Pixels = (batch.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return shown
