"""Converts frozen dataclasses to JSON and back; reading checks every field against its annotation."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

_T = TypeVar("_T")

_LARGEST = 1e18  # larger than any real value; refuses infinities and integers that no float holds
_MAY_BE_INFINITE = "psnr_db"  # JSON has no infinity, so it is written as null


class UnreadableError(Exception):
    """Says where a document differs from what was expected."""


def plain(value: Any) -> Any:
    """Return dataclasses, tuples and infinities as values that JSON can hold."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def read(kind: type[_T], value: Any, where: str = "") -> _T:
    """Rebuild a dataclass from the output of `plain`; fields with defaults may be missing.

    Args:
        kind: its annotations are built of int, float, str, bool, T | None, tuple[dataclass, ...] and dict[str, str].
        where: place in the document, for messages.

    Raises:
        UnreadableError: the value is something else.
    """
    if not isinstance(value, dict):
        raise UnreadableError(f"{where} is no object")
    hints = typing.get_type_hints(kind)
    if unknown := value.keys() - hints.keys():
        raise UnreadableError(f"{where} has the unknown entry {min(unknown)!r}")
    taken = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        place = f"{where}.{field.name}".lstrip(".")
        if field.name in value:
            taken[field.name] = _field(hints[field.name], value[field.name], place)
        elif field.default is dataclasses.MISSING:
            raise UnreadableError(f"{place} is missing")
    return kind(**taken)


def _field(hint: Any, value: Any, where: str) -> Any:
    """Return a JSON value as its annotation requires."""
    if value is None and where.endswith(_MAY_BE_INFINITE):
        return math.inf
    if isinstance(hint, types.UnionType):
        return None if value is None else _field(typing.get_args(hint)[0], value, where)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise UnreadableError(f"{where} is no list")
        return tuple(read(typing.get_args(hint)[0], item, f"{where}[{n}]") for n, item in enumerate(value))
    if typing.get_origin(hint) is dict:
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise UnreadableError(f"{where} is no object of texts")
        return dict(value)
    fits = isinstance(value, int | float if hint is float else hint) and isinstance(value, bool) is (hint is bool)
    if not fits or (hint is float and not -_LARGEST < value < _LARGEST):
        raise UnreadableError(f"{where} is {str(value)[:40]!r}, expected {hint.__name__}")
    return float(value) if hint is float else value
