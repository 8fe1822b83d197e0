"""Valid `.nnc` files to start from: every mode, coder and chunk, of the toy models."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

import nncodec
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType


def files() -> tuple[bytes, ...]:
    """Return small files of the toy models, approximated and exact."""
    return (*codec_files(), *exact_files())


def codec_files() -> tuple[bytes, ...]:
    """Return files of codecs, with every chunk and every field of the header."""
    grey, colour = pictures()["L"], pictures()["RGBA"]
    forms: dict[str, Any] = {"lossless": False}
    made = [
        nncodec.encode(grey, "toy/grey", 50, **forms),
        nncodec.encode(grey, "toy/smooth", 100, coder="rans", verify=True, **forms),
        nncodec.encode(grey, "toy/smooth", 10, coder="zstd", **forms),
        nncodec.encode(colour.convert("RGB"), "toy/colour", 80, downscale=2, coder="stored", **forms),
        nncodec.encode([grey, grey.rotate(180), grey], "toy/grey", frames_per_block=2, duration=[20, 30, 40], loop=0),
        nncodec.encode(colour, "toy/colour", exif=exif(), icc_profile=b"profile", xmp="<x/>", dpi=(72, 96), **forms),
        nncodec.encode(grey, "toy/grey", preview=16, record_settings=True, **forms),
    ]
    whole = Container(made[0])
    recommending = {ChunkType.ENHANCER: b"\x28" + bytes(8) + b"toy/none", ChunkType.MODEL_NAME: b"toy/grey"}
    still = Container(made[4])
    chunks = {entry.type: still.chunk(entry.type) or b"" for entry in still.chunk_table}
    chunks[ChunkType.ANIMATION] = b"\x03\x02\x0a\x14\x1e"
    blocks = [still.block(number) for number in range(still.block_count)]
    return (*made, write(whole.header, recommending, [whole.block(0)]), write(still.header, chunks, blocks))


def exact_files() -> tuple[bytes, ...]:
    """Return exact files of every colour mode, with permitted errors, several frames and deep planes."""
    shown = pictures()
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 1 << 12, (5, 7, 5), np.uint16)
    return (
        *(nncodec.encode(image, lossless=True) for image in shown.values()),
        nncodec.encode(shown["RGB"], max_error=3),
        nncodec.encode(deep, max_error=9),
        nncodec.encode(deep[..., 0], lossless=True),
        nncodec.encode([shown["LA"], shown["LA"].rotate(180)], lossless=True, frames_per_block=1, duration=5),
    )


def pictures() -> dict[str, Image.Image]:
    """Return a picture of every mode that exact files hold, by mode; of 21 x 13 pixels."""
    ramp = Image.linear_gradient("L").resize((21, 13))
    turned = ramp.rotate(90).resize(ramp.size)
    rgba = Image.merge("RGBA", [ramp, turned, ramp, ramp])
    palette = rgba.convert("RGB").quantize(5)
    palette.info["transparency"] = bytes([0, 128])
    deep = Image.fromarray(np.asarray(ramp).astype(np.uint16) * 257)
    modes = {mode: rgba.convert(mode) for mode in ("1", "L", "LA", "RGB", "CMYK")}
    return {**modes, "RGBA": rgba, "P": palette, "I;16": deep}


def exif() -> bytes:
    """Return EXIF that turns a picture."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return tags.tobytes()
