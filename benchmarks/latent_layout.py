"""Measure what Zstandard makes of the same latents in different layouts.

    python benchmarks/latent_layout.py --output benchmarks/results/latent_layout.json

The latents are those of `conv/photo` for photographs that scikit-image ships. Every layout is compressed at the same
level and compared with the ideal code length under the model's own context tables. Layouts marked as fixed lay out by
position alone; the sorted ones use the contexts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray

from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.layout import sorted_segments
from nncodec.format.entropy.zstd import ZstdCoder, compress
from nncodec.picture.area import Span, read_window
from nncodec.plugin import registry
from nncodec.plugin.entropy import EntropyModel

PICTURES = ("astronaut", "chelsea", "coffee", "rocket", "cat")
QUALITIES = (10, 30, 50, 70, 90)
Latents = NDArray[np.int32]


def planar(latents: Latents) -> bytes:
    """One byte a symbol, channel after channel; escapes follow as two bytes."""
    return _bytes(latents)


def channel_last(latents: Latents) -> bytes:
    """One byte a symbol, all channels of a position together."""
    return _bytes(latents.transpose(0, 2, 3, 1))


def nibbles(latents: Latents) -> bytes:
    """Channel after channel, two symbols of -7..7 a byte; escapes follow as two bytes."""
    flat = latents.ravel()
    digits = np.where(np.abs(flat) <= 7, flat + 7, 15).astype(np.uint8)
    digits = np.append(digits, np.zeros(len(digits) % 2, np.uint8)).reshape(-1, 2)
    return (digits[:, 0] | digits[:, 1] << 4).astype(np.uint8).tobytes() + _escapes(flat, 7)


def significance(latents: Latents) -> bytes:
    """Channel after channel: a bit for non-zero, eight a byte; then magnitudes less one; then signs, eight a byte."""
    flat = latents.ravel()
    present = flat[flat != 0]
    magnitude = np.minimum(np.abs(present) - 1, 255).astype(np.uint8)
    head = np.packbits(flat != 0).tobytes() + magnitude.tobytes() + np.packbits(present < 0).tobytes()
    return head + _escapes(present, 255)


def magnitude_bits(latents: Latents) -> bytes:
    """Channel after channel, zigzag bytes split into low and high nibbles, each packed in pairs."""
    zigzag = np.minimum(2 * np.abs(latents.ravel()) - (latents.ravel() < 0), 255).astype(np.uint8)
    zigzag = np.append(zigzag, np.zeros(len(zigzag) % 2, np.uint8)).reshape(-1, 2)
    low, high = zigzag & 15, zigzag >> 4
    packed = [(half[:, 0] | half[:, 1] << 4).astype(np.uint8).tobytes() for half in (low, high)]
    return b"".join(packed) + _escapes(latents.ravel(), 127)


FIXED: dict[str, Callable[[Latents], bytes]] = {
    "planar bytes": planar,
    "channel-last bytes": channel_last,
    "planar nibbles": nibbles,
    "planar nibble planes": magnitude_bits,
    "significance, magnitude, sign": significance,
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/latent_layout.json"))
    options = parser.parse_args()
    model = registry.open_model("conv/photo")
    pixels = [np.asarray(getattr(skimage.data, name)()) for name in PICTURES]
    results = {}
    for quality in QUALITIES:
        sizes: dict[str, float] = {}
        entropy = model.entropy(quality)
        for picture in pixels:
            height, width = (-(-n // 16) * 16 for n in picture.shape[:2])
            padded = read_window(picture[None], Span(0, height), Span(0, width))
            latents = model.analysis(padded, quality, 0)["y"]
            for name, size in measure(latents, entropy).items():
                sizes[name] = sizes.get(name, 0) + size
        results[str(quality)] = {name: round(size) for name, size in sizes.items()}
        ideal = sizes["ideal"]
        print(quality, " ".join(f"{name}: {size / ideal:.3f}" for name, size in sizes.items()), flush=True)
    record = {"command": " ".join(["python", *sys.argv]), "pictures": PICTURES, "unit": "bytes", "by_quality": results}
    options.output.write_text(json.dumps(record, indent=1) + "\n")


def measure(latents: Latents, entropy: EntropyModel) -> dict[str, float]:
    """Return the bytes of every layout for one picture's latents, and the ideal under the tables."""
    tables = entropy.tables
    assert tables is not None
    stages, ideal_bits = [], 0.0
    last = tables.frequencies.shape[1] - 1
    for number, stage in enumerate(entropy.stages()):
        context = entropy.context(number, {"y": latents})
        symbols = latents[stage.where] - context.offsets
        used = np.broadcast_to(context.tables, symbols.shape)
        column = np.where(np.abs(symbols) <= -tables.minimum, symbols - tables.minimum, last)
        ideal_bits -= np.log2(tables.frequencies[used, column] / (1 << tables.precision)).sum()
        stages.append(StageSymbols(symbols.ravel(), used.ravel()))
    alphabet = Alphabet(tables, -32767, 32767, latents.size)
    sizes: dict[str, float] = {"ideal": ideal_bits / 8}
    sizes |= {name: len(compress(layout(latents))) for name, layout in FIXED.items()}
    sizes["sorted, bytes"] = len(compress(b"".join(sorted_segments(stages, alphabet, 0))))
    sizes["sorted, four in a byte up to class 14"] = len(compress(b"".join(sorted_segments(stages, alphabet, 14))))
    sizes["sorted, chosen packing, blocks"] = len(ZstdCoder().encode(stages, alphabet))
    return sizes


def _bytes(latents: Latents) -> bytes:
    flat = latents.ravel()
    return np.where(np.abs(flat) <= 126, flat + 127, 255).astype(np.uint8).tobytes() + _escapes(flat, 126)


def _escapes(flat: Latents, limit: int) -> bytes:
    return flat[np.abs(flat) > limit].astype("<i2").tobytes()


if __name__ == "__main__":
    main()
