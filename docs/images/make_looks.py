"""Draw looks.webp: squares of photographs, from AVIF and from .nnc files of equal bytes, at three rates.

The pictures come with scikit-image and are free to show: nine photographs, two micrographs and a texture. AVIF has the
options that `nncodec compare` gives it, and the quality that comes nearest to the rate of the whole picture. The .nnc
file beside it has at most its bytes. Each square is the one where the squared errors of the two codecs are furthest
apart at the lowest rate. Pixels are doubled, not interpolated.

    python docs/images/make_looks.py
"""

from __future__ import annotations

from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont

import nncodec
from nncodec.compare import code_at_bytes
from nncodec.compare.crops import most_different_square

OUTPUT = Path(__file__).with_name("looks.webp")
# Names in skimage.data.
PICTURES = (
    *("astronaut", "chelsea", "coffee", "rocket", "camera", "coins"),
    *("clock", "hubble_deep_field", "retina", "immunohistochemistry", "cell", "brick"),
)
RATES_BPP = (0.15, 0.3, 0.6)
EDGE, SCALE, GAP, LABEL_HEIGHT, LABEL_SIZE = 112, 2, 6, 22, 14
INK, PAPER = "#222222", "#ffffff"


def main() -> None:
    columns, row_height = 1 + 2 * len(RATES_BPP), LABEL_HEIGHT + SCALE * EDGE + GAP
    sheet = Image.new("RGB", (columns * (SCALE * EDGE + GAP) - GAP, LABEL_HEIGHT + len(PICTURES) * row_height), PAPER)
    for column, label in enumerate(("original", *(f"{rate} bits per pixel" for rate in RATES_BPP for _ in range(2)))):
        write(sheet, label, column, 0)
    for row, name in enumerate(PICTURES):
        photo = picture(name)
        pairs = [coded(photo, rate_bpp) for rate_bpp in RATES_BPP]
        crop = most_different_square(photo, [image for _, _, image in pairs[0]], EDGE)
        panels = [(f"{name}, {photo.width} x {photo.height}", photo)]
        panels += [(f"{kind}, {size_bytes:,} bytes", image) for pair in pairs for kind, size_bytes, image in pair]
        top = LABEL_HEIGHT + row * row_height
        for column, (label, image) in enumerate(panels):
            write(sheet, label, column, top)
            square = image.crop(crop.box).resize((SCALE * EDGE, SCALE * EDGE), Image.Resampling.NEAREST)
            sheet.paste(square, (column * (SCALE * EDGE + GAP), top + LABEL_HEIGHT))
        print(f"{name}, square at {crop.box[:2]}: {'; '.join(label for label, _ in panels[1:])}", flush=True)
    sheet.save(OUTPUT, quality=90, method=6)
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size:,} bytes")


def picture(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def coded(photo: Image.Image, rate_bpp: float) -> list[tuple[str, int, Image.Image]]:
    """Return kind, bytes and picture of the AVIF file that comes nearest to a rate, and of a .nnc file no larger."""
    avif = code_at_bytes("avif", photo, round(rate_bpp * photo.width * photo.height / 8))
    data = nncodec.encode(photo, target_size=len(avif.data))
    return [("AVIF", len(avif.data), avif.image), (".nnc", len(data), nncodec.decode(data))]


def write(sheet: Image.Image, label: str, column: int, top: int) -> None:
    middle = column * (SCALE * EDGE + GAP) + SCALE * EDGE / 2, top + LABEL_HEIGHT / 2
    ImageDraw.Draw(sheet).text(middle, label, fill=INK, font=ImageFont.load_default(LABEL_SIZE), anchor="mm")


if __name__ == "__main__":
    main()
