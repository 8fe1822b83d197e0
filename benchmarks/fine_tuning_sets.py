"""Three sets of pictures unlike photographs, each with a part for training and a part held back for measuring.

Clothing is Fashion-MNIST: its training file, and pictures of its test file. Pages are text in fonts that ship with
Matplotlib, slightly rotated and blurred as from a scanner; held-back pages have other words. Texture is a photograph
that ships with scikit-image; the held-back crops come from a strip that no training crop touches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.measuring.data import idx_file, idx_pictures
from nncodec.plugin.latents import Pixels

CLOTHING_HELD_BACK = 200
PAGES, PAGES_HELD_BACK = 160, 8
PAGE_WIDTH, PAGE_HEIGHT = 480, 640
TEXTURE = "ihc"
TEXTURE_CROP = 128

_FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
)
_ONSETS = ("", "b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "th", "st", "pr", "ch", "qu")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "ou", "y")
_CODAS = ("", "", "n", "r", "s", "t", "l", "nd", "ng", "ck", "m", "x")


@dataclass(frozen=True)
class PictureSet:
    """Pictures of one kind.

    Args:
        name: of the set.
        about: one line of description.
        training: uint8 (H, W, C).
        held_back: pictures that training never sees.
        file: the file that holds the training pictures, if there is one.
    """

    name: str
    about: str
    training: Sequence[Pixels] | Pixels
    held_back: Sequence[Pixels] | Pixels
    file: Path | None = None


def clothing() -> PictureSet:
    """Return Fashion-MNIST of $NNCODEC_DATA; raises SystemExit without the data."""
    name = "fashion-mnist"
    training, test = (idx_pictures(name, part) for part in ("train", "t10k"))
    about = f"Fashion-MNIST, 28 x 28 grey; the first {CLOTHING_HELD_BACK} pictures of the test file are held back"
    return PictureSet("clothing", about, training, test[:CLOTHING_HELD_BACK], idx_file(name, "train"))


def pages(count: int = PAGES, held_back: int = PAGES_HELD_BACK) -> PictureSet:
    """Return pages of text in eight fonts."""
    about = (
        f"scans of pages of made-up words, {PAGE_WIDTH} x {PAGE_HEIGHT} grey, {len(_FONTS)} fonts; held back: others"
    )
    training, others = (
        [scan(np.random.default_rng([part, n])) for n in range(m)] for part, m in ((1, count), (2, held_back))
    )
    return PictureSet("pages", about, training, others)


def texture() -> PictureSet:
    """Return parts of a photograph of stained tissue: the left three quarters, and crops of the right quarter."""
    path = Path(skimage.data.__file__).parent / f"{TEXTURE}.png"
    picture = np.asarray(Image.open(path).convert("RGB"))
    edge = picture.shape[1] * 3 // 4
    strip = picture[:, edge:]
    held_back = [
        strip[top : top + TEXTURE_CROP, left : left + TEXTURE_CROP]
        for top in range(0, strip.shape[0] - TEXTURE_CROP + 1, TEXTURE_CROP)
        for left in range(0, strip.shape[1] - TEXTURE_CROP + 1, TEXTURE_CROP)
    ]
    about = f"stained tissue ({path.name} of scikit-image), colour; crops of {TEXTURE_CROP} pixels of the right quarter"
    return PictureSet("texture", about + " are held back", [picture[:, :edge]], held_back)


SETS: dict[str, Callable[[], PictureSet]] = {"clothing": clothing, "pages": pages, "texture": texture}


def scan(rng: np.random.Generator) -> Pixels:
    """Return a page (H, W, 1) rotated by up to a degree and a half, with a blur of one pixel."""
    paper, ink = int(rng.integers(236, 256)), int(rng.integers(0, 60))
    twice = page(rng, paper, ink).resize((2 * PAGE_WIDTH, 2 * PAGE_HEIGHT), Image.Resampling.BICUBIC)
    turned = twice.rotate(float(rng.uniform(-1.5, 1.5)), Image.Resampling.BICUBIC, fillcolor=paper)
    small = turned.filter(ImageFilter.GaussianBlur(2)).resize((PAGE_WIDTH, PAGE_HEIGHT), Image.Resampling.BOX)
    return np.asarray(small)[:, :, None]


def page(rng: np.random.Generator, paper: int, ink: int) -> Image.Image:
    """Return a page as typeset: a heading and one to three columns of paragraphs."""
    image = Image.new("L", (PAGE_WIDTH, PAGE_HEIGHT), paper)
    draw = ImageDraw.Draw(image)
    body = _font(str(rng.choice(_FONTS)), int(rng.integers(10, 23)))
    heading = _font(str(rng.choice(_FONTS)), int(rng.integers(24, 41)))
    margin = int(rng.integers(20, 48))
    columns = int(rng.integers(1, 4 if body.size < 14 else 3))
    top = margin
    if rng.random() < 0.7:
        draw.text((margin, top), _words(rng, 3).title(), fill=ink, font=heading)
        top += round(1.5 * heading.size)
        draw.line((margin, top, PAGE_WIDTH - margin, top), fill=ink, width=int(rng.integers(1, 3)))
        top += round(body.size)
    gap = 18
    width = (PAGE_WIDTH - 2 * margin - (columns - 1) * gap) // columns
    leading = round(body.size * rng.uniform(1.2, 1.6))
    for column in range(columns):
        left = margin + column * (width + gap)
        y = top
        while y < PAGE_HEIGHT - margin - body.size:
            for line in _wrapped(_paragraph(rng), body, width):
                if y >= PAGE_HEIGHT - margin - body.size:
                    break
                draw.text((left, y), line, fill=ink, font=body)
                y += leading
            y += leading // 2
    return image


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def _paragraph(rng: np.random.Generator) -> str:
    sentences = [_words(rng, int(rng.integers(4, 15))).capitalize() for _ in range(int(rng.integers(2, 7)))]
    numbers = [f" {rng.integers(1, 3000)}" if rng.random() < 0.2 else "" for _ in sentences]
    return " ".join(sentence + number + "." for sentence, number in zip(sentences, numbers, strict=True))


def _words(rng: np.random.Generator, count: int) -> str:
    syllables = rng.choice((1, 2, 3, 4), size=count, p=(0.4, 0.35, 0.17, 0.08))
    return " ".join("".join(_syllable(rng) for _ in range(n)) for n in syllables)


def _syllable(rng: np.random.Generator) -> str:
    return "".join(str(rng.choice(part)) for part in (_ONSETS, _VOWELS, _CODAS))


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
