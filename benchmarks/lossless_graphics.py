"""Bytes and speed of the lossless model on graphics beside its peers: pages, sprites, colour maps, enlarged pictures.

    python -m benchmarks.lossless_graphics --output benchmarks/results/lossless_graphics.json

Pictures are drawn with the fonts of matplotlib; photographs and dithers are scikit-image's. Each picture is one block.
`whole_bytes` is what the samples take as they are, where the block has insets, tables, repeats or copies.
Speeds are in megapixels per second of processor time, on one core.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.records import command_line, write_record
from nncodec.plugin.lossless import Samples
from nncodec.plugin.registry import open_lossless
from nncodec_lossless.codec import BlockCoder, LosslessCodec
from nncodec_lossless.natural import block as natural
from nncodec_lossless.synthetic import block as synthetic

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
# fmt: off
WORDS = [
    "the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "as", "with", "his", "they", "at",
    "be", "this", "from", "have", "by", "one", "had", "not", "but", "what", "all", "were", "when", "we", "there",
    "can", "an", "your", "which", "their", "said", "if", "do", "will", "each", "about", "how", "up", "out", "them",
    "then", "many", "some", "so", "these", "would", "other", "into", "has", "more", "two", "like", "him", "see",
    "time", "could", "no", "make", "than", "first", "been", "its", "who", "now", "people", "my", "made", "over",
    "did", "down", "only", "way", "find", "use", "may", "water", "long", "little", "very", "after", "words", "called",
    "just", "where", "most", "know",
]
# fmt: on
PEERS = (
    PillowCodec("WebP lossless", "WEBP", {"lossless": True, "method": 6, "quality": 100}),
    PillowCodec("JPEG XL effort 7", "JXL", {"lossless": True, "effort": 7}, ("pillow_jxl",)),
    PillowCodec("PNG", "PNG", {"optimize": True}),
)
GROUP_4 = PillowCodec("TIFF group 4", "TIFF", {"compression": "group4"})
_DIVIDED = (BlockCoder.INSETS, BlockCoder.INDEXED, BlockCoder.REPEATS, BlockCoder.COPIES)
_COLOURS = ((20, 20, 20), (0, 0, 200), (150, 30, 150), (0, 110, 0), (170, 90, 0))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    model = open_lossless("lossless")
    if not isinstance(model, LosslessCodec):
        raise SystemExit("the lossless model is another plugin's")
    torch.set_num_threads(1)
    results = {}
    for name, image in pictures():
        results[name] = measure(model, image)
        print(name, json.dumps(results[name]), flush=True)
    if options.output:
        write_record(options.output, {"command": command_line("lossless_graphics"), "results": results})


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Yield names and pictures."""
    page = text((1024, 1024), 18, seed=0)
    yield "text page, grey", page.convert("L")
    yield "text page, colour", text((1024, 1024), 18, seed=1, colours=_COLOURS)
    yield "screenshot", screenshot()
    astronaut, coffee = (Image.fromarray(_photograph(name)) for name in ("astronaut", "coffee"))
    page.paste(coffee.resize((480, 320), Image.Resampling.LANCZOS), (500, 333))
    yield "text page with a photograph, colour", page
    yield "text page with a photograph, grey", page.convert("L")
    screen = screenshot()
    screen.paste(astronaut.resize((300, 300), Image.Resampling.LANCZOS), (600, 250))
    yield "screenshot with a photograph", screen
    yield "sprite", sprite(64, seed=0)
    yield "sheet of sprites", sheet(8)
    fax = text((1728, 2200), 30, seed=2)
    yield "bilevel page", fax.convert("1", dither=Image.Dither.NONE)
    yield "bilevel page, scanned", scanned(fax)
    yield "dither", Image.fromarray(_photograph("camera")).convert("1")
    yield "dither, 16 colours", astronaut.quantize(16, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")
    yield "ordered dither, 64 colours", ordered_dither(astronaut)
    yield "rings", rings(512)
    yield "horse", Image.fromarray(_photograph("horse")).convert("1")
    camera = Image.fromarray(_photograph("camera"))
    yield "heat map", coloured(camera.filter(ImageFilter.GaussianBlur(6)), "viridis")
    yield "heat map with noise", coloured(camera, "jet")
    yield "photograph, contrast raised", coffee.point([min(255, level * 7 // 5) for level in range(256)] * 3)
    yield "photograph, 16 levels", camera.point([level // 16 * 17 for level in range(256)])
    small = sprite(64, seed=0)
    yield "map of 32 tiles", tile_map(astronaut)
    yield "wallpaper", Image.fromarray(np.tile(np.asarray(astronaut)[40:140, 180:280], (5, 5, 1)))
    part = np.asarray(coffee)[40:296, 80:400]
    yield "photograph twice", Image.fromarray(np.concatenate([part, part]))
    yield "photograph and its mirror image", Image.fromarray(np.concatenate([part, part[::-1]]))
    yield "sprite, enlarged 8 times", small.resize((512, 512), Image.Resampling.NEAREST)
    thumbnail = astronaut.resize((128, 128), Image.Resampling.LANCZOS)
    yield "photograph, enlarged 2.5 times", thumbnail.resize((320, 320), Image.Resampling.NEAREST)


def _photograph(name: str) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = getattr(skimage.data, name)()
    return pixels


def ordered_dither(image: Image.Image) -> Image.Image:
    """Return a photograph in four levels of each colour, by the pattern of Bayer's matrix of 4 x 4 places."""
    thresholds = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16
    tiled = np.tile(thresholds, (-(-image.height // 4), -(-image.width // 4)))[: image.height, : image.width]
    steps = np.floor(3 * np.asarray(image) / 255 + tiled[..., None])
    return Image.fromarray((85 * np.minimum(steps, 3)).astype(np.uint8))


def tile_map(photograph: Image.Image) -> Image.Image:
    """Return a map of 32 x 32 places, each with one of 32 tiles of 16 x 16 pixels that are parts of a photograph."""
    rng = np.random.default_rng(0)
    pixels = np.asarray(photograph)
    corners = rng.integers(0, min(photograph.size) - 16, (32, 2))
    tiles = np.stack([pixels[y : y + 16, x : x + 16] for y, x in corners])
    places = tiles[rng.integers(0, len(tiles), (32, 32))]  # rows, columns, then the pixels of each
    return Image.fromarray(places.transpose(0, 2, 1, 3, 4).reshape(512, 512, 3))


def rings(edge: int) -> Image.Image:
    """Return black and white rings, narrower from the middle to the edge."""
    y, x = np.ogrid[:edge, :edge]
    return Image.fromarray((((x - edge // 2) ** 2 + (y - edge // 2) ** 2) // (edge * 2) % 2 * 255).astype(np.uint8))


def coloured(grey: Image.Image, name: str) -> Image.Image:
    """Return grey levels in the colours of a map of matplotlib."""
    return Image.fromarray(matplotlib.colormaps[name](np.asarray(grey), bytes=True)[..., :3])


def measure(model: LosslessCodec, image: Image.Image) -> dict[str, Any]:
    """Return bytes of a picture with each codec, and speeds."""
    samples = np.asarray(image).astype(np.uint16).reshape(1, image.height, image.width, -1)
    bits = 1 if image.mode == "1" else 8
    start = time.process_time()
    payload = model.encode(samples, bits, 0)
    encoded = time.process_time()
    if not np.array_equal(model.decode(payload, samples.shape, bits), samples):
        raise SystemExit("a picture did not come back")
    decoded = time.process_time()
    megapixels = image.width * image.height / 1e6
    peers = (*PEERS, GROUP_4) if image.mode == "1" else PEERS
    return {
        "size": [image.width, image.height],
        "payload_bytes": len(payload),
        **({"whole_bytes": whole_bytes(model, samples, bits)} if payload[0] in _DIVIDED else {}),
        "peer_bytes": {peer.name: _file_bytes(image, peer) for peer in peers},
        "encode_mp_per_s": round(megapixels / (encoded - start), 2),
        "decode_mp_per_s": round(megapixels / (decoded - encoded), 2),
    }


def whole_bytes(model: LosslessCodec, samples: Samples, bits: int) -> int:
    """Return the bytes of a block without insets, tables, repeats and copies."""
    payloads = synthetic.encode(samples, bits), natural.encode(model.networks, samples, bits)
    return 1 + min(len(payload) for payload in payloads if payload is not None)


def _file_bytes(image: Image.Image, codec: PillowCodec) -> int:
    codec.register()
    file = io.BytesIO()
    shown = image.convert("L") if image.mode == "1" and codec.format in ("WEBP", "JXL") else image
    shown.save(file, codec.format, **codec.save_options)
    return file.tell()


def text(
    size: tuple[int, int], points: int, seed: int, colours: tuple[tuple[int, int, int], ...] = ((0, 0, 0),)
) -> Image.Image:
    """Return a page of antialiased text."""
    page = Image.new("RGB", size, "white")
    _write(page, (60, 60, size[0] - 60, size[1] - 60), "DejaVuSerif.ttf", points, np.random.default_rng(seed), colours)
    return page


def screenshot() -> Image.Image:
    """Return a desktop with two windows and icons over a gradient."""
    rng = np.random.default_rng(0)
    shade = (np.array([40, 70, 110]) + np.linspace(0, 1, 768)[:, None] * [30, 42, 60]).astype(np.uint8)
    screen = Image.fromarray(np.repeat(shade[:, None], 1024, axis=1))
    draw = ImageDraw.Draw(screen)
    windows = (
        ((30, 40, 560, 600), "DejaVuSansMono.ttf", _COLOURS),
        ((420, 150, 980, 700), "DejaVuSans.ttf", _COLOURS[:1]),
    )
    for (left, top, right, bottom), font, colours in windows:
        draw.rectangle((left, top, right, bottom), fill=(250, 250, 250), outline=(90, 90, 90))
        for y in range(26):
            draw.line((left + 1, top + 1 + y, right - 1, top + 1 + y), fill=(220 - 2 * y, 220 - 2 * y, 230 - 2 * y))
        draw.ellipse((right - 20, top + 7, right - 8, top + 19), fill=(237, 106, 94), outline=(100, 80, 80))
        _write(screen, (left + 10, top + 34, right - 10, bottom - 10), font, 13, rng, colours)
    for x in range(20, 620, 60):
        fill = tuple(int(value) for value in rng.integers(60, 240, 3))
        draw.rounded_rectangle((x, 716, x + 44, 760), 8, fill=fill, outline=(20, 20, 20))
    return screen


def _write(
    image: Image.Image,
    box: tuple[int, int, int, int],
    font_name: str,
    points: int,
    rng: np.random.Generator,
    colours: tuple[tuple[int, int, int], ...],
) -> None:
    """Fill a box with words."""
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(str(FONTS / font_name), points)
    left, y, right, bottom = box
    while y < bottom - points:
        x = left
        while True:
            word = f"{rng.choice(WORDS)} "
            width = round(draw.textlength(word, font=font))
            if x + width > right:
                break
            draw.text((x, y), word, font=font, fill=colours[int(rng.integers(len(colours)))])
            x += width
        y += round(points * 1.45)


def scanned(page: Image.Image) -> Image.Image:
    """Return a bilevel page with the rough edges and specks of a scan."""
    rng = np.random.default_rng(0)
    shades = np.asarray(page.convert("L")).astype(float) + rng.normal(0, 25, (page.height, page.width))
    black = (shades < 128) | (rng.random(shades.shape) < 0.0005)
    return Image.fromarray(~black)


def sprite(edge: int, seed: int) -> Image.Image:
    """Return a symmetric figure of 12 colours with an outline and a dithered shade."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    figure = np.zeros((edge, edge), np.int64)
    for colour in rng.integers(1, 11, 6):
        centre = rng.uniform((0.2, 0.3), (0.8, 0.5)) * edge
        radii = rng.uniform(0.08, 0.3, 2) * edge
        figure[((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1] = colour
    figure = np.maximum(figure, figure[:, ::-1])
    body = figure > 0
    figure[body & ((x + y) % 2 == 0) & (y > 0.6 * edge)] = 11
    inner = body & np.roll(body, 1, 0) & np.roll(body, -1, 0) & np.roll(body, 1, 1) & np.roll(body, -1, 1)
    figure[body & ~inner] = 12
    colours = np.random.default_rng(1).integers(0, 256, (13, 3)).astype(np.uint8)
    return Image.fromarray(colours[figure])


def sheet(edge: int) -> Image.Image:
    """Return a square of different sprites of 32 pixels."""
    whole = Image.new("RGB", (32 * edge, 32 * edge))
    for number in range(edge * edge):
        whole.paste(sprite(32, number), (32 * (number % edge), 32 * (number // edge)))
    return whole


if __name__ == "__main__":
    main()
