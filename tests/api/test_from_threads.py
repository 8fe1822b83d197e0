"""Several threads of a program use the interface: each gets what it would alone, and settings of the process stay."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import ExifTags, Image

import nncodec


@pytest.fixture
def often_interrupted() -> Iterator[None]:
    """Threads take turns often, so that what they do in between is seen."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_pictures_are_read_from_files(tmp_path: Path, often_interrupted: None) -> None:
    paths = []
    for number in range(4):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation], exif[ExifTags.Base.ImageDescription] = 6, f"picture {number}"
        paths.append(tmp_path / f"{number}.jpg")
        Image.fromarray(skimage.data.rocket()[:40, 40 * number :][:, :56]).save(paths[-1], exif=exif)
    alone = [nncodec.encode(path) for path in paths]
    filters, limit, threads = list(warnings.filters), Image.MAX_IMAGE_PIXELS, torch.get_num_threads()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(nncodec.encode, paths * 2)) == alone * 2
        decoded = list(pool.map(nncodec.decode, alone * 2))
    assert [image.getexif()[ExifTags.Base.ImageDescription] for image in decoded[:4]] == [
        f"picture {number}" for number in range(4)
    ]
    assert all(np.array_equal(one, other) for one, other in zip(decoded, decoded[4:], strict=False))
    assert list(warnings.filters) == filters
    assert limit == Image.MAX_IMAGE_PIXELS
    assert torch.get_num_threads() == threads
