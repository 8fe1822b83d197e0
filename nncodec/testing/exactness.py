"""Other ways in which a machine may compute, for the test that contexts are exact."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec._support.filtered_warnings import filtered_warnings
from nncodec.plugin.device import device
from nncodec.plugin.self_test import block_latents, contexts_of

__all__ = ["assert_same_contexts", "backends", "block_latents", "contexts_of", "plain_backends"]

_THREADS = (1, 2, 7)


def backends() -> Iterator[tuple[str, AbstractContextManager[Any]]]:
    """Yield ways to compute with PyTorch by name; none if the model did not load it."""
    if "torch" not in sys.modules:
        return
    import torch

    yield from plain_backends()
    for count in _THREADS:
        yield f"with {count} threads", _threads(count)
    yield "under autocast", torch.autocast("cpu", torch.bfloat16)
    yield "where float32 is multiplied as bfloat16", _reduced_float32("bf16")
    yield "where float32 is multiplied as TF32", _reduced_float32("tf32")
    yield "with float64 as the default", _float64()
    if torch.cuda.is_available():
        yield "with a GPU", device("cuda")  # torch multiplies float32 as TF32 there


def plain_backends() -> Iterator[tuple[str, AbstractContextManager[Any]]]:
    """Yield the way to compute that differs from PyTorch's usual one in the order of summation alone."""
    if "torch" in sys.modules:
        yield "without oneDNN", _without_onednn()


def assert_same_contexts(
    found: Sequence[tuple[NDArray[Any], ...]], expected: Sequence[tuple[NDArray[Any], ...]], condition: str
) -> None:
    for stage, (own, wanted) in enumerate(zip(found, expected, strict=True)):
        for what, array, other in zip(("tables", "offsets"), own, wanted, strict=True):
            apart = np.count_nonzero(array != other)
            assert not apart, (
                f"{apart} of {array.size} {what} of stage {stage} change {condition}: files would be unreadable there; "
                "compute them in integers, see nncodec.nn.fixed_point and nncodec.nn.exact"
            )


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    import torch

    # It warns of TF32 on other processors, whatever is set.
    with filtered_warnings("ignore"), torch.backends.mkldnn.flags(enabled=False):
        yield


@contextlib.contextmanager
def _reduced_float32(precision: str) -> Iterator[None]:
    import torch

    settings: list[Any] = [getattr(torch.backends.mkldnn, name, None) for name in ("conv", "matmul")]
    found = [setting for setting in settings if hasattr(setting, "fp32_precision")]  # since torch 2.9
    before = [setting.fp32_precision for setting in found]
    try:
        for setting in found:
            setting.fp32_precision = precision
        yield
    finally:
        for setting, value in zip(found, before, strict=True):
            setting.fp32_precision = value


@contextlib.contextmanager
def _float64() -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
