"""Reads published rate-distortion curves, to compare with measured ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nncodec.compare.curves import CurvePoint
from nncodec.errors import NncError

_LARGEST = 1e9  # far beyond any rate or decibel; keeps infinities out too
_FIELDS = {"psnr": "psnr_db", "ms_ssim": "ms_ssim"}


def read_anchors(path: Path) -> dict[str, list[CurvePoint]]:
    """Read a file of curves: a JSON object of name -> {"bpp": [...], "psnr": [...], "ms_ssim": [...]}.

    PSNR is in dB. A list that the source does not give may be empty or missing; other entries are ignored.

    Raises:
        NncError: the file holds something else; one line says what is wrong.
        OSError: it cannot be read.
    """
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise _unreadable(path, "it is not JSON") from None
    if not isinstance(document, dict) or not document:
        raise _unreadable(path, "it is not an object of curves")
    return {name: _points(path, name, curve) for name, curve in document.items()}


def _points(path: Path, name: str, curve: Any) -> list[CurvePoint]:
    if not isinstance(curve, dict):
        raise _unreadable(path, f"{name!r} is not an object")
    rates = _numbers(path, name, curve, "bpp")
    if any(rate <= 0 for rate in rates):
        raise _unreadable(path, f"{name!r} has a rate that is not positive")
    values: dict[str, list[float]] = {}
    for field, kept in _FIELDS.items():
        numbers = _numbers(path, name, curve, field)
        if len(numbers) not in (0, len(rates)):
            raise _unreadable(path, f"{name!r} has {len(rates)} rates and {len(numbers)} values of {field}")
        if numbers:
            values[kept] = numbers
    return [CurvePoint(rate, **{kept: own[n] for kept, own in values.items()}) for n, rate in enumerate(rates)]


def _numbers(path: Path, name: str, curve: dict[str, Any], field: str) -> list[float]:
    numbers = curve.get(field, [])
    if not isinstance(numbers, list) or not all(_is_number(number) for number in numbers):
        raise _unreadable(path, f"{field} of {name!r} is not a list of numbers")
    return [float(number) for number in numbers]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


def _unreadable(path: Path, reason: str) -> NncError:
    return NncError(detail=f"{path} does not hold published curves: {reason}")
