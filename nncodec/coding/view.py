"""From decoded frames to what users get: the part they want, enhanced, at display size, with alpha and `info`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from nncodec.coding.enhancing import Enhancement
from nncodec.format.header import Header
from nncodec.picture.area import Area, Span
from nncodec.picture.exif_entries import with_size
from nncodec.picture.options import OnProgress
from nncodec.picture.region import Box, Region
from nncodec.picture.xmp import xmp_with_size
from nncodec.plugin.latents import Pixels


class Progress:
    """Counts blocks; a block is done when the next one begins, or when its group of frames is complete."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self._on_progress, self._begun, self._total = on_progress, 0, total

    def begin_block(self) -> None:
        self._report(self._begun)
        self._begun += 1

    def end_group(self) -> None:
        self._report(self._begun)

    def _report(self, done: int) -> None:
        if self._on_progress:
            self._on_progress(done, self._total)


class View:
    """The part of a picture to return, and the way to it from the coded picture.

    Args:
        header: the file's.
        box: the part to return; None for all.
        enhancement: the enhancer that the coded picture passes through.

    Attributes:
        source: the area of the coded picture that is needed.
    """

    def __init__(self, header: Header, box: Box | None, enhancement: Enhancement | None) -> None:
        self._picture = picture_of(header)
        self._enhancement = enhancement
        self.region = Region.of(header, box, enhancement.factor if enhancement else 1)
        wanted = self.region.coded
        self.source = enhancement.source(wanted, self._picture) if enhancement else wanted

    def shown(self, image: Image.Image) -> Image.Image:
        """Return the picture or its box, without alpha, from the area `source` of the coded picture."""
        if self._enhancement:
            image = self._enhancement.apply(image, self.source, self.region.coded, self._picture)
        return self.region.shown(image)


def picture_of(header: Header) -> Area:
    """Return the whole coded picture."""
    return Area(Span(0, header.height), Span(0, header.width))


def finish(image: Image.Image, view: View, alpha: Pixels | None, info: Mapping[str, Any]) -> Image.Image:
    """Return a decoded frame as users get it: the view of it, with its alpha, and `info`."""
    image = view.shown(image)
    if alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(view.region.cut(alpha))))
    image.info.update(info)
    if "exif" in info:
        image.info["exif"] = with_size(info["exif"], image.size)
    if "xmp" in info:
        image.info["xmp"] = xmp_with_size(info["xmp"], image.size)
    return image
