"""Size of the same latents in different layouts after Zstandard.

    python -m benchmarks.latent_layout

The latents are those that `conv/photo` makes of scikit-image's photographs. Zstandard compresses every layout at one
level; the record also has the ideal code length under the model's context tables. Fixed layouts order symbols by
position alone; sorted ones use the contexts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray

from benchmarks.measuring.records import RESULTS, command_line, write_record
from nncodec.format.entropy import ideal_bits
from nncodec.format.entropy.base import block_symbols
from nncodec.format.entropy.layout import sorted_segments
from nncodec.format.entropy.zstd import ZstdCoder, compress
from nncodec.picture.area import Span, read_window
from nncodec.plugin import registry
from nncodec.plugin.codec import CodecModel

PICTURES = ("astronaut", "chelsea", "coffee", "rocket", "cat")  # the last is chelsea again: stored results have both
QUALITIES = (10, 30, 50, 70, 90)
Latents = NDArray[np.int32]


def planar(latents: Latents) -> bytes:
    """One byte per symbol, channel after channel; escapes follow as two bytes."""
    return _bytes(latents)


def channel_last(latents: Latents) -> bytes:
    """One byte per symbol, all channels of a position together."""
    return _bytes(latents.transpose(0, 2, 3, 1))


def nibbles(latents: Latents) -> bytes:
    """Channel after channel, two symbols of -7..7 per byte; escapes follow as two bytes."""
    flat = latents.ravel()
    digits = np.where(np.abs(flat) <= 7, flat + 7, 15).astype(np.uint8)
    digits = np.append(digits, np.zeros(len(digits) % 2, np.uint8)).reshape(-1, 2)
    return (digits[:, 0] | digits[:, 1] << 4).astype(np.uint8).tobytes() + _escapes(flat, 7)


def significance(latents: Latents) -> bytes:
    """Channel after channel: a bit for non-zero, eight a byte; then magnitudes minus one; then signs, eight a byte."""
    flat = latents.ravel()
    present = flat[flat != 0]
    magnitude = np.minimum(np.abs(present) - 1, 255).astype(np.uint8)
    parts = (np.packbits(flat != 0), magnitude, np.packbits(present < 0))
    return b"".join(part.tobytes() for part in parts) + _escapes(present, 255)


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
    parser.add_argument("--output", type=Path, default=RESULTS / "latent_layout.json")
    options = parser.parse_args()
    model = registry.open_model("conv/photo")
    pictures = [np.asarray(getattr(skimage.data, name)()) for name in PICTURES]
    results = {}
    for quality in QUALITIES:
        sizes: dict[str, float] = {}
        for picture in pictures:
            height, width = (-(-n // 16) * 16 for n in picture.shape[:2])
            padded = read_window(picture[None], Span(0, height), Span(0, width))
            latents = model.analysis(padded, quality, 0)["y"]
            for name, size in measure(latents, model, quality).items():
                sizes[name] = sizes.get(name, 0) + size
        results[str(quality)] = {name: round(size) for name, size in sizes.items()}
        ideal = sizes["ideal"]
        print(quality, " ".join(f"{name}: {size / ideal:.3f}" for name, size in sizes.items()), flush=True)
    record = {"pictures": PICTURES, "unit": "bytes", "by_quality": results}
    write_record(options.output, {"command": command_line("latent_layout"), **record})


def measure(latents: Latents, model: CodecModel, quality: int) -> dict[str, float]:
    """Return the bytes of every layout for one picture's latents, and the ideal under the tables."""
    block, entropy, specs = {"y": latents}, model.entropy(quality), model.traits.latents
    stages, alphabet = block_symbols(block, entropy, specs)
    sizes = {"ideal": ideal_bits(block, entropy, specs) / 8}
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
