"""Optimizers: Adam, and Muon for the kernels of convolutions."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nncodec.training.options import MUON


class Optimizer(Protocol):
    """The part of `torch.optim.Optimizer` that the loop uses."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups of parameters, each with its learning rate `lr`, which callers may change."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""

    def step(self) -> object:
        """Move the parameters."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; raises ValueError or KeyError if it belongs to another optimizer."""


def optimizer_for(kind: str, groups: list[dict[str, Any]]) -> Optimizer:
    """Return an optimizer.

    Args:
        kind: one of `nncodec.training.options.OPTIMIZERS`.
        groups: parameters `params`, on the device of the training, each group with its `lr`.
    """
    if kind == MUON:
        return Muon(groups)
    return torch.optim.Adam(groups, fused=True)


class Muon:
    """Muon for the kernels of convolutions and the weights of linear layers, Adam for the rest.

    A kernel (out, in, h, w) is a matrix (out, in * h * w). The rest are depthwise kernels, which are not matrices since
    their rows never meet, groups marked as `tables`, and parameters with other axes. Steps are scaled to the size of
    Adam's, so that one learning rate serves both.

    References:
        Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
        Liu et al., "Muon is scalable for LLM training", arXiv:2502.16982, section 2.2, for the scale of its steps.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        # torch's Muon takes only matrices. Moving a view of a kernel moves the kernel.
        self._kernels: list[tuple[nn.Parameter, nn.Parameter]] = []
        matrices: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for group in groups:
            kernels = (
                [] if group.get("tables") else [parameter for parameter in group["params"] if _is_matrix(parameter)]
            )
            views = [nn.Parameter(_as_matrix(kernel.detach(), kernel)) for kernel in kernels]
            self._kernels += zip(kernels, views, strict=True)
            chosen = set(map(id, kernels))
            rest = [parameter for parameter in group["params"] if id(parameter) not in chosen]
            matrices += [{"params": views, "lr": group["lr"]}] if views else []
            others += [{"params": rest, "lr": group["lr"]}] if rest else []
        self._optimizers: list[torch.optim.Optimizer] = []
        if matrices:
            self._optimizers.append(torch.optim.Muon(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))
        if others:
            self._optimizers.append(torch.optim.Adam(others, fused=True))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """See `Optimizer`."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """See `Optimizer`."""
        for parameter, _ in self._kernels:
            parameter.grad = None
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        """See `Optimizer`."""
        for parameter, view in self._kernels:
            view.grad = None if parameter.grad is None else _as_matrix(parameter.grad, parameter)
        for optimizer in self._optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """See `Optimizer`."""
        return {"parts": [optimizer.state_dict() for optimizer in self._optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `Optimizer`."""
        parts = state_dict["parts"]
        for optimizer, part in zip(self._optimizers, parts, strict=True):
            optimizer.load_state_dict(part)


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim == 2 or (parameter.ndim == 4 and parameter.shape[1] > 1)


def _as_matrix(values: Tensor, kernel: Tensor) -> Tensor:
    """Return the values of a kernel, or of its gradient, as a matrix in the kernel's memory order, so that the matrix
    of the kernel itself is a view."""
    if values.ndim == 4 and not kernel.is_contiguous():
        values = values.permute(0, 2, 3, 1)
    return values.flatten(1)
