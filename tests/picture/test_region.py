"""A box decodes to what cropping the whole picture gives, and costs what the box does."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

import nncodec
from nncodec.coding import encoder
from nncodec.coding import grid as tiling
from nncodec.format.container import Container, write
from nncodec.picture.region import Box, checked_box
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize
from nncodec.plugin.latents import IntArray

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
# No Pillow mode holds other planes.
PILLOW_FILES = [path for path in sorted(GOLDEN.glob("*.nnc")) if "planes" not in path.stem]
MODEL = "conv/photo"
BLOCK = 128


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    image = Image.fromarray(skimage.data.astronaut()).crop((60, 20, 60 + width, 20 + height))
    colour = image.convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        colour.putalpha(image.convert("L").rotate(180))
    return colour


@functools.cache
def coded(width: int, height: int, mode: str, quality: int, **options: bytes | int) -> bytes:
    return nncodec.encode(photo(width, height, mode), MODEL, quality, **options)  # type: ignore[arg-type]


@functools.cache
def whole_of(data: bytes) -> Image.Image:
    """Return the whole picture of a file; no test changes it."""
    return nncodec.decode(data)


def assert_is_crop(found: Image.Image, whole: Image.Image, box: Box) -> None:
    expected = whole.crop(box)
    assert (found.mode, found.size) == (expected.mode, expected.size)
    assert np.abs(np.asarray(found, int) - np.asarray(expected, int)).max() <= 1
    if found.mode.endswith("A"):
        assert found.getchannel("A").tobytes() == expected.getchannel("A").tobytes()
    assert found.info == whole.info


@pytest.fixture(scope="module")
def blocks() -> bytes:
    """A picture of 440 x 330 pixels in 3 x 4 blocks."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(encoder, "BLOCK_EDGE_LOG2", BLOCK.bit_length() - 1)
        data = nncodec.encode(photo(440, 330), MODEL, 90)
    assert nncodec.inspect(data).blocks == (1, 3, 4)
    return data


# --- the right pixels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize(
    "box", [(0, 0, 180, 120), (0, 0, 1, 1), (179, 119, 180, 120), (33, 47, 140, 48), (90, 7, 97, 111)]
)
def test_a_box_is_the_crop_of_the_whole(mode: str, box: Box) -> None:
    data = coded(180, 120, mode, 90, exif=b"Exif\0\0of a camera")
    assert_is_crop(nncodec.decode(data, box=box), whole_of(data), box)


@pytest.mark.parametrize(
    "box", [(0, 0, 440, 330), (3, 5, 60, 70), (100, 100, 300, 300), (127, 127, 129, 129), (430, 320, 440, 330)]
)
def test_a_box_over_several_blocks(blocks: bytes, box: Box) -> None:
    assert_is_crop(nncodec.decode(blocks, box=box), whole_of(blocks), box)


