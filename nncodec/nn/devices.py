"""Networks on the device that pixels are computed on."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

from nncodec.plugin.device import current_device

_M = TypeVar("_M", bound=nn.Module)


def pixel_device() -> torch.device:
    """Return the device that networks compute pixels on, see `nncodec.plugin.current_device`; a GPU with its number."""
    device = torch.device(current_device())
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


class OnDevices(Generic[_M]):
    """A network and its copies on GPUs, each made when it is first used there and kept as long as this object.

    Attributes:
        module: the network on the processor; it must stay as it is.

    Example:
        >>> network = OnDevices(network)
        >>> pixels = network.current()(to_tensor(pixels, pixel_device()))
    """

    def __init__(self, module: _M) -> None:
        self.module = module
        self._copies: dict[torch.device, _M] = {}

    def current(self) -> _M:
        """Return the network on `pixel_device`."""
        device = pixel_device()
        if device.type == "cpu":
            return self.module
        if device not in self._copies:
            with torch.inference_mode(False), torch.no_grad():  # gradients may be taken of it later
                moved = copy.deepcopy(self.module).to(device)
            self._copies.setdefault(device, moved)  # two threads may both make a copy; the first is kept
        return self._copies[device]
