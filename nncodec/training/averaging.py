"""A moving average of weights: steadier than the weights themselves while the learning rate is high."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of parameters.

    Args:
        parameters: on the device where they stay.
        decay: what the average keeps of itself at each step, 0 to below 1; less at first, so that the start of a run
            does not linger.

    References:
        B. Polyak and A. Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._decay = decay
        self._steps = 0
        self._average = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def restart(self) -> None:
        """Begin again with the parameters as they are."""
        self._steps = 0
        for average, parameter in zip(self._average, self._parameters, strict=True):
            average.copy_(parameter)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters after a step."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        torch._foreach_lerp_(self._average, [parameter.detach() for parameter in self._parameters], 1 - decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Give the parameters their averages until the end of the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def apply(self) -> None:
        """Give the parameters their averages for good."""
        for parameter, average in zip(self._parameters, self._average, strict=True):
            parameter.copy_(average)

    def state_dict(self) -> dict[str, int | list[Tensor]]:
        """Return what `load_state_dict` takes."""
        return {"steps": self._steps, "average": self._average}

    def load_state_dict(self, state: dict[str, int | list[Tensor]]) -> None:
        """Restore an average; raises ValueError if it belongs to other parameters."""
        steps, average = state["steps"], state["average"]
        if not isinstance(steps, int) or not isinstance(average, list):
            raise ValueError("the average of the weights is damaged")
        if [value.shape for value in average] != [value.shape for value in self._average]:
            raise ValueError("the average of the weights belongs to another network")
        self._steps = steps
        for own, value in zip(self._average, average, strict=True):
            own.copy_(value)

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self._parameters, self._average, strict=True):
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)