@pytest.mark.parametrize("path", PILLOW_FILES, ids=lambda path: path.stem)
def test_a_box_of_a_golden_file(path: Path) -> None:
    data = path.read_bytes()
    for frame, whole in enumerate(nncodec.decode_frames(data)):
        width, height = whole.size
        box = (width // 3, height // 2, max(width // 3 + 1, width - 2), height)
        assert_is_crop(nncodec.decode(data, frame=frame, box=box), whole, box)


def test_a_box_of_chosen_frames() -> None:
    frames = [photo(70, 40).rotate(90 * turn) for turn in range(5)]
    data = nncodec.encode(frames, MODEL, 90, frames_per_block=2)
    whole = list(nncodec.decode_frames(data))
    wanted = range(4, 0, -1)
    for number, found in zip(wanted, nncodec.decode_frames(data, frames=wanted, box=(20, 1, 66, 33)), strict=True):
        assert_is_crop(found, whole[number], (20, 1, 66, 33))


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize("downscale", [2, 3, 8])
@pytest.mark.parametrize(
    "box", [(0, 0, 201, 133), (0, 0, 9, 5), (200, 132, 201, 133), (57, 31, 60, 129), (64, 32, 128, 64)]
)
def test_a_box_of_a_picture_that_is_stored_reduced(mode: str, downscale: int, box: Box) -> None:
    data = coded(201, 133, mode, 95, downscale=downscale)
    assert_is_crop(nncodec.decode(data, box=box), whole_of(data), box)


@pytest.mark.parametrize("display", [(67, 90), (201, 31), (1, 1), (300, 133)])
def test_a_box_of_a_picture_that_is_shown_in_another_shape(display: tuple[int, int]) -> None:
    container = Container(coded(201, 133, "RGB", 95))
    data = write(replace(container.header, display_size=display), {}, [container.block(0)])
    box = (display[0] // 2, display[1] // 3, display[0], display[1] // 3 + 1)
    assert_is_crop(nncodec.decode(data, box=box), nncodec.decode(data), box)


def test_a_box_of_a_model_of_fixed_size() -> None:
    data = nncodec.encode(photo(28, 28, "L"), "dense/fashion")
    assert_is_crop(nncodec.decode(data, box=(3, 9, 27, 11)), nncodec.decode(data), (3, 9, 27, 11))


# --- for the cost of the box --------------------------------------------------------------------------------------


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Height and width, in latents, of everything the synthesis is run on."""
    model = registry.open_model(MODEL)
    synthesis, seen = model.synthesis, []

    def record(latents: Mapping[str, IntArray], quality: int) -> np.ndarray:
        seen.append(next(iter(latents.values())).shape[2:])
        return synthesis(latents, quality)

    monkeypatch.setattr(model, "synthesis", record)
    return seen


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        # 4 blocks a row; the model sees 64 pixels around a box that is widened to multiples of 16.
        ((0, 0, 60, 60), [0]),
        ((0, 0, 64, 65), [0, 4]),
        ((200, 200, 210, 210), [5, 6, 9, 10]),
        ((176, 70, 177, 80), [0, 1, 4, 5]),
        ((430, 320, 440, 330), [10, 11]),
        ((430, 319, 440, 330), [6, 7, 10, 11]),
        ((0, 0, 440, 330), list(range(12))),
    ],
)
def test_a_box_reads_each_block_within_reach_once_and_no_other(
    blocks: bytes, monkeypatch: pytest.MonkeyPatch, box: Box, expected: list[int]
) -> None:
    read: list[int] = []
    block = Container.block
    monkeypatch.setattr(Container, "block", lambda self, index: read.append(index) or block(self, index))
    nncodec.decode(blocks, box=box)
    assert read == expected


def test_synthesis_runs_on_the_box_and_a_halo_within_a_block_too(windows: list[tuple[int, int]]) -> None:
    size = registry.open_model(MODEL).traits.size
    assert isinstance(size, AnySize)
    data = nncodec.encode(photo(440, 330), MODEL)
    nncodec.decode(data, box=(200, 170, 210, 201))
    # Rows 160..208 and columns 192..224 hold the box, 64 pixels on each side the halo; a latent is 16 pixels.
    around = 2 * size.halo // 16
    assert windows == [(3 + around, 2 + around)]


def test_a_large_picture_is_restored_in_small_tiles_without_seams(
    blocks: bytes, windows: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    undivided = nncodec.encode(photo(440, 330), MODEL, 90)
    whole = {data: nncodec.decode(data) for data in (blocks, undivided)}
    windows.clear()
    monkeypatch.setattr(tiling, "TILE_EDGE", 64)
    for data, expected in whole.items():
        assert_is_crop(nncodec.decode(data), expected, (0, 0, 440, 330))
    assert len(windows) > 60
    assert max(max(window) for window in windows) <= (64 + 2 * 64) // 16


# --- boxes that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((0, 0, 0, 10), "is empty"),
        ((0, 0, 10, 0), "is empty"),
        ((10, 0, 5, 10), "is empty"),
        ((-1, 0, 5, 5), "outside the picture, which is 40 x 30 pixels"),
        ((0, -1, 5, 5), "outside"),
        ((0, 0, 41, 5), "outside"),
        ((0, 0, 5, 31), "outside"),
        ((40, 0, 41, 5), "outside"),
        ((0, 0, 10), "four whole numbers"),
        ((0, 0, 10, 10, 10), "four whole numbers"),
        ((0, 0, 10.0, 10), "four whole numbers"),
        ((0, 0, True, 10), "four whole numbers"),
        ("0123", "four whole numbers"),
        (7, "four whole numbers"),
        ({0, 1, 2, 3}, "four whole numbers"),
    ],
)
def test_a_box_without_pixels_of_the_picture_is_refused_at_once(box: object, reason: str) -> None:
    data = coded(40, 30, "RGB", 50)
    with pytest.raises(nncodec.InvalidOption, match=reason) as caught:
        nncodec.decode_frames(data, box=box)  # type: ignore[arg-type]
    assert caught.value.option == "box"
    assert not isinstance(caught.value, OSError)
    assert "\n" not in str(caught.value)


def test_whole_numbers_of_other_kinds_make_a_box() -> None:
    assert checked_box([np.int64(1), np.uint8(2), 3, 4]) == (1, 2, 3, 4)
    assert checked_box(np.array([1, 2, 3, 4]), (3, 4)) == (1, 2, 3, 4)  # type: ignore[arg-type]
