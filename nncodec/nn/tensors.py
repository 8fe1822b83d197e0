"""Converts pixels and tensors of model files to torch and back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nncodec.plugin.device import pixels_may_stay
from nncodec.plugin.latents import Pixels
from nncodec.plugin.lossless import Samples
from nncodec.plugin.model_file import Tensors

_M = TypeVar("_M", bound=nn.Module)
_ROWS_AT_ONCE = 128


def to_tensor(pixels: Pixels | Samples, device: torch.device | None = None) -> Tensor:
    """Return (N, H, W, C) uint8 or uint16 as float32 (N, C, H, W) in 0..1, channels last in memory, on a device."""
    batch = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device)  # copies views, read-only arrays
    return batch.permute(0, 3, 1, 2).float().div_(np.iinfo(pixels.dtype).max)


def channels_last(values: NDArray[Any]) -> Tensor:
    """Return an array (N, C, H, W) as float32, channels last in memory."""
    planar = torch.from_numpy(values.astype(np.float32)).flatten(2)  # (N, C, H W)
    count, channels, places = planar.shape
    result = torch.empty(count, places, channels, dtype=torch.float32, device="cpu")
    for target, picture in zip(result, planar, strict=True):
        # Torch transposes a matrix block by block, but copies a permutation of four axes value by value. If the number
        # of places is a power of two, every value then misses the cache, which takes five times as long.
        target.copy_(picture.t())
    return result.view(count, *values.shape[2:], channels).permute(0, 3, 1, 2)


def to_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor on any device as an array; one on the processor shares its memory."""
    array: NDArray[Any] = tensor.cpu().numpy()
    return array


def to_pixels(batch: Tensor) -> Pixels:
    """Return a batch (N, C, H, W) in 0..1 as uint8 (N, H, W, C), rounded and clipped.

    It is an array, or a tensor on the batch's device if `pixels_may_stay`.
    """
    count, channels, height, width = batch.shape
    pixels = torch.empty(count, height, width, channels, dtype=torch.uint8, device=batch.device)
    # An image's floats take four times its size: one copy is enough. GPUs prefer few operations.
    at_once = _ROWS_AT_ONCE if batch.device.type == "cpu" else max(1, height)
    for top in range(0, height, at_once):
        rows = slice(top, top + at_once)
        scaled = batch[:, :, rows].mul(255).round_().clamp_(0, 255).to(torch.uint8)
        pixels[:, rows] = scaled.permute(0, 2, 3, 1)
    return cast(Pixels, pixels) if pixels_may_stay() else to_array(pixels)


def load_weights(module: _M, tensors: Tensors, prefix: str = "") -> _M:
    """Load the tensors of a model file into a module, in place, and make it ready for inference.

    Args:
        module: freshly built from the file's config; on torch's "meta" device unless it has buffers outside its state,
            so that a config takes no memory before its tensors are checked.
        tensors: by name; those with `prefix` must be exactly the module's.
        prefix: of the names, for files that hold several modules.

    Returns:
        The module, in eval mode, float32, channels last, without gradients.

    Raises:
        ValueError: a tensor is missing, left over or of another shape.
    """
    expected = module.state_dict()
    given = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    if expected.keys() != given.keys():
        odd = min(expected.keys() ^ given.keys())
        raise ValueError(f"tensor {odd!r} is {'missing' if odd in expected else 'not part of this architecture'}")
    for name, tensor in expected.items():
        if tuple(tensor.shape) != given[name].shape:
            raise ValueError(f"tensor {name!r} has shape {given[name].shape}, expected {tuple(tensor.shape)}")
        if not np.isfinite(given[name]).all():
            raise ValueError(f"tensor {name!r} holds values that are not finite")
    # Networks compute in float32, whatever torch's default is when they are built.
    kinds = {name: torch.float32 if value.is_floating_point() else value.dtype for name, value in expected.items()}
    weights = {name: torch.from_numpy(value.copy()).to(kinds[name]) for name, value in given.items()}
    module.load_state_dict(weights, assign=True)
    module.requires_grad_(False)
    module.eval()
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def refuse_unknown(tensors: Tensors, prefix: str, others: Collection[str]) -> None:
    """Raise ValueError for a tensor of a model file that nothing reads: it would change the file's identity alone.

    Args:
        tensors: by name.
        prefix: of the names that `load_weights` takes.
        others: further names.
    """
    odd = [name for name in tensors if not name.startswith(prefix) and name not in others]
    if odd:
        raise ValueError(f"tensor {min(odd)!r} is not part of this architecture")


def weights_of(module: nn.Module, prefix: str = "") -> Tensors:
    """Return a module's state for a model file: float16 arrays, and integers unchanged."""
    return {prefix + name: to_array(_in_file(value)) for name, value in module.state_dict().items()}


def with_file_precision(module: _M) -> _M:
    """Round a module's state to the precision of a model file, in place, so that measurements hold for the file."""
    module.load_state_dict({name: _in_file(value).to(value.dtype) for name, value in module.state_dict().items()})
    return module


def _in_file(value: Tensor) -> Tensor:
    return value.detach().half() if value.is_floating_point() else value.detach()
