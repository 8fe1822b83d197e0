"""ICC profiles: whether one fits the mode of an image, and one that says what a file says otherwise.

References: ICC.1:2010 (version 4.3); PNG, third edition, 11.3.2 (cHRM, gAMA, cICP); ITU-T H.273, tables 2 and 3;
TIFF 6.0, section 20.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_SPACES = {b"RGB ": "an RGB", b"GRAY": "a grey", b"CMYK": "a CMYK", b"Lab ": "a Lab"}
_NOT_FOR_IMAGES = (b"link", b"abst", b"nmcl")
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SRGB_GAMMA = 1 / 2.2
# Primaries of H.273: white, red, green, blue. 2 is "unspecified", here and below.
_PRIMARIES = {
    1: _SRGB_PRIMARIES,
    2: _SRGB_PRIMARIES,
    9: (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),  # BT.2020
    12: (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),  # Display P3
}
_HDR = {16: "PQ", 18: "HLG"}
# Parametric curves: an exponent; or that of type 3 with its a, b, c and d.
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BT709_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: dict[int, tuple[float, ...]] = {
    1: _BT709_CURVE,
    2: _SRGB_CURVE,
    4: (2.2,),
    5: (2.8,),
    6: _BT709_CURVE,
    8: (1.0,),
    13: _SRGB_CURVE,
    14: _BT709_CURVE,
    15: _BT709_CURVE,
}
# Tags of a TIFF file: the bits of its samples, and what it says of their colours.
_BITS, _WHITE_POINT, _CHROMATICITIES, _TRANSFER_FUNCTION = 258, 318, 319, 301
_MOST_TABLE = 4096  # numbers of a curve
_LIKE_SRGB = 0.004  # of white: one level of 8 bits
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class Colours(NamedTuple):
    """What a file says of its colours, as an ICC profile or a note.

    Args:
        profile: None if the colours are sRGB, or if no profile can say it.
        note: for the user; empty if nothing is lost.
    """

    profile: bytes | None = None
    note: str = ""


def misfit(profile: bytes, mode: str) -> str:
    """Return why an ICC profile does not fit the mode of an image, "" if it fits or is not a profile at all."""
    if profile[36:40] != b"acsp":
        return ""
    space, kind = profile[16:20], profile[12:16]
    expected = b"CMYK" if mode == "CMYK" else b"RGB " if _is_colour(mode) else b"GRAY"
    if space == expected and kind not in _NOT_FOR_IMAGES:
        return ""
    name = "not for pictures" if space == expected else f"{_SPACES.get(space, 'another')} one"
    return f"its ICC profile is {name} and does not fit mode {mode}; it is left out"


def _is_colour(mode: str) -> bool:
    return mode.startswith("RGB") or mode == "P"  # the colours of a palette


def colours_of_file(info: Mapping[Any, Any], cicp: bytes | None, tags: Mapping[int, Any], mode: str) -> Colours:
    """Return what a file without ICC profile says of its colours.

    Args:
        info: Pillow's, with `gamma`, `chromaticity` and `srgb`.
        cicp: see `cicp_of`; it overrides the others.
        tags: of a TIFF file; none of other files.
        mode: of the image.
    """
    if cicp is not None and len(cicp) == 4:
        return _of_cicp(cicp, mode)
    if not {_WHITE_POINT, _CHROMATICITIES, _TRANSFER_FUNCTION}.isdisjoint(tags):
        return _of_tiff(tags, mode)
    gamma, primaries = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or (gamma is None and primaries is None):
        return Colours()
    curve: tuple[float, ...] = _SRGB_CURVE
    if isinstance(gamma, float) and abs(gamma - _SRGB_GAMMA) > 0.003:
        if not 0.01 < gamma < 10:
            return Colours(note=f"its gamma of {gamma:g} is not kept")
        curve = (1 / gamma,)
    return _colours(curve, primaries or _SRGB_PRIMARIES, mode)


def _of_cicp(cicp: bytes, mode: str) -> Colours:
    primaries, transfer, _, full_range = cicp
    if transfer in _HDR:
        return Colours(
            note=f"it is an HDR picture ({_HDR[transfer]}); that is not kept, so its colours will look wrong"
        )
    if primaries not in _PRIMARIES or transfer not in _CURVES or full_range != 1:
        return Colours(note=f"its colours (cICP {' '.join(map(str, cicp))}) are not kept; they are taken for sRGB")
    return _colours(_CURVES[transfer], _PRIMARIES[primaries], mode)


def _of_tiff(tags: Mapping[int, Any], mode: str) -> Colours:
    lost = Colours(note="its white point, chromaticities or transfer function are not kept; they are taken for sRGB")
    try:
        white, primaries, table, bits = (
            np.ravel(tags.get(tag, ())).astype(np.float64)
            for tag in (_WHITE_POINT, _CHROMATICITIES, _TRANSFER_FUNCTION, _BITS)
        )
    except (TypeError, ValueError):  # no numbers
        return lost
    levels = 1 << int(bits[0]) if len(bits) else 2
    is_whole = (len(white), len(primaries)) in ((0, 0), (2, 6)) and len(table) in (0, levels, 3 * levels)
    if mode == "CMYK" or not is_whole or not ((table >= 0) & (table <= 0xFFFF)).all():
        return lost
    table /= 0xFFFF
    tables = table.reshape(-1, levels) if len(table) else None
    if tables is not None and np.abs(tables - _srgb(np.linspace(0, 1, levels))).max() <= _LIKE_SRGB:
        tables = None
    return _colours(_SRGB_CURVE, (*white, *primaries) if len(white) else _SRGB_PRIMARIES, mode, tables)


def _srgb(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of samples from 0 to 1."""
    exponent, scale, offset, slope, knee = _SRGB_CURVE
    return np.where(samples >= knee, (scale * samples + offset) ** exponent, slope * samples)


