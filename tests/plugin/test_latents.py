"""Latents: shapes, and what a model may hand over as them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncodec.plugin.latents import Latents, LatentSpec, problem_with, problem_with_analysis

SPECS = (LatentSpec("main", 3, 8, -4, 5), LatentSpec("side", 2, 32, 0, 1))
SHAPE = (2, 40, 64)  # frames, height, width


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(16, 16, (1, 3, 2, 2)), (17, 24, (1, 3, 3, 3)), (1, 8, (1, 3, 1, 1)), (9, 7, (1, 3, 2, 1))],
)
def test_latents_cover_the_last_part_of_a_stride_too(
    height: int, width: int, expected: tuple[int, int, int, int]
) -> None:
    assert SPECS[0].shape(1, height, width) == expected


@given(st.integers(1, 10**9), st.integers(1, 4096))
def test_the_latents_of_an_axis_are_just_enough_to_cover_it(pixels: int, stride: int) -> None:
    _, _, count, _ = LatentSpec("y", 1, stride, 0, 1).shape(1, pixels, 1)
    assert (count - 1) * stride < pixels <= count * stride


def test_a_stride_of_the_whole_picture_gives_one_latent_a_channel() -> None:
    assert LatentSpec("y", 16, 28, -128, 127).shape(5, 28, 28) == (5, 16, 1, 1)


def zero_latents(specs: tuple[LatentSpec, ...], frames: int, height: int, width: int) -> Latents:
    return {spec.name: np.zeros(spec.shape(frames, height, width), np.int32) for spec in specs}


def test_zero_latents_have_the_declared_shapes_and_nothing_wrong() -> None:
    latents = zero_latents(SPECS, *SHAPE)
    assert {name: array.shape for name, array in latents.items()} == {"main": (2, 3, 5, 8), "side": (2, 2, 2, 2)}
    assert problem_with(latents, SPECS, SHAPE) is None


def test_latents_at_the_ends_of_their_range_are_right() -> None:
    latents = zero_latents(SPECS, *SHAPE)
    latents["main"][0, 0, 0, :2] = -4, 5
    assert problem_with(latents, SPECS, SHAPE) is None


def _missing(latents: Latents) -> None:
    del latents["side"]


def _unasked(latents: Latents) -> None:
    latents["more"] = latents["side"]


def _misshapen(latents: Latents) -> None:
    latents["main"] = latents["main"][:, :, :4]


def _transposed(latents: Latents) -> None:
    latents["main"] = latents["main"].swapaxes(2, 3)


def _of_floats(latents: Latents) -> None:
    latents["main"] = latents["main"].astype(np.float32)  # type: ignore[assignment]


def _too_wide(latents: Latents) -> None:
    latents["main"] = latents["main"].astype(np.int64)  # type: ignore[assignment]


def _too_small(latents: Latents) -> None:
    latents["main"][-1, -1, -1, -1] = -5


def _too_large(latents: Latents) -> None:
    latents["side"][0, 0, 0, 0] = 2


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_missing, "side"),
        (_unasked, "more"),
        (_misshapen, r"'main' have shape \(2, 3, 4, 8\)"),
        (_transposed, r"'main' have shape \(2, 3, 8, 5\)"),
        (_of_floats, "'main' are float32"),
        (_too_wide, "'main' are int64"),
        (_too_small, r"'main' leave -4\.\.5"),
        (_too_large, r"'side' leave 0\.\.1"),
    ],
)
def test_what_is_wrong_with_latents_is_named(spoil: Callable[[Latents], None], reason: str) -> None:
    latents = zero_latents(SPECS, *SHAPE)
    spoil(latents)
    assert re.search(reason, problem_with(latents, SPECS, SHAPE) or "nothing is")


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.int64])
def test_analysis_may_give_some_of_the_arrays_as_numbers_of_any_kind(kind: type[np.generic]) -> None:
    arrays = {"main": np.zeros(SPECS[0].shape(*SHAPE), kind)}
    assert problem_with_analysis(arrays, SPECS, SHAPE) is None
    assert problem_with_analysis({**arrays, "side": np.ones(SPECS[1].shape(*SHAPE), kind)}, SPECS, SHAPE) is None


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({}, r"gives \[\], declared"),
        ({"more": np.zeros(SPECS[0].shape(*SHAPE))}, "more"),
        ({"main": np.zeros((2, 3, 8, 5))}, r"'main' of shape \(2, 3, 8, 5\)"),
        ({"main": np.zeros(SPECS[0].shape(*SHAPE), np.complex64)}, "'main' as complex64"),
        ({"main": np.zeros(SPECS[0].shape(*SHAPE), bool)}, "'main' as bool"),
    ],
)
def test_what_is_wrong_with_what_analysis_gives_is_named(arrays: dict[str, np.ndarray], reason: str) -> None:
    assert re.search(reason, problem_with_analysis(arrays, SPECS, SHAPE) or "nothing is")


@pytest.mark.parametrize("step", [0, -1, 2**30 + 1])
def test_a_step_that_is_none_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match="step"):
        LatentSpec("y", 1, 1, 0, 1, step)


@pytest.mark.parametrize(("minimum", "maximum"), [(1, 0), (-(2**31), 0), (0, 2**30 + 1)])
def test_a_range_that_is_empty_or_too_wide_is_refused(minimum: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="range"):
        LatentSpec("y", 1, 1, minimum, maximum)
