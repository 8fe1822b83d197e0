"""Draw looks.webp: crops of photographs, from AVIF and from .nnc files of equal bytes, at three rates.

The photographs are those that scikit-image ships. AVIF is Pillow's at speed 6, 4:2:0, with its default tuning. Every
.nnc file has at most the bytes of the AVIF file beside it. Pixels are doubled, not interpolated.

    python docs/images/make_looks.py
"""

from __future__ import annotations

import io
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont

import nncodec

OUTPUT = Path(__file__).with_name("looks.webp")
# Name in skimage.data, and the upper left corner of the crop.
CROPS = (("astronaut", (180, 40)), ("chelsea", (100, 60)), ("coffee", (170, 110)), ("rocket", (280, 200)))
RATES_BPP = (0.2, 0.35, 0.6)
EDGE, SCALE, GAP, LABEL_HEIGHT = 112, 2, 6, 24
INK, PAPER = "#222222", "#ffffff"


def main() -> None:
    edge = SCALE * EDGE
    columns = ["original", *(f"{kind}, {rate} bpp" for rate in RATES_BPP for kind in ("AVIF", ".nnc"))]
    size = (len(columns) * (edge + GAP) - GAP, LABEL_HEIGHT + len(CROPS) * (edge + GAP) - GAP)
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, label in enumerate(columns):
        draw.text((column * (edge + GAP) + edge / 2, LABEL_HEIGHT / 2), label, fill=INK, font=font, anchor="mm")
    for row, (name, (left, top)) in enumerate(CROPS):
        photo = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        for column, image in enumerate([photo, *(image for rate in RATES_BPP for image in coded(photo, rate))]):
            crop = image.crop((left, top, left + EDGE, top + EDGE)).resize((edge, edge), Image.Resampling.NEAREST)
            sheet.paste(crop, (column * (edge + GAP), LABEL_HEIGHT + row * (edge + GAP)))
    sheet.save(OUTPUT, quality=90, method=6)
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size:,} bytes")


def coded(photo: Image.Image, rate_bpp: float) -> tuple[Image.Image, Image.Image]:
    """Return a photograph from the largest AVIF file within a rate, and from a .nnc file that is no larger."""
    limit = rate_bpp * photo.width * photo.height / 8
    low, high = 0, 100
    best = avif(photo, 0)
    while low <= high:
        quality = (low + high) // 2
        data = avif(photo, quality)
        if len(data) <= limit:
            best, low = data, quality + 1
        else:
            high = quality - 1
    own = nncodec.decode(nncodec.encode(photo, target_size=len(best)))
    return Image.open(io.BytesIO(best)).convert("RGB"), own


def avif(photo: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    photo.save(stream, "AVIF", quality=quality, speed=6, subsampling="4:2:0")
    return stream.getvalue()


if __name__ == "__main__":
    main()
