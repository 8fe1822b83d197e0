"""What plugins declare, checked where it is made."""

from __future__ import annotations

import numpy as np
import pytest

from nncodec.errors import PluginError, Truncated
from nncodec.plugin.entropy import Tables
from nncodec.plugin.guard import run_plugin

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


@pytest.mark.parametrize("error", [AssertionError("a\nb"), OSError(5, "x"), ImportError("y"), KeyError("z")])
def test_whatever_a_plugin_raises_becomes_one_line_that_names_it(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(PluginError, match="'tiny' failed") as caught:
        run_plugin("tiny", fail)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_errors_of_this_package_and_lack_of_memory_pass_through_a_plugin() -> None:
    def fail(error: BaseException) -> None:
        raise error

    for error in (Truncated(part="header"), MemoryError()):
        with pytest.raises(type(error)):
            run_plugin("tiny", fail, error)
