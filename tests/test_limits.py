"""What a decoder is willing to do for one file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import nncodec
from nncodec.errors import InvalidOption, LimitExceeded
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.torch import NncDataset
from nncodec_pillow import register_nnc_opener

QUANTITIES = [field.name for field in dataclasses.fields(Limits)]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_limit_itself_is_allowed_and_one_more_is_not(quantity: str) -> None:
    limits = Limits(**{quantity: 7})
    limits.check(quantity, 7)
    with pytest.raises(LimitExceeded) as caught:
        limits.check(quantity, 8)
    assert (caught.value.value, caught.value.limit) == (8, 7)


def test_the_message_names_quantity_value_and_limit() -> None:
    with pytest.raises(LimitExceeded, match="8 chunk bytes, over the limit of 7"):
        Limits(chunk_bytes=7).check("chunk_bytes", 8)


def test_by_default_a_picture_is_refused_from_the_size_at_which_pillow_refuses_it() -> None:
    assert Image.MAX_IMAGE_PIXELS is not None
    assert DEFAULT_LIMITS.pixels == 2 * Image.MAX_IMAGE_PIXELS


def test_limits_cannot_be_changed_behind_their_users_back() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT_LIMITS.pixels = 1  # type: ignore[misc]


@pytest.mark.parametrize("value", ["5", -1, 1.5, None, True])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_limit_is_a_whole_number(quantity: str, value: object) -> None:
    with pytest.raises(InvalidOption, match=f"'{quantity}': the limit .* is not a whole number from 0"):
        Limits(**{quantity: value})


def test_a_limit_of_numpy_does_not_overflow() -> None:
    assert Limits(pixels=np.int32(1 << 30)).computed_pixels == 3 << 29


CODED = nncodec.encode(np.zeros((4, 4), np.uint8), lossless=True)


@pytest.mark.parametrize(
    "take",
    [
        lambda limits: nncodec.decode(CODED, limits=limits),
        lambda limits: nncodec.decode_frames(CODED, limits=limits),
        lambda limits: nncodec.decode_batch([CODED], limits=limits),
        lambda limits: nncodec.inspect(CODED, limits=limits),
        lambda limits: nncodec.check(CODED, limits=limits),
        lambda limits: nncodec.enhance(Image.new("L", (8, 8)), limits=limits),
        lambda limits: NncDataset([], limits=limits),
        lambda limits: register_nnc_opener(limits=limits),
    ],
    ids=["decode", "decode_frames", "decode_batch", "inspect", "check", "enhance", "NncDataset", "register_nnc_opener"],
)
def test_limits_of_another_type_are_told(take: Callable[..., object]) -> None:
    with pytest.raises(InvalidOption, match=r"'limits': expected nncodec\.Limits, got int"):
        take(5)
