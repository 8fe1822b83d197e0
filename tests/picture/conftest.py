"""Fixtures of tests of pictures."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from pictures_with_metadata import (
    Stored,
    by_batch,
    by_encode,
    by_pillow,
    by_pillow_from_disk,
    by_target,
    from_bytes,
)
from PIL import Image

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning


@pytest.fixture(params=[by_pillow, by_pillow_from_disk, by_encode, by_batch, by_target, from_bytes])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    """Encode a picture file one way; return what it decodes to and the notes."""

    def call(data: bytes, **options: object) -> tuple[Image.Image, list[str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            encoded = request.param(data, tmp_path, **options)
        notes = [str(warning.message) for warning in caught if warning.category is NncWarning]
        assert len(notes) == len(set(notes))
        return nncodec.decode(encoded), notes

    return call
