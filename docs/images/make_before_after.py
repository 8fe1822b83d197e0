"""Draw before-after.png: one crop of a photograph, of a JPEG file, and of a .nnc file that is no larger.

The photograph is `skimage.data.astronaut`, which scikit-image ships. JPEG is optimized, progressive, 4:2:0. Pixels are
repeated, not interpolated, so the picture shows what the files hold.

    python docs/images/make_before_after.py
"""

from __future__ import annotations

import io
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont

import nncodec

OUTPUT = Path(__file__).with_name("before-after.png")
JPEG_QUALITY = 14
CROP = (150, 20, 290, 180)  # left, upper, right, lower
SCALE = 3
GAP, LABEL_HEIGHT, LABEL_SIZE = 12, 36, 20
INK, PAPER = "#222222", "#ffffff"


def main() -> None:
    photo = Image.fromarray(skimage.data.astronaut())
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True, subsampling="4:2:0")
    jpeg_bytes = stream.tell()
    coded = nncodec.encode(photo, target_size=jpeg_bytes)
    panels = {
        "original": photo,
        f"JPEG, {jpeg_bytes:,} bytes": Image.open(stream),
        f".nnc, {len(coded):,} bytes": nncodec.decode(coded),
    }
    side_by_side(panels).save(OUTPUT, optimize=True)
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size:,} bytes; {'; '.join(panels)}")


def side_by_side(panels: dict[str, Image.Image]) -> Image.Image:
    """Return the crops side by side, enlarged, each under its label."""
    width, height = SCALE * (CROP[2] - CROP[0]), SCALE * (CROP[3] - CROP[1])
    canvas = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + LABEL_HEIGHT), PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(LABEL_SIZE)
    for number, (label, image) in enumerate(panels.items()):
        left = number * (width + GAP)
        draw.text((left + width / 2, LABEL_HEIGHT / 2), label, fill=INK, font=font, anchor="mm")
        canvas.paste(image.crop(CROP).resize((width, height), Image.Resampling.NEAREST), (left, LABEL_HEIGHT))
    return canvas


if __name__ == "__main__":
    main()
