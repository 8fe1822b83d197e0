"""Probability tables are checked where a plugin makes them."""

from __future__ import annotations

import numpy as np
import pytest

from nncodec.plugin.entropy import Tables

FLAT = np.full((2, 16), 64, np.uint32)


def test_sound_tables_are_taken() -> None:
    assert Tables(FLAT, -7, 10).frequencies is FLAT


@pytest.mark.parametrize(
    ("frequencies", "minimum", "precision"),
    [
        (FLAT.astype(np.int64), -7, 10),
        (FLAT, -7, 11),
        (FLAT[0], -7, 10),
        (FLAT[:0], -7, 10),
        (np.array([[1024, 0]], np.uint32), -7, 10),
        (np.array([[2**32 - 1, 1025]], np.uint32), -7, 10),  # sums to 2^10 in 32 bits only
        (np.array([[1]], np.uint32), 0, 0),
        (FLAT, -7, 10**9),
        (FLAT, -(2**40), 10),
        (np.full((1, 2**17), 2, np.uint32), 0, 18),
    ],
)
def test_unsound_tables_are_refused(frequencies: np.ndarray, minimum: int, precision: int) -> None:
    with pytest.raises(ValueError, match="probability table"):
        Tables(frequencies, minimum, precision)
