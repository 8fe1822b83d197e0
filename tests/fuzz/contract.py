"""What a fuzz target is, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fuzz.mutators import Mutator, change_bytes

import nncodec

LIMITS = nncodec.Limits(pixels=1 << 20, block_pixels=1 << 18, frames=1 << 10, blocks=1 << 8, preview_pixels=1 << 14)
"""Limits of readers that are fuzzed."""
SECONDS = 2.0
MEMORY_BYTES = 400_000_000


@dataclass(frozen=True)
class Target:
    """What is fuzzed. It takes bytes and returns, or raises one of the exceptions that it documents.

    Anything else is a finding, and so is what takes more than `SECONDS` or `MEMORY_BYTES`.

    Args:
        run: takes an input.
        seeds: valid inputs, or near.
        documented: the exceptions that it may raise.
        mutate: changes an input.
        cost: of a run, about, in runs of a usual target; it is run so much less often.
    """

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    documented: tuple[type[BaseException], ...]
    mutate: Mutator = change_bytes
    cost: int = 1
