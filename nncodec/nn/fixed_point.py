"""Networks with the same results on every machine, because every number in them is exact.

Activations are whole numbers within +-`ACTIVATION_LIMIT`, in units of 1/16; weights are multiples of 1/512. A layer's
sum is then a multiple of 1/512, and the weights of each output are kept small enough that no partial sum can reach 2^24
times that. Float32 holds such sums without rounding, whatever the order of summation; the result is rounded back to a
whole number. So the networks train and run as ordinary float32 layers but compute in integers.

Example:
    >>> layer = FixedPointConv2d(64, 128, 1)  # to train, between `activation`s
    >>> features = activation(layer(bounded(16 * hyper_latents)))
    >>> weight, bias = steps_of(layer)  # what a model file holds
    >>> exact = ExactConv2d(64, 128, 1)  # what encoder and decoder compute with
    >>> exact.set_steps(weight, bias)

References:
    Balle, Johnston and Minnen, "Integer networks for data compression with latent-variable models", ICLR 2019.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nncodec.engine.fixed_point import ACTIVATION_LIMIT, ACTIVATION_STEPS, LEAK, WEIGHT_STEPS, check_steps
from nncodec.nn.products import addmm, convolved
from nncodec.nn.quantize import round_straight_through

# A bias is trained and stored in steps of 1/8192; a layer adds sixteen times its value.
SUM_STEPS = ACTIVATION_STEPS * WEIGHT_STEPS
_BIAS_LIMIT = 128.0
# Largest sum of absolute weights of one output, before rounding moves each by half a step at most.
_WEIGHT_SUM_LIMIT = 56.0


def rounded(sums: Tensor) -> Tensor:
    """Round to whole numbers, ties to even; gradients pass, and without gradients the input is overwritten."""
    return round_straight_through(sums) if torch.is_grad_enabled() else sums.round_()


def bounded(sums: Tensor) -> Tensor:
    """Return sums rounded and bounded to the range of activations; without gradients the input is overwritten."""
    whole = rounded(sums)
    if torch.is_grad_enabled():
        return whole.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
    return whole.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)


def activation(sums: Tensor) -> Tensor:
    """Return leaky ReLU, rounded and bounded; without gradients the input is overwritten."""
    return bounded(F.leaky_relu(sums, LEAK, inplace=not torch.is_grad_enabled()))


class FixedPointConv2d(nn.Conv2d):
    """A convolution whose sums are exact in float32; takes activations, returns sums that are not yet rounded.

    Its parameters are real numbers, quantized at each use with gradients passing the rounding; inside
    `torch.nn.utils.parametrize.cached()` they are quantized once.

    Args:
        inputs, outputs, kernel: as in `nn.Conv2d`; stride 1, no padding unless given.
        share: part of the exact range that this layer may use, if its sums are added to another layer's.
        options: more arguments of `nn.Conv2d`.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], *, share: float = 1.0, **options: int
    ) -> None:
        super().__init__(inputs, outputs, kernel, **options)  # type: ignore[arg-type]
        parametrize.register_parametrization(self, "weight", _WeightSteps(share))
        parametrize.register_parametrization(self, "bias", _BiasSteps(share))

    def real(self, name: str) -> Tensor:
        """Return the real-valued parameter behind "weight" or "bias", which an optimizer moves."""
        return cast(Tensor, self.get_parameter(f"parametrizations.{name}.original"))

    def start_small(self, gain: float) -> None:
        """Scale the initial weights and zero the bias."""
        with torch.no_grad():
            self.real("weight").mul_(gain)
            self.real("bias").zero_()


class _WeightSteps(nn.Module):
    """Weights as multiples of their step, small enough for exact sums."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.limit = share * _WEIGHT_SUM_LIMIT

    def forward(self, weight: Tensor) -> Tensor:
        total = weight.detach().abs().sum(dim=(1, 2, 3), keepdim=True)
        weight = weight * (self.limit / total.clamp(min=1e-9)).clamp(max=1.0)
        return round_straight_through(weight * WEIGHT_STEPS) / WEIGHT_STEPS


class _BiasSteps(nn.Module):
    """Biases in the units of sums, as multiples of their step."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.limit = share * _BIAS_LIMIT

    def forward(self, bias: Tensor) -> Tensor:
        return round_straight_through(bias.clamp(-self.limit, self.limit) * SUM_STEPS) / WEIGHT_STEPS


class ExactConv2d(nn.Conv2d):
    """A trained `FixedPointConv2d`: the same arguments, with quantized parameters in place."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], *, share: float = 1.0, **options: int
    ) -> None:
        super().__init__(inputs, outputs, kernel, **options)  # type: ignore[arg-type]
        self.share = share

    def set_steps(self, weight: NDArray[np.int16], bias: NDArray[np.int32]) -> None:
        """Set the parameters from a model file, in steps.

        Raises:
            ValueError: wrong shapes or types, or sums that might not be exact.
        """
        check_steps(weight, bias, tuple(self.weight.shape), self.share)
        with torch.no_grad():
            self.weight = nn.Parameter(torch.from_numpy(weight.astype(np.float32) / WEIGHT_STEPS), False)
            self.bias = nn.Parameter(torch.from_numpy(bias.astype(np.float32) / WEIGHT_STEPS), False)

    def forward(self, input: Tensor) -> Tensor:
        """Return the sums, in float64 where a setting of the caller's would compute float32 in less."""
        if _is_float32_whole(input.device.type, "conv"):
            if self.kernel_size == (1, 1) and self.bias is not None:
                return convolved(input, self.weight, self.bias)
            return super().forward(input)
        bias = None if self.bias is None else self.bias.double()
        sums: Tensor = self._conv_forward(input.double(), self.weight.double(), bias)
        return sums.float()


def exact_addmm(sums: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return sums + first @ second as `torch.addmm`, in float64 where float32 would be computed in less."""
    if _is_float32_whole(first.device.type, "matmul"):
        return addmm(sums, first, second)
    with torch.autocast(first.device.type, enabled=False):
        return torch.addmm(sums.double(), first.double(), second.double()).float()


def _is_float32_whole(device: str, operation: Literal["conv", "matmul"]) -> bool:
    """Return whether an operation in float32 multiplies all bits: not under autocast, nor as bfloat16 or TF32."""
    if torch.is_autocast_enabled(device):
        return False
    of_cuda = {"conv": torch.backends.cudnn, "matmul": torch.backends.cuda}
    backend = of_cuda[operation] if device == "cuda" else torch.backends.mkldnn
    setting = getattr(getattr(backend, operation, None), "fp32_precision", "ieee")  # absent before torch 2.9
    return setting == "ieee" or (setting == "none" and device == "cpu")


def steps_of(layer: FixedPointConv2d) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Return weight and bias of a trained layer in steps, for `ExactConv2d.set_steps`."""
    assert layer.bias is not None
    weight = (layer.weight.detach().cpu() * WEIGHT_STEPS).numpy().astype(np.int16)
    return weight, (layer.bias.detach().cpu().double() * WEIGHT_STEPS).numpy().astype(np.int32)


__all__ = [
    "ACTIVATION_LIMIT",
    "ACTIVATION_STEPS",
    "LEAK",
    "SUM_STEPS",
    "WEIGHT_STEPS",
    "ExactConv2d",
    "FixedPointConv2d",
    "activation",
    "bounded",
    "exact_addmm",
    "rounded",
    "steps_of",
]
