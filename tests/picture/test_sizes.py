"""The longest edges of other formats, told in a sentence of ours."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from nncodec.errors import UnsupportedImage
from nncodec.picture.sizes import _LONGEST_EDGE
from nncodec.picture.writing import save


@pytest.mark.parametrize("kind", ["AVIF", "GIF", "JPEG", "MPO", "PCX", "PDF", "SGI", "TGA", "WEBP"])
@pytest.mark.parametrize("size", [(70_000, 2), (2, 70_000)])
def test_70_000_pixels_are_more_than_a_format_holds(kind: str, size: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedImage, match=rf"^{kind} holds at most \d\d,\d{{3}} pixels along an edge") as caught:
        save([Image.new("RGB", size)], kind, strip=False)
    assert f"{size[0]:,} x {size[1]:,}" in str(caught.value)
    with pytest.raises(UnsupportedImage):
        save([Image.new("RGB", size)] * 2, kind, strip=False)


@pytest.mark.parametrize("kind", sorted(_LONGEST_EDGE.keys() - {"MSP"}))
def test_the_longest_edge_is_written_and_read(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    size = _LONGEST_EDGE[kind], 2
    data, _ = save([Image.new("RGB", size, "red")], kind, strip=False)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == size


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_other_formats_have_no_such_limit(kind: str) -> None:
    assert save([Image.new("L", (70_000, 1))], kind, strip=False)[0]
