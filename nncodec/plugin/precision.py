"""The precision that networks may compute pixels with; what codes latents is exact whatever it is.

Core sets it around each call of a model, and models read it. It belongs to the running thread or task; a new thread
starts with "auto".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Literal, get_args

from nncodec.errors import InvalidOption

Precision = Literal["auto", "float32"]
"""What transforms and enhancers compute with: "auto" allows bfloat16 where the processor multiplies it."""

_current: ContextVar[Precision] = ContextVar("precision", default="auto")


def current_precision() -> Precision:
    """Return the precision that networks may compute pixels with, in this thread or task."""
    return _current.get()


def chosen_precision(given: Precision | None) -> Precision:
    """Return a precision that an option gives, or the current one for None; raises InvalidOption for anything else."""
    if given is None:
        return current_precision()
    if given not in get_args(Precision):
        names = " or ".join(map(repr, get_args(Precision)))
        raise InvalidOption(option="precision", reason=f"{given!r} is not {names}")
    return given


@contextlib.contextmanager
def precision(value: Precision | None) -> Iterator[None]:
    """Compute pixels with a precision within the block, in this thread or task, unless a call names its own.

    Files decode to the same latents either way. With "float32" pixels are the same on every machine within one level;
    "auto" is faster where the processor multiplies bfloat16.

    Args:
        value: "auto" or "float32"; None changes nothing.

    Raises:
        InvalidOption: it is anything else.

    Example:
        >>> with nncodec.precision("float32"):
        ...     image = nncodec.decode("photo.nnc")
    """
    token = _current.set(chosen_precision(value))
    try:
        yield
    finally:
        _current.reset(token)
