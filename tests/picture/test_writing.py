"""Formats are found by their extension; `tests/cli/test_decode.py` sees what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncodec.errors import InvalidOption
from nncodec.picture.writing import extension_of, format_of


@pytest.mark.parametrize(("extension", "kind"), [("png", "PNG"), (".JPG", "JPEG"), ("tif", "TIFF"), ("webp", "WEBP")])
def test_a_format_is_found_by_its_extension(extension: str, kind: str) -> None:
    assert format_of(extension) == kind


@pytest.mark.parametrize("extension", ["nnc", "txt", ""])
def test_a_format_that_pillow_does_not_write_is_refused(extension: str) -> None:
    with pytest.raises(InvalidOption, match=rf"Pillow writes no \.{extension} files") as caught:
        format_of(extension)
    assert caught.value.option == "format"


def test_a_path_without_an_extension_is_refused() -> None:
    assert extension_of(Path("a/b.png")) == ".png"
    with pytest.raises(InvalidOption, match="has no extension that says its format") as caught:
        extension_of(Path("a.b/c"))
    assert caught.value.option == "output"
