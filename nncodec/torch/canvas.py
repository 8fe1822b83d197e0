"""Decodes plain pictures to tensors, which stay on the device that computes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nncodec.coding import decoder
from nncodec.coding.grid import PIXELS_AT_ONCE
from nncodec.coding.view import picture_of
from nncodec.format.container import Container
from nncodec.format.header import ChunkType, ColourMode
from nncodec.format.samples import SampleArray
from nncodec.picture.area import Area
from nncodec.picture.region import Box, Region
from nncodec.plugin.device import pixels_staying


class TensorCanvas:
    """Pictures of an area as a tensor, assembled from tiles; see `picture.pixels.PixelCanvas`.

    Args:
        area: of the coded picture.
        planes: 1 or 3.
        count: number of pictures.
        device: of the tensor.

    Attributes:
        pixels: (count, planes, h, w) of uint8.
    """

    def __init__(self, area: Area, planes: int, count: int, device: torch.device) -> None:
        self.area = area
        shape = count, planes, area.rows.size, area.columns.size
        self.pixels = torch.empty(shape, dtype=torch.uint8, device=device)

    @classmethod
    def of(cls, container: Container, area: Area, count: int, device: torch.device) -> TensorCanvas:
        """Return a canvas for pictures of the mode of a file."""
        return cls(area, 3 if container.header.mode is ColourMode.RGB else 1, count, device)

    def put(self, tile: Area, pixels: SampleArray) -> None:
        """Store the part of a tile that lies in the area, from an array or a tensor (count, h, w, planes)."""
        kept = tile.within(self.area)
        part = torch.as_tensor(pixels[:, *kept.slices(1, tile)])
        self.pixels[:, :, *kept.slices(1, self.area)] = part.permute(0, 3, 1, 2)

    def pictures(self) -> list[Tensor]:
        """Return the pictures, each in memory of its own: a sample must not keep those of its batch."""
        return [self.pixels[0]] if len(self.pixels) == 1 else [picture.clone() for picture in self.pixels]


def is_plain(container: Container, mode: str | None) -> bool:
    """Return whether the samples of a picture are what its model computes: no alpha, not exact, not reduced.

    Args:
        container: the file.
        mode: to which the picture is to be converted, or None.
    """
    header = container.header
    is_whole = header.samples is None and header.display_size == (header.width, header.height)
    has_alpha = any(entry.type == ChunkType.ALPHA for entry in container.chunk_table)
    return is_whole and not has_alpha and mode in (None, header.mode.name)


def decode_frames(container: Container, frames: Sequence[int], box: Box | None, device: torch.device) -> list[Tensor]:
    """Return frames of a plain picture, (C, H, W) of uint8 each, or a box of each."""
    area = Region.of(container.header, box).coded
    at_once = max(1, PIXELS_AT_ONCE // area.pixels)
    tensors: list[Tensor] = []
    for start in range(0, len(frames), at_once):
        some = frames[start : start + at_once]
        canvas = TensorCanvas.of(container, area, len(some), device)
        with pixels_staying():
            decoder.put_frames(canvas, container, some)
        tensors += canvas.pictures()
    return tensors


def decode_together(containers: Sequence[Container], device: torch.device) -> list[Tensor]:
    """Return the first frames of plain pictures, (C, H, W) of uint8 each; small ones of one size share passes."""
    tensors: dict[int, Tensor] = {}
    for numbers in decoder.batches(containers):
        some = [containers[number] for number in numbers]
        canvas = TensorCanvas.of(some[0], picture_of(some[0].header), len(some), device)
        with pixels_staying():
            decoder.put_files(canvas, some)
        tensors.update(zip(numbers, canvas.pictures(), strict=True))
    return [tensors[number] for number in range(len(containers))]
