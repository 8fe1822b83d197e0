"""Colours, markers and lines: a codec looks the same in every plot and on the page.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart; markers work without colour.

References:
    Okabe, Ito, "Color Universal Design" (2008). Tol, "Colour Schemes" (2021), scheme "muted", for published curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of light or dark mode.

    Args:
        name: light or dark.
        surface, ink, faint: background, text and axes, grid lines.
        codecs: colours of codecs, in their order.
        published: colours of published curves, in their order.
    """

    name: str
    surface: str
    ink: str
    faint: str
    codecs: tuple[str, ...]
    published: tuple[str, ...]


LIGHT = Theme(
    "light",
    "#ffffff",
    "#1f2328",
    "#dfe3e8",
    ("#0072b2", "#d55e00", "#009e73", "#b5529a", "#c98500", "#3fa7dd", "#5b6068", "#8c4a10"),
    ("#332288", "#882255", "#117733", "#999933", "#44aa99", "#cc6677", "#aa4499", "#777777"),
)
DARK = Theme(
    "dark",
    "#171a1f",
    "#e6e8eb",
    "#343a42",
    ("#4ea8e6", "#ff8a4d", "#2fc79b", "#e59acb", "#f0b53c", "#a5dcff", "#b4bac2", "#d19a66"),
    ("#9a8cff", "#e07aa6", "#6fbf73", "#d6d670", "#7fd6c8", "#f0939f", "#d98ad6", "#a0a0a0"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_STYLES = ("-", "-.", ":")


@dataclass(frozen=True)
class Stroke:
    """Look of a codec's line: the number of its colour in a theme, a marker and a line style."""

    colour: int
    marker: str
    line: str


def strokes(codecs: Sequence[str]) -> dict[str, Stroke]:
    """Return a distinct stroke for each codec: colours repeat after eight, with another line style."""
    return {
        name: Stroke(number % len(MARKERS), MARKERS[number % len(MARKERS)], _STYLES[number // len(MARKERS) % 3])
        for number, name in enumerate(codecs)
    }
