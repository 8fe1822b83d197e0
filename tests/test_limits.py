"""What a decoder is willing to do for one file."""

from __future__ import annotations

import dataclasses

import pytest
from PIL import Image

from nncodec.errors import LimitExceeded
from nncodec.limits import DEFAULT_LIMITS, Limits

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
