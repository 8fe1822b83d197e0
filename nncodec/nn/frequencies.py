"""Converts probabilities to the integer frequencies that entropy coders use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def integer_frequencies(probabilities: NDArray[np.float64], precision: int) -> NDArray[np.uint32]:
    """Return frequencies of at least 1 that sum to `1 << precision`, proportional to probabilities that sum to 1.

    Args:
        probabilities: (n,), n below `1 << precision`.
        precision: bits, 1..24.
    """
    total = 1 << precision
    counts = np.maximum(1, np.floor(probabilities * (total - len(probabilities))).astype(np.int64))
    counts[np.argmax(counts)] += total - counts.sum()
    return counts.astype(np.uint32)
