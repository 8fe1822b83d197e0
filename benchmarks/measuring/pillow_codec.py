"""A codec as Pillow's users see it: a format and save options, the same for .nnc and for other formats.

This module imports nothing but Pillow, so that a process that measures memory holds only what the codec needs. That is
why it is not `nncodec.compare.Codec`, which loads the whole package.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class PillowCodec:
    """A format that Pillow reads and writes, at one quality.

    Args:
        name: in results and tables.
        format: Pillow's name of the format.
        save_options: of `Image.save`, including the quality; JSON values.
        needs: modules that register the format.
        is_model: whether it is a model of this project and not a peer.
    """

    name: str
    format: str
    save_options: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    is_model: bool = False

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PillowCodec:
        """Return the codec that `to_json` described."""
        return cls(**(dict(record) | {"needs": tuple(record["needs"])}))

    def to_json(self) -> dict[str, Any]:
        """Return the codec as JSON values."""
        return asdict(self) | {"save_options": dict(self.save_options), "needs": list(self.needs)}

    def at(self, quality: int) -> PillowCodec:
        """Return the codec with another quality."""
        return replace(self, save_options={**self.save_options, "quality": quality})

    def register(self) -> None:
        """Register the format with Pillow in this process."""
        for module in self.needs:
            importlib.import_module(module)

    def encode(self, image: Image.Image) -> bytes:
        """Return the file of a picture."""
        buffer = io.BytesIO()
        image.save(buffer, self.format, **self.save_options)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """Return the picture in a file, decoded."""
        image = Image.open(io.BytesIO(data))
        image.load()
        return image
