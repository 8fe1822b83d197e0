"""Blocks and tiles of one picture at the same time."""

from __future__ import annotations

import sys

from nncodec._support.busy import free_processors
from nncodec._support.threads import Threads, allowed_threads

# Each takes up to 0.2 GB for the block it computes. With more processors, torch gets several of them in each thread.
_MOST = 4


def threads_for(count: int) -> Threads:
    """Return threads for the blocks and tiles of a picture; models may be called from several threads at once.

    Torch would divide each of its operations among its threads and do all else in one. Whole blocks keep all threads
    busy, so each thread takes blocks and computes alone. A single block is computed by as many of torch's threads as
    other programs leave processors free. Where torch is not loaded, the calling thread does all blocks: other engines
    divide their operations, too, and cannot be told to compute with fewer threads.

    Args:
        count: of the blocks; 1 if they are to be done one after another.
    """
    if "torch" not in sys.modules:
        return Threads(1)
    import torch

    from nncodec.nn.threads import threads_of_torch

    of_torch = min(torch.get_num_threads(), allowed_threads())
    free = free_processors(of_torch)
    return Threads(min(count, of_torch, _MOST), threads_of_torch, free if free < of_torch else None)
