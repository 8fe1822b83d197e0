"""bfloat16 for the transforms of pixels and for training, where it is allowed and fast."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import torch

from nncodec.nn.devices import pixel_device
from nncodec.plugin.precision import current_precision

_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")


@contextlib.contextmanager
def pixel_precision() -> Iterator[None]:
    """Compute transforms of pixels within the block in what `current_precision` allows, on `pixel_device`.

    With "auto" that is autocast to bfloat16 where the device multiplies it. Elsewhere autocast is off, a caller's too,
    and with "float32" a GPU does not round factors to TF32. Networks that run in bfloat16 keep their first and last
    layers in float32, see `PhotoTransforms`. What chooses a probability must not run in it.
    """
    is_reduced = current_precision() == "auto"
    device = pixel_device()
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autocast("cpu", torch.bfloat16, enabled=is_reduced and is_bfloat16_fast()))
        if device.type == "cuda":
            reduced = is_reduced and _gpu_multiplies_bfloat16(device)
            stack.enter_context(torch.autocast("cuda", torch.bfloat16, enabled=reduced))
            if not is_reduced:
                stack.enter_context(whole_float32())
        yield


def training_precision(device: torch.device, bfloat16: bool) -> torch.autocast:
    """Return a block in which networks are trained in bfloat16 where that is wanted and the device multiplies it.

    Elsewhere autocast is off: a processor that only imitates bfloat16 takes eight times as long for a step.

    Args:
        device: where the network is.
        bfloat16: whether it is wanted.
    """
    is_fast = _gpu_multiplies_bfloat16(device) if device.type == "cuda" else is_bfloat16_fast()
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16 and is_fast)


def all_of_float32(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return a block in which a device computes float32 with all its bits, whatever is allowed around it.

    It is for what loses its meaning in fewer: differences of large sums, and values that are rounded to whole numbers.
    Gradients that are taken after the block may be rounded.
    """
    whole = torch.autocast(device.type, enabled=False)
    return _both(whole, whole_float32()) if device.type == "cuda" else whole


@contextlib.contextmanager
def _both(one: contextlib.AbstractContextManager[Any], other: contextlib.AbstractContextManager[Any]) -> Iterator[None]:
    with one, other:
        yield


def is_bfloat16_fast() -> bool:
    """Return whether this processor multiplies bfloat16 and oneDNN, which uses it, is on."""
    return bool(torch.backends.mkldnn.enabled) and _multiplies_bfloat16()


@functools.cache
def _multiplies_bfloat16() -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # absent before torch 2.6
    return any(capabilities.get(unit) for unit in _BFLOAT16_UNITS)


@functools.cache
def _gpu_multiplies_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


class _Whole:
    """How many blocks refuse TF32 now, and the settings before the first of them."""

    lock = threading.Lock()
    blocks = 0
    before: tuple[str, ...] = ()


@contextlib.contextmanager
def whole_float32() -> Iterator[None]:
    """Multiply all bits of float32 on GPUs within the block, where torch would round factors to TF32 by default.

    The settings are the process's. So they hold for other threads, too, until the last thread has left its block; and
    meanwhile torch refuses to tell its older flags `allow_tf32`, which cannot say it.
    """
    cudnn: Any = torch.backends.cudnn
    settings = (cudnn.conv, torch.backends.cuda.matmul)
    with _Whole.lock:
        if not _Whole.blocks:
            _Whole.before = tuple(setting.fp32_precision for setting in settings)
            for setting in settings:
                setting.fp32_precision = "ieee"
        _Whole.blocks += 1
    try:
        yield
    finally:
        with _Whole.lock:
            _Whole.blocks -= 1
            if not _Whole.blocks:
                for setting, value in zip(settings, _Whole.before, strict=True):
                    setting.fp32_precision = value
