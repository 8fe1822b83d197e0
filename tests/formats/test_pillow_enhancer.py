"""Enhancers through Pillow: pictures are plain unless the process asked for more."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

import nncodec
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType
from nncodec_pillow import register_nnc_opener

pytestmark = pytest.mark.usefixtures("enhancers")

MODEL = "conv/photo"


def saved(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "NNC", model=MODEL, quality=80, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image


def test_save_passes_the_recommendation_on(photo: Image.Image) -> None:
    data = saved(photo, enhancer="restore", enhancer_strength=0.4)
    assert data == nncodec.encode(photo, MODEL, 80, enhancer="sharp/keep", enhancer_strength=0.4)
    reduced = nncodec.inspect(saved(photo, enhancer="x4", downscale=4)).enhancer
    assert reduced is not None
    assert reduced.name == "sharp/four"


def test_save_refuses_what_cannot_be_recommended(photo: Image.Image) -> None:
    with pytest.raises(nncodec.InvalidOption, match="needs a picture that is stored reduced"):
        saved(photo, enhancer="x4")
    with pytest.raises(OSError, match="no installed enhancer is 'nope'"):
        saved(photo, enhancer="nope")


def test_pictures_are_plain_by_default(photo: Image.Image) -> None:
    data = saved(photo, enhancer="restore", enhancer_strength=1)
    assert opened(data).tobytes() == nncodec.decode(data).tobytes()
    assert "enhancer" not in opened(data).info


@pytest.mark.parametrize("strength", [None, 0.2])
@pytest.mark.parametrize("enhancer", ["recommended", "restore"])
def test_an_enhancer_is_used_where_the_process_asked_for_it(
    photo: Image.Image, enhancer: str, strength: float | None
) -> None:
    data = saved(photo, enhancer="restore", enhancer_strength=1)
    register_nnc_opener(enhancer=enhancer, strength=strength)
    expected = nncodec.decode(data, enhancer=enhancer, strength=strength)
    assert opened(data).tobytes() == expected.tobytes() != nncodec.decode(data).tobytes()
    register_nnc_opener(enhancer=None)
    assert opened(data).tobytes() == nncodec.decode(data).tobytes()


def test_frames_are_enhanced_in_any_order(photo: Image.Image) -> None:
    frames = [photo, photo.rotate(180), photo.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    data = saved(frames[0], save_all=True, append_images=frames[1:], enhancer="restore", enhancer_strength=1)
    register_nnc_opener(enhancer="recommended")
    expected = [frame.tobytes() for frame in nncodec.decode_frames(data, enhancer="recommended")]
    with Image.open(io.BytesIO(data)) as image:
        for number in (0, 1, 2, 0):
            image.seek(number)
            assert image.tobytes() == expected[number]


def test_what_is_set_for_opening_is_not_used_for_saving(photo: Image.Image) -> None:
    register_nnc_opener(enhancer="recommended", strength=0.3)
    assert saved(photo) == nncodec.encode(photo, MODEL, 80)


def test_the_header_and_the_metadata_are_read_without_the_enhancer(
    photo: Image.Image, enhancers: Callable[[], None]
) -> None:
    data = saved(photo, enhancer="restore")
    register_nnc_opener(enhancer="recommended")
    enhancers()
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == photo.size
        with pytest.raises(OSError, match="to decode the file without it, set no enhancer") as caught:
            image.load()
        assert isinstance(caught.value.__cause__, nncodec.UnknownModel)
    register_nnc_opener(enhancer=None)
    assert opened(data).size == photo.size


def test_a_recommendation_that_makes_no_sense_only_matters_to_who_asks(photo: Image.Image) -> None:
    container = Container(saved(photo))
    data = write(container.header, {ChunkType.ENHANCER: b"\xff"}, [container.block(0)])
    assert opened(data).size == photo.size
    register_nnc_opener(enhancer="recommended")
    with pytest.raises(nncodec.FormatError, match="recommendation"):
        opened(data)


def test_an_enlarged_picture_counts_against_the_limit_of_the_process(photo: Image.Image) -> None:
    data = saved(photo, downscale=2)
    register_nnc_opener(enhancer="x4", limits=nncodec.Limits(pixels=16 * 24 * 16))
    assert opened(data).size == photo.size
    register_nnc_opener(limits=nncodec.Limits(pixels=16 * 24 * 16 - 1))
    with pytest.raises(nncodec.LimitExceeded, match="6144 pixels"):
        opened(data)


@pytest.mark.parametrize(
    ("options", "option"),
    [({"enhancer": 4}, "enhancer"), ({"strength": 1.5}, "strength"), ({"strength": "much"}, "strength")],
)
def test_bad_options_are_refused_when_they_are_set(options: dict[str, Any], option: str) -> None:
    with pytest.raises(nncodec.InvalidOption) as caught:
        register_nnc_opener(**options)
    assert caught.value.option == option
