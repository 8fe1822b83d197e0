"""The colours of the pages: text has a contrast of at least 4.5, borders of controls 3 (WCAG 2.1, AA)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLES = {
    name: (resources.files(package) / "static" / f"{name}.css").read_text()
    for name, package in (("ui", "nncodec.web"), ("viewer", "nncodec.web.viewer"))
}
TEXT = [(text, ground) for text in ("ink", "soft", "accent", "error") for ground in ("surface", "sunken", "raised")] + [
    ("on-accent", "accent")
]
CONTROLS = [("control", ground) for ground in ("surface", "sunken", "raised")]


def themes(style: str) -> dict[str, dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.S)
    )
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_controls_can_be_read(theme: str, name: str) -> None:
    colours = themes(STYLES[name])[theme]
    pairs = [(pair, 4.5) for pair in TEXT] + [(pair, 3.0) for pair in CONTROLS]
    for (mark, ground), least in pairs:
        if {mark, ground} <= colours.keys():
            assert contrast(colours[mark], colours[ground]) >= least, f"{mark} on {ground}"
    assert {"ink", "soft", "error", "surface", "sunken", "control"} <= colours.keys()
