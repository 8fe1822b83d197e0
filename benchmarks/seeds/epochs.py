"""A value for every epoch of a training, such as an error or the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

_Value = TypeVar("_Value")


class EpochValues(Generic[_Value]):
    """Calls a function at the end of every epoch; checkpoints keep the values. See `nncodec.training.loop.Validator`.

    Args:
        steps: in an epoch.
        value_now: returns a tensor, number, text, or a list or dict of these.
    """

    ended: ClassVar[bool] = False

    def __init__(self, steps: int, value_now: Callable[[], _Value]) -> None:
        self._steps = steps
        self._value_now = value_now
        self.values: list[_Value] = []

    def after_step(self, step: int) -> None:
        """Append a value at the end of an epoch."""
        if step % self._steps == 0:
            self.values.append(self._value_now())

    def state_dict(self) -> dict[str, Any]:
        """Return the values so far."""
        return {"values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the values so far."""
        self.values = state["values"]
