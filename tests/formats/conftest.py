"""Pictures and files for the tests of the Pillow plugin."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import skimage.data
from PIL import Image

from nncodec.format.container import write
from nncodec.format.header import CoderId, ColourMode, Header
from nncodec_pillow import options


@pytest.fixture(autouse=True)
def _fresh_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_chosen", {})


@pytest.fixture
def photo() -> Image.Image:
    """A photograph, RGB 48 x 32."""
    return Image.fromarray(skimage.data.chelsea()).resize((48, 32))


@pytest.fixture(scope="session")
def greys() -> list[Image.Image]:
    """Five different grey pictures of 28 x 28, as unlike each other as garments are."""
    camera = Image.fromarray(skimage.data.camera()).resize((28, 28))
    pictures = []
    for number, box in enumerate([(9, 2, 19, 27), (2, 4, 26, 14), (5, 3, 23, 25), (1, 16, 27, 26), (10, 10, 18, 20)]):
        picture = Image.new("L", (28, 28))
        picture.paste(camera.point(lambda level, n=number: 100 + 30 * n + level // 8).crop(box), box)
        pictures.append(picture)
    return pictures


@pytest.fixture(scope="session")
def stack(greys: list[Image.Image]) -> bytes:
    """The grey pictures as the frames of one file, two a block."""
    out = io.BytesIO()
    greys[0].save(out, "NNC", save_all=True, append_images=greys[1:], model="dense/fashion", frames_per_block=2)
    return out.getvalue()


@pytest.fixture(scope="session")
def small(greys: list[Image.Image]) -> bytes:
    """One grey picture as a file."""
    out = io.BytesIO()
    greys[0].save(out, "NNC", model="dense/fashion")
    return out.getvalue()


@pytest.fixture
def forged() -> Callable[..., io.BytesIO]:
    """Make a file with a sound header of any content; its blocks hold one byte each, its model is not installed."""

    def forge(chunks: dict[int, bytes] | None = None, **fields: Any) -> io.BytesIO:
        size = fields.get("width", 28), fields.get("height", 28)
        header = Header(
            **{
                "mode": ColourMode.L,
                "coder": CoderId.STORED,
                "quality": None,
                "model_id": b"none",
                "width": size[0],
                "height": size[1],
                "display_size": size,
                **fields,
            }
        )
        groups, rows, columns = header.grid
        return io.BytesIO(write(header, chunks or {}, [b"x"] * (groups * rows * columns)))

    return forge
