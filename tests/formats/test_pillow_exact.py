"""Exact files in Pillow: `save(lossless=True)`, and `open` in modes that other files do not have."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nncodec
import nncodec_pillow

NOISE = np.random.default_rng(4).integers(0, 256, (14, 18, 4)).astype(np.uint8)


def picture(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(NOISE[..., 0].astype(np.uint16) * 200)
    if mode == "P":
        image = Image.fromarray(NOISE[..., :3]).quantize(7)
        image.info["transparency"] = 2
        return image
    return (
        Image.fromarray(NOISE[..., :3]).convert(mode) if mode in ("1", "CMYK") else Image.fromarray(NOISE).convert(mode)
    )


def saved(image: Image.Image, **options: Any) -> io.BytesIO:
    assert nncodec_pillow  # importing it registers the format
    out = io.BytesIO()
    image.save(out, "NNC", **options)
    return out


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "RGB", "RGBA", "P", "CMYK"])
def test_every_mode_is_saved_and_opened_as_it_was(mode: str) -> None:
    original = picture(mode)
    with Image.open(saved(original, lossless=True)) as image:
        assert (image.mode, image.size) == (mode, original.size)
        assert image.tobytes() == original.tobytes()
        assert image.convert("RGBA").tobytes() == original.convert("RGBA").tobytes()
        assert image.info.get("transparency") == original.info.get("transparency")


def test_frames_of_a_palette_are_opened_one_by_one() -> None:
    frames = [picture("P"), picture("P").transpose(Image.Transpose.ROTATE_180)]
    frames[1].info["transparency"] = 2
    with Image.open(saved(frames[0], save_all=True, append_images=frames[1:], lossless=True)) as image:
        for number in (1, 0):
            image.seek(number)
            assert image.convert("RGBA").tobytes() == frames[number].convert("RGBA").tobytes()


def test_without_lossless_a_palette_is_refused_with_both_ways_out() -> None:
    with pytest.raises(OSError, match="convert to RGBA, it has transparency; lossless=True keeps mode P"):
        saved(picture("P"))


def test_a_preview_of_other_samples_is_not_drafted() -> None:
    with Image.open(saved(picture("P"), lossless=True, preview=16)) as image:
        assert image.draft("P", (4, 4)) is None


def test_planes_that_no_mode_holds_do_not_open() -> None:
    data = nncodec.encode(np.zeros((3, 4, 5), np.uint8), lossless=True)
    with pytest.raises(OSError, match="no Pillow mode holds its 5 planes"):
        Image.open(io.BytesIO(data))


@pytest.mark.parametrize("options", [{}, {"save_all": True}], ids=str)
def test_an_error_is_refused_where_none_is_wanted(options: dict[str, object]) -> None:
    with pytest.raises(nncodec.InvalidOption, match="'lossless' is True, and allows no error of 3"):
        saved(picture("RGB"), lossless=True, max_error=3, **options)


def test_defaults_of_codecs_step_back() -> None:
    nncodec_pillow.register_nnc_opener(quality=30, model="dense/fashion", coder="zstd")
    try:
        with Image.open(saved(picture("RGB"), max_error=1)) as image:
            assert abs(np.asarray(image).astype(int) - NOISE[..., :3]).max() <= 1
    finally:
        nncodec_pillow.register_nnc_opener(quality=None, model=None, coder=None)
