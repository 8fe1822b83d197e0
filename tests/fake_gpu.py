"""A pretended GPU: "cuda:0" computes on the processor, and like a real one refuses tensors that lie elsewhere.

It shows on a machine without a GPU that networks and their input go to the device, what comes back from it, and that
nothing takes a tensor on it for one in memory. It cannot show how a real GPU rounds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
_BETWEEN_DEVICES = ("aten::to", "aten::_to_copy", "aten::copy_")


class OnGpu(Tensor):
    """A tensor on the pretended GPU.

    Attributes:
        inner: what it holds.
    """

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnGpu:
        result: OnGpu = Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=GPU,
        )
        result.inner = inner
        return result

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Torch indexes through a guard of the device, which a build without CUDA does not have.
        if func is Tensor.__getitem__:
            return _part(*args)
        if func is Tensor.__setitem__:
            return torch.ops.aten.copy_.default(_part(*args[:2]), args[2])
        with torch._C.DisableTorchFunctionSubclass():  # else results on the processor would be taken for an `OnGpu`
            return func(*args, **(kwargs or {}))

    def numpy(self, *, force: bool = False) -> Any:
        """Refuse, as torch does for tensors on a GPU."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    def tolist(self) -> Any:
        """Return the values; that copies them, as `numpy` must not."""
        return self.inner.tolist()


class FakeGpu(TorchDispatchMode):
    """Makes tensors on `GPU` within its block.

    Attributes:
        downloads: shape and type of each tensor that was copied from the GPU to the processor.
        computed: types of the results of convolutions on the GPU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.downloads: list[tuple[tuple[int, ...], torch.dtype]] = []
        self.computed: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _computed(func, args, kwargs or {})
        name = func._schema.name
        if "conv" in name and isinstance(result, OnGpu):
            self.computed.add(result.dtype)
        source = args[name == "aten::copy_"] if name in _BETWEEN_DEVICES else None
        if isinstance(source, OnGpu) and not isinstance(result, OnGpu):
            self.downloads.append((tuple(source.shape), source.dtype))
        return result


def _plain(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return value.inner if isinstance(value, OnGpu) else value


def _part(tensor: Tensor, index: Any) -> Tensor:
    """Return a part by whole numbers, slices, None, an ellipsis, or tensors of whole numbers."""
    dim = 0
    for item in index if isinstance(index, tuple) else (index,):
        if item is None:
            tensor, dim = tensor.unsqueeze(dim), dim + 1
        elif item is Ellipsis:
            dim += tensor.dim() - sum(part not in (None, Ellipsis) for part in index)
        elif isinstance(item, slice):
            tensor, dim = torch.ops.aten.slice.Tensor(tensor, dim, item.start, item.stop, item.step or 1), dim + 1
        elif isinstance(item, Tensor):
            tensor, dim = tensor.index_select(dim, item), dim + 1
        else:
            tensor = tensor.select(dim, item)
    return tensor


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    values = tree_flatten((args, kwargs))[0]
    tensors = [value for value in values if isinstance(value, Tensor)]
    elsewhere = [tensor for tensor in tensors if not isinstance(tensor, OnGpu) and tensor.dim()]
    on_gpu = len(elsewhere) < len(tensors) and any(isinstance(tensor, OnGpu) for tensor in tensors)
    if on_gpu and elsewhere and func._schema.name not in _BETWEEN_DEVICES:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, cuda:0")
    for device in (value for value in values if isinstance(value, torch.device)):
        on_gpu = device.type == "cuda"
    plain_args, plain_kwargs = tree_map(_plain, (args, kwargs))
    result = func(*plain_args, **plain_kwargs)
    if func._schema.is_mutable:
        return args[0]  # in place
    if not on_gpu:
        return result
    if func._schema.returns[0].alias_info is not None and not tensors[0].is_inference():
        with torch.inference_mode(False):  # a view is an inference tensor if and only if its base is one
            return tree_map(lambda value: OnGpu(value) if isinstance(value, Tensor) else value, result)
    return tree_map(lambda value: OnGpu(value) if isinstance(value, Tensor) else value, result)


class _Generator(torch.Generator):
    def __new__(cls, device: object = None) -> _Generator:
        return super().__new__(cls)


@contextlib.contextmanager
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpu]:
    """Let torch have one GPU within the block."""
    with monkeypatch.context() as patched, FakeGpu() as gpu:
        patched.setattr(torch.cuda, "is_available", lambda: True)
        patched.setattr(torch.cuda, "device_count", lambda: 1)
        patched.setattr(torch.cuda, "_lazy_init", lambda: None)
        patched.setattr(torch.cuda, "current_device", lambda: 0)
        patched.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
        patched.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
        patched.setattr(torch, "Generator", _Generator)
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # the others cannot become an `OnGpu`
        try:
            yield gpu
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(False)
