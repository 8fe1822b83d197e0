"""SOAP for the kernels of convolutions, and Adam for the rest, in a form that a CUDA graph can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

_SOAP_BETA = 0.95  # of moments and statistics
_ADAM_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_LARGEST_NORM = 1.0


class KernelStack:
    """Kernels (out, in, h, w) of one shape, moved together: Adam in the bases of Shampoo's statistics.

    Bases are those of outputs and of inputs; places within a kernel have none.

    Args:
        kernels: all of one shape, with gradients.
        factor: on the learning rate.

    References:
        Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam", 2024, algorithm 3.
    """

    def __init__(self, kernels: Sequence[nn.Parameter], factor: float) -> None:
        self.kernels = list(kernels)
        self._factor = factor
        first = self.kernels[0]
        outputs, inputs, height, width = first.shape
        self._shape = len(self.kernels), outputs, height * width, inputs
        self._momentum = first.new_zeros(self._shape)
        self._squares = first.new_zeros(self._shape)
        self._statistics = [first.new_zeros(len(self.kernels), edge, edge) for edge in (outputs, inputs)]
        self._bases: list[Tensor] = []

    def count(self, weight: float) -> None:
        """Take the kernels' gradients into the statistics, with this weight against what they hold."""
        self._count(self._gradients(), weight)

    def find_bases(self) -> None:
        """Find the bases of the statistics; on the processor, which takes less time than a small matrix on a GPU."""
        self._bases = [
            torch.linalg.eigh(statistic.cpu()).eigenvectors.flip(-1).contiguous().to(statistic.device)
            for statistic in self._statistics
        ]

    def step(self, rate: Tensor) -> None:
        """Move the kernels by a learning rate that is corrected for the moments' start."""
        gradients = self._gradients()
        self._momentum.lerp_(gradients, 1 - _SOAP_BETA)
        self._squares.lerp_(self._into_bases(gradients).square(), 1 - _SOAP_BETA)
        directions = self._into_bases(self._momentum) / (self._squares.sqrt() + _EPSILON)
        updates = self._out_of_bases(directions) * (-self._factor * rate)
        _, inputs, height, width = self.kernels[0].shape
        for kernel, update in zip(self.kernels, updates, strict=True):
            kernel.add_(update.reshape(-1, height, width, inputs).permute(0, 3, 1, 2))
        self._count(gradients, 1 - _SOAP_BETA)

    def refresh_bases(self) -> None:
        """Bring the bases nearer to those of the statistics by a power iteration; squares follow their new order."""
        for axis, statistic, basis in zip((1, 3), self._statistics, self._bases, strict=True):
            product = statistic @ basis
            order = (basis * product).sum(1).argsort(-1, descending=True)  # (kernels, edge)
            product = product.gather(2, order[:, None].expand_as(product))
            places = order[:, :, None, None] if axis == 1 else order[:, None, None, :]
            self._squares.copy_(self._squares.gather(axis, places.expand_as(self._squares)))
            basis.copy_(torch.linalg.qr(product).Q)

    def _gradients(self) -> Tensor:
        gradients = []
        for kernel in self.kernels:
            assert kernel.grad is not None
            gradients.append(kernel.grad.permute(0, 2, 3, 1).reshape(self._shape[1:]))
        return torch.stack(gradients)

    def _count(self, gradients: Tensor, weight: float) -> None:
        rows, columns = gradients.flatten(2), gradients.flatten(1, 2)
        self._statistics[0].lerp_(rows @ rows.mT, weight)
        self._statistics[1].lerp_(columns.mT @ columns, weight)

    def _into_bases(self, values: Tensor) -> Tensor:
        return _between(self._bases[0].mT, values, self._bases[1])

    def _out_of_bases(self, values: Tensor) -> Tensor:
        return _between(self._bases[0], values, self._bases[1].mT)


def _between(left: Tensor, values: Tensor, right: Tensor) -> Tensor:
    """Return left @ values @ right over the first and the last axis of (kernels, out, places, in)."""
    turned = (left @ values.flatten(2)).reshape(values.shape)
    return (turned.flatten(1, 2) @ right).reshape(values.shape)


class Soap:
    """Moves all parameters of a task; `step` reads the learning rate from the device, so that a graph can repeat it.

    Gradients are scaled to a norm of 1 at most; those that are not finite count as zero.

    Args:
        groups: of a training task for the learning rate 1: parameters with gradients, factors `lr`, `tables`.
    """

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        stacks: dict[tuple[torch.Size, float], list[nn.Parameter]] = {}
        self._others: list[_Adam] = []
        for group in groups:
            others = []
            for parameter in group["params"]:
                if parameter.ndim == 4 and min(parameter.shape[:2]) > 1 and not group.get("tables"):
                    stacks.setdefault((parameter.shape, group["lr"]), []).append(parameter)
                else:
                    others.append(parameter)
            if others:
                self._others.append(_Adam(others, group["lr"]))
        self.stacks = [KernelStack(kernels, factor) for (_, factor), kernels in stacks.items()]
        self.parameters = [kernel for stack in self.stacks for kernel in stack.kernels]
        self.parameters += [parameter for adam in self._others for parameter in adam.parameters]
        device = self.parameters[0].device
        self._rates = torch.zeros(3, device=device)
        self.skipped = torch.zeros((), device=device)
        """Number of steps whose gradients were not finite."""
        self._steps = 0

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step; not within a graph."""
        self._steps += 1
        soap, first, second = (1 - beta**self._steps for beta in (_SOAP_BETA, *_ADAM_BETAS))
        rates = torch.tensor([rate * math.sqrt(soap) / soap, rate / first, second])
        if self._rates.is_cuda:
            rates = rates.pin_memory()
        self._rates.copy_(rates, non_blocking=True)

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        is_finite = norm.isfinite()
        factor = (_LARGEST_NORM / (norm + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.copy_(torch.where(is_finite, gradient * factor, 0.0))
        self.skipped += (~is_finite).float()
        for stack in self.stacks:
            stack.step(self._rates[0])
        for adam in self._others:
            adam.step(self._rates[1], self._rates[2])

    @torch.no_grad()
    def refresh_bases(self) -> None:
        """See `KernelStack.refresh_bases`."""
        for stack in self.stacks:
            stack.refresh_bases()


class _Adam:
    def __init__(self, parameters: list[nn.Parameter], factor: float) -> None:
        self.parameters = parameters
        self._factor = factor
        self._momentum = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]

    def step(self, rate: Tensor, square_correction: Tensor) -> None:
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        torch._foreach_lerp_(self._momentum, gradients, 1 - _ADAM_BETAS[0])
        torch._foreach_mul_(self._squares, _ADAM_BETAS[1])
        torch._foreach_addcmul_(self._squares, gradients, gradients, 1 - _ADAM_BETAS[1])
        deviations = torch._foreach_div(self._squares, square_correction)
        torch._foreach_sqrt_(deviations)
        torch._foreach_add_(deviations, _EPSILON)
        updates = torch._foreach_div(self._momentum, deviations)
        torch._foreach_mul_(updates, rate * -self._factor)
        torch._foreach_add_(cast(list[Tensor], self.parameters), cast(list[Tensor], updates))
