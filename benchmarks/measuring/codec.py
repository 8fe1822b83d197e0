"""A codec as Pillow's users see it: a format and save options. The same two calls for .nnc and for everybody else.

Imports nothing but Pillow, so that a process that measures memory holds little that the codec did not ask for.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Codec:
    """One way to turn a picture into bytes and back.

    Args:
        name: in results and tables.
        format: Pillow's name of the format.
        settings: options of `Image.save`, quality among them; JSON values.
        needs: modules that register the format.
        is_model: whether this is a model of ours; everything else is a peer.
    """

    name: str
    format: str
    settings: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    is_model: bool = False

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Codec:
        """Return the codec that `to_json` described."""
        return cls(**(dict(record) | {"needs": tuple(record["needs"])}))

    def to_json(self) -> dict[str, Any]:
        """Return the codec as JSON values."""
        return asdict(self) | {"settings": dict(self.settings), "needs": list(self.needs)}

    def at(self, quality: int) -> Codec:
        """Return the codec with another quality."""
        return replace(self, settings={**self.settings, "quality": quality})

    def register(self) -> None:
        """Make Pillow know the format in this process."""
        for module in self.needs:
            importlib.import_module(module)

    def encode(self, image: Image.Image) -> bytes:
        """Return a file with the picture."""
        buffer = io.BytesIO()
        image.save(buffer, self.format, **self.settings)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        """Return the picture in a file, its pixels decoded."""
        image = Image.open(io.BytesIO(data))
        image.load()
        return image
