"""The device that networks compute pixels on; what codes latents stays on the processor.

Core sets it around each call of a model, and models read it. It belongs to the running thread or task; a new thread
starts with "cpu".
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Union

from nncodec.errors import InvalidOption

if TYPE_CHECKING:
    import torch

Device = Union[str, "torch.device"]
"""Where transforms and enhancers compute: "cpu", "cuda" (the current GPU), "cuda:1", or such a `torch.device`."""

_NAME = re.compile(r"cpu|cuda(:[0-9]{1,4})?")

_current: ContextVar[str] = ContextVar("device", default="cpu")
_pixels_stay: ContextVar[bool] = ContextVar("pixels_stay", default=False)


def current_device() -> str:
    """Return the device that networks compute pixels on, in this thread or task: "cpu", "cuda", or "cuda:0" and so on.

    PyTorch has it. `nncodec.nn.devices` keeps networks on it.
    """
    return _current.get()


def chosen_device(given: Device | None) -> str:
    """Return the name of a device that an option gives, or of the current one for None.

    Raises:
        InvalidOption: it is no name of a device, or PyTorch does not have it.
    """
    if given is None:
        return current_device()
    name = str(given) if isinstance(given, str) or _is_torch_device(given) else ""
    if not _NAME.fullmatch(name):
        raise InvalidOption(option="device", reason=f"{given!r} is not 'cpu', 'cuda' or 'cuda:' with a number")
    if name != "cpu":
        _require_gpu(name)
    return name


@contextlib.contextmanager
def device(value: Device | None) -> Iterator[None]:
    """Compute pixels on a device within the block, in this thread or task, unless a call names its own.

    Files decode to the same latents on every device, and to pixels that differ by at most one level with
    `precision="float32"`.

    Args:
        value: "cpu", "cuda", "cuda:1" and so on, or such a `torch.device`; None changes nothing.

    Raises:
        InvalidOption: it is anything else, or PyTorch does not have this device.

    Example:
        >>> with nncodec.device("cuda"):
        ...     images = nncodec.decode_batch(paths)
    """
    token = _current.set(chosen_device(value))
    try:
        yield
    finally:
        _current.reset(token)


def pixels_may_stay() -> bool:
    """Return whether a synthesis may return its pixels as a torch tensor, (N, H, W, C) of uint8, where they are."""
    return _pixels_stay.get()


@contextlib.contextmanager
def pixels_staying() -> Iterator[None]:
    """Let pixels stay on their device within the block, see `pixels_may_stay`."""
    token = _pixels_stay.set(True)
    try:
        yield
    finally:
        _pixels_stay.reset(token)


def _is_torch_device(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.device)


def _require_gpu(name: str) -> None:
    import torch

    if not torch.cuda.is_available():
        reason = f"{name!r} needs a GPU, and PyTorch finds none; use 'cpu', or a build of PyTorch for your GPU"
        raise InvalidOption(option="device", reason=reason)
    count, number = torch.cuda.device_count(), int(name.partition(":")[2] or 0)
    if number >= count:
        there = "cuda:0 only" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise InvalidOption(option="device", reason=f"there is no {name!r}; PyTorch finds {there}")
