"""Blocks and tiles of one picture at the same time."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Sequence

from nncodec._support.busy import free_processors
from nncodec._support.threads import Threads, allowed_threads

# Each takes up to 0.2 GB for the block it computes. With more processors, torch gets several of them in each thread.
_MOST = 4
# The share of a block's time that torch does not divide among its threads: two compute one 1.6 times as fast as one.
_SERIAL = 1 / 4
# With more blocks than this, some more or less for one thread do not matter.
_FEW_BLOCKS = 64


def threads_for(pixels: Sequence[int]) -> Threads:
    """Return threads for the blocks and tiles of a picture; models may be called from several threads at once.

    Torch would divide each of its operations among its threads and do all else in one. Whole blocks keep all threads
    busy, so each thread takes blocks and computes alone, unless most of the work is in one of them. A single block is
    computed by as many of torch's threads as other programs leave processors free. Where torch is not loaded, the
    calling thread does all blocks: other engines divide their operations, too, and cannot be told to compute with fewer
    threads.

    Args:
        pixels: of the blocks, in their order; none if they are to be done one after another.
    """
    if "torch" not in sys.modules:
        return Threads(1)
    from nncodec.nn.threads import thread_count, threads_of_torch

    of_torch = min(thread_count(), allowed_threads())
    free = free_processors(of_torch)
    return Threads(_best_count(pixels, of_torch), threads_of_torch, free if free < of_torch else None)


def _best_count(pixels: Sequence[int], of_torch: int) -> int:
    """Return how many threads for whole blocks are done first, when they share torch's threads."""
    most = max(1, min(len(pixels), of_torch, _MOST))
    if len(pixels) > _FEW_BLOCKS:
        return most
    return max(range(1, most + 1), key=lambda count: _speed(pixels, count, of_torch // count))


def _speed(pixels: Sequence[int], count: int, share: int) -> float:
    """Return how many times as fast as one thread several are, each with a share of torch's threads."""
    done_at = [0] * count
    for block in pixels:  # the thread that is done first takes the next one
        heapq.heapreplace(done_at, done_at[0] + block)
    spread = sum(pixels) / max(done_at) if pixels else 1
    return spread / (_SERIAL + (1 - _SERIAL) / share)
