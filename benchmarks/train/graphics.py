"""Draw pictures that are no photographs, to train a photo model on beside photographs.

    python -m benchmarks.train.graphics "$NNCODEC_DATA/photos" pictures/graphics --count 180

Flat colours, gradients, rendered text, lines, windows of a user interface, single-pixel patterns, dithers, palettes
and text over photographs. Fonts are those that matplotlib brings; dithers, palettes and text over photographs use the
training photographs of the first folder, never those held back. One seed always draws the same pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm  # type: ignore[import-untyped]

from benchmarks.measuring.data import HELD_BACK, open_rgb
from nncodec.training.data import list_pictures, split_by_name

Colour = tuple[int, int, int]

_FONTS = sorted(Path(matplotlib.__path__[0], "mpl-data", "fonts", "ttf").glob("DejaVu*.ttf"))
_TEXT = (
    "the of image codec rate latent table 2026 0.5 encode and filter depth colour matrix with lambda value result "
    "Figure error model, which first. under over 128 pixel (see) block scale mean of noise signal to a in is for"
)
_WORDS = _TEXT.split()
_SHADES = (0, 64, 128, 192, 255)


def main() -> None:
    """Write the pictures as PNG files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of photographs")
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("--count", type=int, default=180, help="pictures")
    parser.add_argument("--edge", type=int, default=512, help="their width and height, pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    photographs, _ = split_by_name(list_pictures(options.photographs), HELD_BACK)
    options.output.mkdir(parents=True, exist_ok=True)
    for number in tqdm(range(options.count), unit="picture"):
        rng = np.random.default_rng([options.seed, number])
        photograph = open_rgb(photographs[int(rng.integers(len(photographs)))])
        drawn = draw(rng, options.edge, photograph)
        drawn.save(options.output / f"graphic-{options.seed}-{number:04d}.png")


def draw(rng: np.random.Generator, edge: int, photograph: Image.Image) -> Image.Image:
    """Return a square picture of a random kind, RGB.

    Args:
        rng: decides everything.
        edge: width and height, pixels.
        photograph: RGB, what kinds that start from a photograph use; it is cropped or enlarged.
    """
    canvas = _Canvas(rng, edge, photograph)
    kinds, shares = zip(*_KINDS, strict=True)
    kind: Callable[[_Canvas], Image.Image] = kinds[int(rng.choice(len(kinds), p=shares))]
    return kind(canvas).convert("RGB")


@dataclass
class _Canvas:
    """Where and from what a picture is drawn."""

    rng: np.random.Generator
    edge: int
    photograph: Image.Image

    def colour(self) -> Colour:
        kind = self.rng.random()
        if kind < 0.3:
            return _rgb(self.rng.choice(_SHADES, 3))
        if kind < 0.45:
            return _rgb([int(self.rng.integers(256))] * 3)
        return _rgb(self.rng.integers(0, 256, 3))

    def blank(self, colour: Colour | None = None) -> Image.Image:
        return Image.new("RGB", (self.edge, self.edge), colour or self.colour())

    def point(self) -> tuple[int, int]:
        x, y = self.rng.integers(0, self.edge, 2)
        return int(x), int(y)

    def box(self) -> tuple[int, int, int, int]:
        left, top = self.rng.integers(-20, self.edge, 2)
        width, height = self.rng.integers(4, self.edge, 2)
        return int(left), int(top), int(left + width), int(top + height)

    def words(self, count: int) -> str:
        return " ".join(self.rng.choice(_WORDS, count))

    def font(self, smallest: int, largest: int) -> ImageFont.FreeTypeFont:
        path = _FONTS[int(self.rng.integers(len(_FONTS)))]
        return ImageFont.truetype(str(path), int(self.rng.integers(smallest, largest)))

    def crop(self, shrink: int = 1) -> Image.Image:
        """Return a square of the photograph, `edge / shrink` pixels wide."""
        edge = -(-self.edge // shrink)
        scale = max(1.0, edge / min(self.photograph.size))
        enlarged = self.photograph.resize([int(np.ceil(scale * size)) for size in self.photograph.size])
        left, top = (int(self.rng.integers(size - edge + 1)) for size in enlarged.size)
        return enlarged.crop((left, top, left + edge, top + edge))


def _flat(canvas: _Canvas) -> Image.Image:
    return canvas.blank()


def _shapes(canvas: _Canvas) -> Image.Image:
    image = canvas.blank()
    pen = ImageDraw.Draw(image)
    for _ in range(int(canvas.rng.integers(1, 12))):
        shape = pen.rectangle if canvas.rng.random() < 0.6 else pen.ellipse
        shape(canvas.box(), fill=canvas.colour())
    return image


def _gradient(canvas: _Canvas) -> Image.Image:
    rows, columns = np.mgrid[0 : canvas.edge, 0 : canvas.edge] / canvas.edge
    angle = canvas.rng.uniform(0, 2 * np.pi)
    along = (columns * np.cos(angle) + rows * np.sin(angle)) * canvas.rng.uniform(0.3, 1.5)
    first, second, third = (np.array(canvas.colour(), np.float64) for _ in range(3))
    colours = first + (second - first) * np.clip(along, 0, 1)[..., None]
    if canvas.rng.random() < 0.4:
        colours += (third - first) * rows[..., None]
    return Image.fromarray(np.clip(colours + 0.5, 0, 255).astype(np.uint8))


def _text(canvas: _Canvas) -> Image.Image:
    if canvas.rng.random() < 0.5:
        image, fill = canvas.blank((255, 255, 255)), (0, 0, 0) if canvas.rng.random() < 0.7 else canvas.colour()
    else:
        image, fill = canvas.blank(), canvas.colour()
    _write(canvas, image, canvas.edge, fill)
    return image


def _lines(canvas: _Canvas) -> Image.Image:
    image = canvas.blank()
    pen = ImageDraw.Draw(image)
    for _ in range(int(canvas.rng.integers(2, 20))):
        width = int(canvas.rng.integers(1, 5))
        if canvas.rng.random() < 0.6:
            pen.line([canvas.point(), canvas.point()], fill=canvas.colour(), width=width)
        else:
            pen.ellipse(canvas.box(), outline=canvas.colour(), width=width)
    return image


def _window(canvas: _Canvas) -> Image.Image:
    shade = canvas.rng.integers(200, 256) if canvas.rng.random() < 0.6 else canvas.rng.integers(10, 60)
    image = canvas.blank(_rgb([int(shade)] * 3))
    pen = ImageDraw.Draw(image)
    for _ in range(int(canvas.rng.integers(2, 6))):
        pen.rectangle(canvas.box(), fill=canvas.colour(), outline=canvas.colour())
    font = canvas.font(9, 15)
    for _ in range(int(canvas.rng.integers(4, 30))):
        pen.text(canvas.point(), canvas.words(3), fill=canvas.colour(), font=font)
    return image


def _dither(canvas: _Canvas) -> Image.Image:
    crop = canvas.crop()
    return crop.convert("1") if canvas.rng.random() < 0.5 else crop.quantize(int(canvas.rng.choice([4, 8, 16])))


def _pattern(canvas: _Canvas) -> Image.Image:
    size = int(canvas.rng.choice([1, 1, 1, 2, 3, 4, 8]))
    dark, light = canvas.colour(), canvas.colour()
    if canvas.rng.random() < 0.4:
        dark, light = (0, 0, 0), (255, 255, 255)
    rows, columns = np.mgrid[0 : canvas.edge, 0 : canvas.edge] // size
    mask = (columns % 2, rows % 2, (columns + rows) % 2)[int(canvas.rng.integers(3))]
    return Image.fromarray(np.where(mask[..., None], light, dark).astype(np.uint8))


def _palette(canvas: _Canvas) -> Image.Image:
    crop = canvas.crop(int(canvas.rng.integers(2, 6)))
    few = crop.quantize(int(canvas.rng.integers(4, 24)), dither=Image.Dither.NONE)
    return few.convert("RGB").resize((canvas.edge, canvas.edge), Image.Resampling.NEAREST)


def _over_photograph(canvas: _Canvas) -> Image.Image:
    image = canvas.crop()
    ImageDraw.Draw(image).rectangle(canvas.box(), fill=canvas.colour())
    _write(canvas, image, int(canvas.rng.integers(20, canvas.edge)), canvas.colour())
    return image


_KINDS = (
    (_flat, 0.14),
    (_shapes, 0.12),
    (_gradient, 0.1),
    (_text, 0.18),
    (_lines, 0.08),
    (_window, 0.12),
    (_dither, 0.06),
    (_pattern, 0.06),
    (_palette, 0.07),
    (_over_photograph, 0.07),
)


def _write(canvas: _Canvas, image: Image.Image, height: int, fill: Colour) -> None:
    """Fill the upper `height` pixels of an image with lines of text."""
    pen, font = ImageDraw.Draw(image), canvas.font(8, 36)
    top = int(canvas.rng.integers(0, 12))
    while top < height:
        left = int(canvas.rng.integers(-20, 12))
        pen.text((left, top), canvas.words(int(canvas.rng.integers(6, 30))), fill=fill, font=font)
        top += int(font.size * canvas.rng.uniform(1.1, 1.6)) + 1


def _rgb(values: Sequence[int] | np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


if __name__ == "__main__":
    main()
