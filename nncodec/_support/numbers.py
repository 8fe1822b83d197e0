"""Numbers that callers pass: NumPy's become Python's, which do not overflow in what is computed with them."""

from __future__ import annotations

import numpy as np


def whole_number(value: object) -> int | None:
    """Return a whole number, of Python or of NumPy, as an `int`; None for anything else, booleans too."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return int(value) if is_whole else None  # type: ignore[call-overload]


def real_number(value: object) -> float | None:
    """Return a number, of Python or of NumPy, as a `float`; None for anything else, booleans too."""
    is_real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    try:
        return float(value) if is_real else None  # type: ignore[arg-type]
    except OverflowError:
        return None