def _colours(
    curve: tuple[float, ...], primaries: Sequence[float], mode: str, tables: NDArray[np.float64] | None = None
) -> Colours:
    """Return the profile of a curve, or of tables (1 or 3, levels) of the light of samples instead."""
    is_grey = not _is_colour(mode)
    curves = [_curve(curve)] if tables is None else [_table(numbers) for numbers in tables]
    if tables is None and curve == _SRGB_CURVE and (is_grey or np.allclose(primaries, _SRGB_PRIMARIES, atol=0.002)):
        return Colours()
    if is_grey:
        return Colours(_profile(b"GRAY", {b"wtpt": _xyz(_D50), b"kTRC": curves[0]}))
    try:
        columns = _colorants(primaries)
    except (np.linalg.LinAlgError, ZeroDivisionError, ValueError):
        return Colours(note="its chromaticities are impossible and not kept; they are taken for sRGB")
    tags = {b"wtpt": _xyz(_D50)}
    for name, column, channel in zip("rgb", columns.T, curves if len(curves) == 3 else curves * 3, strict=True):
        tags[f"{name}XYZ".encode()] = _xyz(column)
        tags[f"{name}TRC".encode()] = channel
    return Colours(_profile(b"RGB ", tags))


def _colorants(primaries: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the XYZ of red, green and blue as columns, adapted to D50 (Bradford); raises if there are none."""
    xy = np.asarray(primaries, np.float64).reshape(4, 2)
    if not (xy[:, 1] > 0).all():
        raise ValueError("a primary without luminance")
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])  # (3, white and primaries)
    white, unscaled = xyz[:, 0], xyz[:, 1:]
    columns = unscaled * np.linalg.solve(unscaled, white)
    scale = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(scale) @ _BRADFORD @ columns
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 4:
        raise ValueError("primaries on a line")
    return np.asarray(adapted)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return a display profile of version 4.3 with these tags and a description."""
    tags = {b"desc": _text("as the file says"), b"cprt": _text("CC0"), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, offset + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12x4s4sIII8xI12s",
        offset + len(data), b"", 0x04300000, b"mntr", space, b"XYZ ", b"acsp", b"", 0, 0, 0, 0,
        b"".join(map(_fixed, _D50)),
    )  # fmt: skip
    return header.ljust(128, b"\0") + table + data


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _xyz(values: Sequence[float] | np.ndarray[Any, Any]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(value)) for value in values)


def _curve(numbers: tuple[float, ...]) -> bytes:
    kind = 0 if len(numbers) == 1 else 3
    return struct.pack(">4s4xHH", b"para", kind, 0) + b"".join(map(_fixed, numbers))


def _table(light: NDArray[np.float64]) -> bytes:
    places = np.linspace(0, 1, min(len(light), _MOST_TABLE))
    numbers = np.interp(places, np.linspace(0, 1, len(light)), light)
    return struct.pack(">4s4xI", b"curv", len(numbers)) + np.rint(numbers * 0xFFFF).astype(">u2").tobytes()


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
