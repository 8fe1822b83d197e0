"""GIF has one transparent colour: what is clear stays clear, what is opaque stays opaque, in every frame."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pictures_with_metadata import photo
from PIL import Image

from nncodec.picture.writing import save

LOST = "GIF pixels are opaque or transparent; partial transparency is lost"
SIZE = (48, 32)
ROWS, COLUMNS = np.indices((SIZE[1], SIZE[0]))
SOFT = np.clip((16 - np.hypot(COLUMNS - 24, ROWS - 16)) * 25, 0, 255).astype(np.uint8)
HARD = np.where(SOFT < 128, 0, 255).astype(np.uint8)


def with_alpha(image: Image.Image, alpha: np.ndarray) -> Image.Image:
    image = image.copy()
    image.putalpha(Image.fromarray(alpha))
    return image


def palette(alphas: bytes | int) -> Image.Image:
    image = photo().quantize(16)
    image.info = {"transparency": alphas}
    return image


PICTURES = {
    "red, soft": with_alpha(Image.new("RGB", SIZE, (220, 0, 0)), SOFT),
    "photo, soft": with_alpha(photo(), SOFT),
    "photo, hard": with_alpha(photo(), HARD),
    "dark photo": with_alpha(photo().point(lambda value: value // 12), HARD),
    "grey, soft": with_alpha(photo().convert("L"), SOFT),
    "grey, hard": with_alpha(photo().convert("L"), HARD),
    "all clear": with_alpha(photo(), np.zeros_like(SOFT)),
    "all opaque": with_alpha(photo(), np.full_like(SOFT, 255)),
    "palette, one colour": palette(3),
    "palette, a table": palette(bytes([0, 128] + [255] * 14)),
    "palette, several clear": palette(bytes([255, 0, 0, 255, 0, 90])),
    "palette, none clear": palette(bytes([255, 200])),
}


def rgba(image: Image.Image) -> np.ndarray:
    return np.asarray(image.copy().convert("RGBA"), np.int16)


def assert_is(image: Image.Image, expected: Image.Image) -> None:
    got, wanted = rgba(image), rgba(expected)
    is_opaque = wanted[..., 3] >= 128
    assert np.array_equal(got[..., 3], np.where(is_opaque, 255, 0))
    if is_opaque.any():
        assert np.abs(got - wanted)[is_opaque][..., :3].mean() < (1e-9 if expected.mode == "P" else 12)


@pytest.mark.parametrize("name", PICTURES)
def test_gif_keeps_what_is_clear(name: str) -> None:
    picture = PICTURES[name]
    is_partial = bool(np.isin(rgba(picture)[..., 3], (0, 255), invert=True).any())
    data, notes = save([picture.copy()], "GIF", strip=False)
    with Image.open(io.BytesIO(data)) as image:
        assert_is(image, picture)
    assert (LOST in notes) == is_partial


@pytest.mark.parametrize("name", sorted(PICTURES.keys() - {"all opaque"}))
def test_frames_do_not_show_through_later_ones(name: str) -> None:
    frames = [PICTURES[name].rotate(angle) for angle in (0, 90, 180, 45)]
    for frame in frames:
        frame.info = {**PICTURES[name].info, "duration": 50}
    data, _ = save([frame.copy() for frame in frames], "GIF", strip=False)
    with Image.open(io.BytesIO(data)) as image:
        if name == "all clear":  # equal frames become one
            frames = frames[: image.n_frames]
        assert image.n_frames == len(frames)
        for number, frame in enumerate(frames):
            image.seek(number)
            assert_is(image, frame)


@pytest.mark.parametrize("clear", [0, 1, 2])
def test_a_hole_that_moves_is_in_a_whole_frame(clear: int) -> None:
    frames = []
    for left in (0, 10, 20):
        frame = Image.new("P", SIZE, 3)
        frame.putpalette([9, 9, 9, 0, 0, 0, 255, 255, 255, 255, 0, 0])
        frame.paste(clear, (left + 3, 11, left + 9, 21))
        frame.info = {"transparency": clear, "duration": 50}
        frames.append(frame)
    data, _ = save([frame.copy() for frame in frames], "GIF", strip=False)
    with Image.open(io.BytesIO(data)) as image:
        for number, frame in enumerate(frames):
            image.seek(number)
            assert_is(image, frame)


@pytest.mark.parametrize("colours", [30, 200])
def test_colours_that_gif_holds_are_not_said_to_be_reduced(colours: int) -> None:
    picture = with_alpha(photo().quantize(colours).convert("RGB"), HARD)
    assert save([picture], "GIF", strip=False)[1] == ()
