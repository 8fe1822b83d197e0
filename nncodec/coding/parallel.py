"""Blocks and tiles of one picture at the same time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from nncodec._support.threads import in_threads

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_parallel(work: Callable[[_Item], _Result], items: Iterable[_Item], count: int) -> Iterator[_Result]:
    """Yield the results of `work` in the order of the items; see `in_threads`.

    Torch would divide each of its operations among its threads and do all else in one. Whole blocks keep all threads
    busy, so each thread takes blocks and computes alone. Models may be called from several threads at once.

    Args:
        work, items: see `in_threads`.
        count: of the items; 1 if they are to be done one after another, by the calling thread.
    """
    if count <= 1 or "torch" not in sys.modules:
        return in_threads(work, items, count)
    import torch

    from nncodec.nn.threads import threads_of_torch

    return in_threads(work, items, min(count, torch.get_num_threads()), threads_of_torch)
