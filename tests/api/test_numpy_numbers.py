"""NumPy's numbers as arguments mean what Python's do: narrow ones overflow in what is computed with them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec.compare import compare
from nncodec.torch import CenterCrop, RandomCrop, decode_batch

pytestmark = pytest.mark.usefixtures("codecs_only")  # smooth little pictures would become exact files


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 260, 3), np.uint8))


@pytest.fixture(scope="module")
def stack() -> bytes:
    """Frames that only 16 bits can count, in blocks of as many."""
    grey = [Image.new("L", (8, 8), number % 200) for number in range(300)]
    return nncodec.encode(grey, lossless=True, frames_per_block=300)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": np.uint8(60)},
        {"quality": np.int8(40)},
        {"target_size": np.int16(9_000)},
        {"target_bpp": np.float16(6)},
        {"effort": np.uint8(2), "record_settings": True},
        {"preview": np.uint8(200)},
        {"downscale": np.uint8(3)},
        {"max_error": np.uint8(200)},
        {"dpi": np.float16(300)},
    ],
)
def test_a_numpy_number_makes_the_file_that_a_plain_one_does(options: dict[str, Any], noise: Image.Image) -> None:
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()}
    data = nncodec.encode(noise, **options)
    assert data == nncodec.encode(noise, **plain)
    assert nncodec.decode(data).size == noise.size


def test_a_numpy_quality_means_the_same_in_a_batch_and_in_pillow(noise: Image.Image) -> None:
    nncodec_pillow.register_nnc_opener()
    data, saved = nncodec.encode(noise, quality=60), io.BytesIO()
    noise.save(saved, "NNC", quality=np.uint8(60))
    assert saved.getvalue() == data
    assert nncodec.encode_batch([noise], quality=np.uint8(60)) == [data]  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"duration": np.float16(40)}, {"duration": np.uint8(40)}, {"loop": np.uint8(3)}])
def test_a_numpy_number_says_how_an_animation_is_shown(options: dict[str, Any]) -> None:
    frames = [Image.new("L", (16, 16), 50 * number) for number in range(3)]
    plain = {name: value.item() for name, value in options.items()}
    assert nncodec.encode(frames, **options) == nncodec.encode(frames, **plain)


def test_a_numpy_number_chooses_a_frame(stack: bytes) -> None:
    number = np.uint8(255)
    assert nncodec.decode(stack, frame=number).getpixel((0, 0)) == 55  # type: ignore[call-overload]
    assert nncodec.decode(stack, frame=number, as_array=True)[0, 0] == 55  # type: ignore[call-overload]
    (image,) = nncodec.decode_frames(stack, frames=[number])  # type: ignore[arg-type]
    assert image.getpixel((0, 0)) == 55
    nncodec_pillow.register_nnc_opener()
    with Image.open(io.BytesIO(stack)) as opened:
        opened.seek(number)  # type: ignore[arg-type]
        assert opened.getpixel((0, 0)) == 55


@pytest.mark.parametrize("frame", [1.0, None, "1", True, np.float32(1)])
def test_a_frame_that_is_no_whole_number_is_told(frame: object, stack: bytes) -> None:
    with pytest.raises(nncodec.InvalidOption, match=r"frame.*is not a whole number"):
        nncodec.decode(stack, frame=frame)  # type: ignore[call-overload]
    with pytest.raises(nncodec.InvalidOption, match=r"frame.*is not a whole number"):
        nncodec.decode_frames(stack, frames=[0, frame])  # type: ignore[arg-type,list-item]


@pytest.mark.parametrize("crop", [RandomCrop(np.uint8(40), np.uint8(200)), CenterCrop(np.uint8(40), np.uint8(200))])  # type: ignore[arg-type]
def test_a_numpy_number_is_the_edge_of_a_crop(crop: RandomCrop, noise: Image.Image) -> None:
    (tensor,) = decode_batch([nncodec.encode(noise, lossless=True)], box=crop)
    assert tensor.shape == (3, 40, 200)


def test_a_comparison_at_numpy_qualities_has_json(noise: Image.Image) -> None:
    comparison = compare({"noise": noise}, ["jpeg"], qualities=np.array([20, 50], np.uint8))  # type: ignore[arg-type]
    assert [one.quality for one in type(comparison).from_json(comparison.to_json()).measurements] == [20, 50]
