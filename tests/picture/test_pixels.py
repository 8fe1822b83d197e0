"""Pillow images to planes and back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import nncodec
from nncodec.errors import UnsupportedImage
from nncodec.format.header import ColourMode
from nncodec.picture.area import Area, Span
from nncodec.picture.pixels import MODES, Frames, array_of, from_images, from_model, to_image, to_model


def image_of(mode: str, seed: int = 0) -> Image.Image:
    planes = np.random.default_rng(seed).integers(0, 256, (len(mode), 3, 5)).astype(np.uint8)
    bands = [Image.fromarray(plane) for plane in planes]
    return bands[0] if mode == "L" else Image.merge(mode, bands)


def colour_of(frames: Frames) -> np.ndarray:
    count, height, width, _ = frames.shape
    return frames.window(Span(0, count), Area(Span(0, height), Span(0, width)))


@pytest.mark.parametrize("mode", MODES)
def test_an_image_taken_apart_and_put_together_is_the_same(mode: str) -> None:
    images = [image_of(mode, seed) for seed in range(3)]
    frames = from_images(images)
    for number, image in enumerate(images):
        again = to_image(colour_of(frames)[number], frames.mode.name)
        if frames.alpha is not None:
            again.putalpha(Image.fromarray(frames.alpha[number]))
        assert again.mode == mode
        np.testing.assert_array_equal(np.asarray(again), np.asarray(image))


@pytest.mark.parametrize(
    ("mode", "coded", "channels"),
    [
        ("L", ColourMode.L, 1),
        ("LA", ColourMode.L, 1),
        ("RGB", ColourMode.RGB, 3),
        ("RGBA", ColourMode.RGB, 3),
    ],
)
def test_alpha_is_kept_apart_from_what_a_model_codes(mode: str, coded: ColourMode, channels: int) -> None:
    frames = from_images([image_of(mode), image_of(mode)])
    assert frames.mode is coded
    assert frames.shape == colour_of(frames).shape == (2, 3, 5, channels)
    assert colour_of(frames).dtype == np.uint8
    assert (None if frames.alpha is None else frames.alpha.shape) == ((2, 3, 5) if mode.endswith("A") else None)


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "I", "I;16", "F", "PA", "HSV"])
def test_another_mode_is_refused_by_name(mode: str) -> None:
    with pytest.raises(UnsupportedImage, match=f"cannot write mode {mode} as NNC"):
        from_images([Image.new(mode, (4, 4))])


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "F"])
def test_samples_that_pillow_would_clip_are_to_be_scaled(mode: str) -> None:
    image = Image.new(mode, (4, 4), 3000)
    with pytest.raises(UnsupportedImage, match=r"scale its samples to 0\.\.255 first") as refused:
        from_images([image])
    assert ("lossless=True keeps its 16 bits" in str(refused.value)) is (mode != "F")
    if mode == "F":
        with pytest.raises(UnsupportedImage, match=r"scale its samples to 0\.\.255 first"):
            nncodec.encode(image, lossless=True)
    else:
        assert np.array_equal(np.asarray(nncodec.decode(nncodec.encode(image, lossless=True))), np.full((4, 4), 3000))


def test_grey_of_more_than_sixteen_bits_is_refused() -> None:
    with pytest.raises(UnsupportedImage, match="exceed 16 bits; scale them"):
        nncodec.encode(Image.new("I", (4, 4), 70_000), lossless=True)


def test_nothing_is_refused() -> None:
    with pytest.raises(UnsupportedImage, match="no picture"):
        from_images([])


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UnsupportedImage, match=f"{size[0]} x {size[1]}"):
        from_images([Image.new("L", size)])


@pytest.mark.parametrize("other", [Image.new("L", (4, 5)), Image.new("RGB", (4, 4)), Image.new("LA", (4, 4))])
def test_frames_that_differ_are_refused_and_the_odd_one_is_named(other: Image.Image) -> None:
    first = Image.new("L", (4, 4))
    with pytest.raises(UnsupportedImage, match="frame 2 "):
        from_images([first, first, other])


def test_a_grey_picture_goes_through_a_colour_model_and_back_unchanged() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    planes = to_model(grey, ("RGB",))
    assert planes.shape == (1, 16, 16, 3)
    np.testing.assert_array_equal(from_model(planes, ColourMode.L), grey)


def test_planes_that_a_model_takes_are_not_touched() -> None:
    grey, colour = np.zeros((1, 2, 2, 1), np.uint8), np.zeros((1, 2, 2, 3), np.uint8)
    assert to_model(grey, ("L", "RGB")) is grey
    assert to_model(colour, ("L", "RGB")) is colour
    assert from_model(colour, ColourMode.RGB) is colour


def test_a_colour_picture_does_not_suit_a_grey_model() -> None:
    with pytest.raises(UnsupportedImage, match="convert the picture to mode L"):
        to_model(np.zeros((1, 2, 2, 3), np.uint8), ("L",))


@pytest.mark.parametrize(
    ("planes", "grey"),
    [((0, 0, 0), 0), ((0, 0, 1), 0), ((0, 1, 1), 1), ((255, 255, 254), 255), ((255, 254, 254), 254), ((255,) * 3, 255)],
)
def test_a_grey_picture_from_a_colour_model_is_the_mean_rounded_to_nearest(
    planes: tuple[int, int, int], grey: int
) -> None:
    found = from_model(np.array(planes, np.uint8).reshape(1, 1, 1, 3), ColourMode.L)
    assert found.dtype == np.uint8
    assert found.ravel().tolist() == [grey]


@pytest.mark.parametrize("mode", MODES)
def test_a_window_repeats_the_edges_that_it_reaches_beyond(mode: str) -> None:
    frames = from_images([image_of(mode, seed) for seed in range(3)])
    expected = np.pad(colour_of(frames), ((0, 0), (0, 2), (0, 3), (0, 0)), mode="edge")[1:3, 1:5, 2:8]
    np.testing.assert_array_equal(frames.window(Span(1, 3), Area(Span(1, 5), Span(2, 8))), expected)


@pytest.mark.parametrize("mode", MODES)
def test_one_frame_by_itself(mode: str) -> None:
    frames = from_images([image_of(mode, seed) for seed in range(3)])
    alone = frames.frame(1)
    np.testing.assert_array_equal(colour_of(alone), colour_of(frames)[1:2])
    if frames.alpha is None:
        assert alone.alpha is None
    else:
        np.testing.assert_array_equal(alone.alpha, frames.alpha[1:2])


@pytest.mark.parametrize("mode", MODES)
def test_colour_is_resampled_frame_by_frame_by_lanczos_and_alpha_is_not(mode: str) -> None:
    frames = from_images([image_of(mode, seed) for seed in range(2)])
    if frames.alpha is not None:
        frames.alpha[:] = 255
    found = frames.reduced(4, 2)
    assert found.shape == (2, 2, 4, frames.shape[3])
    assert found.alpha is frames.alpha
    for number in range(2):
        plane = Image.fromarray(colour_of(frames)[number, ..., 0]).resize((4, 2), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(colour_of(found)[number, ..., 0], np.asarray(plane))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_resampled_colour_is_weighted_by_alpha(mode: str) -> None:
    planes = np.zeros((8, 16, len(mode)), np.uint8)
    planes[:, :8, :-1] = 200
    planes[:, :8, -1] = 255
    planes[:, 8:, -1] = 1
    (image,) = from_images([Image.fromarray(planes, mode)]).reduced(5, 4).images  # the edge is in column 2
    assert np.abs(np.asarray(image, int)[:, :3] - 200).max() <= 1
    assert np.asarray(image)[:, 4].max() <= 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16"])
def test_an_array_holds_what_pillow_would_give(mode: str) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (515, 7, 3)).astype(np.uint8)
    colour = Image.fromarray(samples)
    deep = Image.fromarray(samples[..., 0].astype(np.uint16) * 257)
    image = deep if mode == "I;16" else colour.quantize(9) if mode == "P" else colour.convert(mode)
    made = array_of(image)
    assert (made.dtype, made.flags.owndata, made.flags.writeable) == (np.array(image).dtype, True, True)
    assert np.array_equal(made, np.array(image))
