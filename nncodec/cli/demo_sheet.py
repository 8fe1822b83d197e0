"""The picture that `nncodec demo` writes: results side by side, and one square of each enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from nncodec.compare.crops import Crop

ENLARGED = 3
"""How many times the squares are enlarged, pixel by pixel."""

_GAP = 16
_FONT_SIZES = range(30, 7, -1)
_LINE_HEIGHT = 1.25
_INK, _PAPER, _MARK = "black", "white", "yellow"


@dataclass(frozen=True)
class Panel:
    """One picture of the sheet.

    Args:
        label: lines of text above it, as many in every panel.
    """

    label: tuple[str, ...]
    image: Image.Image


@dataclass(frozen=True)
class Layout:
    """Places on the sheet: labels above pictures above squares, a column for each panel."""

    width: int
    height: int
    square: int
    label_height: int

    def picture_at(self, number: int) -> tuple[int, int]:
        """Return left and top of a panel's picture."""
        return _GAP + number * (max(self.width, self.square) + _GAP), _GAP + self.label_height

    def square_at(self, number: int) -> tuple[int, int]:
        """Return left and top of a panel's enlarged square."""
        left, top = self.picture_at(number)
        return left, top + self.height + _GAP + self.caption_height

    @property
    def caption_height(self) -> int:
        """Height of the line above the squares."""
        return self.label_height // 3

    def size(self, panels: int) -> tuple[int, int]:
        """Return width and height of the sheet."""
        return self.picture_at(panels)[0], self.square_at(0)[1] + self.square + _GAP


def draw_sheet(panels: Sequence[Panel], crop: Crop) -> tuple[Image.Image, Layout]:
    """Return the panels in a row, and below each the crop of its picture, enlarged.

    Args:
        panels: pictures of one size; the crop is outlined in each.
    """
    width, height = panels[0].image.size
    square = ENLARGED * crop.width
    caption = f"the marked square, {ENLARGED} times enlarged: where the codecs differ most"
    font = _font([line for panel in panels for line in panel.label], max(width, square))
    line_height = round(_LINE_HEIGHT * font.getbbox("Ay")[3])
    layout = Layout(width, height, square, len(panels[0].label) * line_height)
    sheet = Image.new("RGB", layout.size(len(panels)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left, top = layout.picture_at(number)
        for line, text in enumerate(panel.label):
            draw.text((left, _GAP // 2 + line * line_height), text, _INK, font)
        sheet.paste(panel.image, (left, top))
        outline = (left + crop.left - 2, top + crop.top - 2, left + crop.right + 1, top + crop.bottom + 1)
        draw.rectangle(outline, outline=_MARK, width=2)
        part = panel.image.crop(crop.box)
        enlarged = part.resize((ENLARGED * crop.width, ENLARGED * crop.height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, layout.square_at(number))
    left, top = layout.square_at(0)
    draw.text((left, top - layout.caption_height), caption, _INK, font)
    return sheet, layout


def _font(lines: Sequence[str], width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, as large as lets every line fit."""
    for size in _FONT_SIZES:
        font = ImageFont.load_default(size)
        if max(font.getlength(line) for line in lines) <= width:
            break
    return font
