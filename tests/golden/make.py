"""Write golden files for the current format version and weights.

python tests/golden/make.py           # all
python tests/golden/make.py hyper     # those of names that begin so: where one model has new weights
python tests/golden/conformance.py    # then this, in both cases
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

import nncodec
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.format.container import Container
from nncodec.picture.options import EncodeOptions

FOLDER = Path(__file__).parent / "v1"
Picture = Image.Image | NDArray[np.uint16]


def golden_files() -> dict[str, bytes]:
    """Return golden files by name; together they use every part of the format."""
    cat = Image.fromarray(skimage.data.chelsea()).crop((120, 60, 216, 132))
    grey = Image.fromarray(skimage.data.camera()).crop((200, 60, 263, 97))
    face = Image.fromarray(skimage.data.astronaut()).crop((180, 50, 260, 130))
    see_through = face.convert("RGBA")
    see_through.putalpha(Image.radial_gradient("L").resize(face.size))
    garments = [Image.new("L", (28, 28)) for _ in range(3)]
    for number, garment in enumerate(garments):
        garment.paste(120 + 50 * number, (8 - 2 * number, 5, 20 + 2 * number, 25))
    digit = Image.new("L", (28, 28))
    digit.paste(255, (13, 5, 16, 23))
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "photo-q5": _coded(cat, "conv/photo", 5),
        "photo-q50": _coded(cat, "conv/photo", 50),
        "photo-q100": _coded(cat, "conv/photo", 100),
        "photo-grey": _coded(grey, "conv/photo", 60),
        "photo-everything": _coded(
            see_through,
            "conv/photo",
            70,
            exif=exif,
            icc_profile=b"not a real profile",
            xmp="<x:xmpmeta/>",
            preview=32,
            record_settings=True,
        ),
        "photo-reduced": _coded(face, "conv/photo", 50, downscale=3),
        "photo-frames": _coded([cat, cat.rotate(180)], "conv/photo", 40, frames_per_block=1),
        "photo-blocks": _coded(cat.resize((2100, 20)), "conv/photo", 20),
        "photo-one-pixel": _coded(cat.crop((0, 0, 1, 1)), "conv/photo", 50),
        "hyper-q0": _coded(cat, "hyperprior/photo", 0),
        "hyper-q35": _coded(cat, "hyperprior/photo", 35),
        "hyper-q70": _coded(cat, "hyperprior/photo", 70),
        "hyper-q100": _coded(cat, "hyperprior/photo", 100),
        "hyper-effort": _coded(face, "hyperprior/photo", 50, effort=3),
        "hyper-grey": _coded(grey, "hyperprior/photo", 60),
        "hyper-blocks": _coded(cat.resize((2100, 20)), "hyperprior/photo", 20),
        "hyper-one-pixel": _coded(cat.crop((0, 0, 1, 1)), "hyperprior/photo", 50),
        "hyper-recommending": _coded(face, "hyperprior/photo", 10, enhancer="srgan/restore", enhancer_strength=0.4),
        "psnr-q35": _coded(cat, "hyperprior/photo-psnr", 35),
        "photo-rans": _coded(cat, "conv/photo", 50, coder="rans"),
        "fashion": _coded(garments[0], "dense/fashion"),
        "fashion-stack": _coded(garments, "dense/fashion", coder="zstd"),
        "digits": _coded(digit, "conv/digits"),
        **{
            name: nncodec.encode(pictures, "lossless", **options)
            for name, (pictures, options) in exact_pictures().items()
        },
    }


def exact_pictures() -> dict[str, tuple[Picture | list[Picture], EncodeOptions]]:
    """Return the pictures of the exact files and their options: every colour mode, depth and block coder."""
    rng = np.random.default_rng(0)
    cat = Image.fromarray(skimage.data.chelsea()).crop((120, 60, 168, 96))
    grey = Image.fromarray(skimage.data.camera()).crop((200, 60, 231, 83))
    face = Image.fromarray(skimage.data.astronaut()).crop((200, 80, 232, 112))
    see_through = face.convert("RGBA")
    see_through.putalpha(Image.radial_gradient("L").resize(face.size))
    grey_alpha = grey.convert("LA")
    grey_alpha.putalpha(Image.linear_gradient("L").resize(grey.size))
    speckles = rng.integers(0, 7, (40, 48)) * (rng.random((40, 48)) < 0.06)
    sprite = Image.fromarray(((np.indices((40, 48)) // 5).sum(axis=0) % 4 + speckles).astype(np.uint8))
    sprite.putpalette([40 * number % 251 for number in range(3 * 10)])
    sprite.info["transparency"] = bytes((0, 128, 255))
    y, x, plane = np.ogrid[:20, :17, :5]
    waves = (2048 + 900 * np.sin(y / 5 + plane) + 700 * np.cos(x / 4) + rng.normal(0, 20, (20, 17, 5))).astype(
        np.uint16
    )
    depth = Image.fromarray((y[..., 0] * 1500 + x[..., 0] ** 2 * 60 + rng.integers(0, 90, (20, 17))).astype(np.uint16))
    wide = Image.new("L", (1100, 6), 40)
    wide.paste(200, (900, 2, 1050, 5))
    rows, columns = np.indices((80, 96))
    page = Image.fromarray(np.where((rows % 3 == 0) & (columns // 4 % 3 == 0), 20, 255).astype(np.uint8))
    page.paste(Image.fromarray(skimage.data.chelsea()).convert("L").crop((120, 60, 186, 126)), (5, 3))
    steps = Image.fromarray((np.add.outer(np.arange(300) ** 2, np.arange(40) * 3) % 65536).astype(np.uint16))
    warmth = ((2 + np.sin(rows / 11) + np.cos(columns / 17)) * 30).astype(np.uint8)
    heat = Image.fromarray(np.stack([90 + warmth, 180 - warmth, warmth**2 // 60], axis=2).astype(np.uint8))
    tile = np.asarray(face)[:20, :24]
    tiles = Image.fromarray(np.concatenate([np.tile(tile, (2, 3, 1)), np.tile(np.roll(tile, 7, axis=1), (2, 3, 1))]))
    moving = [Image.fromarray(skimage.data.chelsea()).crop((120, 60, 216, 132)) for _ in range(3)]
    for number, frame in enumerate(moving):
        frame.paste((200, 30, 40), (6 * number, 3, 6 * number + 5, 9))
    return {
        "exact-bilevel": (cat.convert("1"), {}),
        "exact-grey": (grey, {}),
        "exact-grey-alpha": (grey_alpha, {}),
        "exact-grey16": (depth, {}),
        "exact-rgb": (cat, {}),
        "exact-rgba": (see_through, {}),
        "exact-palette": (sprite, {}),
        "exact-colours": (sprite.convert("RGB"), {}),
        "exact-cmyk": (face.convert("CMYK"), {}),
        "exact-planes": (waves, {}),
        "exact-near": (cat, {"max_error": 2}),
        "exact-near-planes": (waves, {"max_error": 9}),
        "exact-near-alpha": (see_through, {"max_error": 1}),
        "exact-frames": ([grey, grey.rotate(180), grey], {"frames_per_block": 2}),
        "exact-blocks": (wide, {}),
        "exact-one-pixel": (cat.crop((0, 0, 1, 1)), {}),
        "exact-plain-planes": (rng.integers(0, 65536, (9, 7, 2)).astype(np.uint16), {}),
        "exact-filtered": (steps, {}),
        "exact-insets": (page, {}),
        "exact-colour-map": (heat, {}),
        "exact-gaps": (cat.point(lambda level: level // 8 * 8 + 3), {}),
        "exact-tiles": (tiles, {}),
        "exact-fitted": (face.convert("L").resize((192, 192)), {}),
        "exact-animation": (moving, {}),
        "exact-enlarged": (face.resize((96, 64), Image.Resampling.NEAREST), {}),
    }


def _coded(
    images: Image.Image | list[Image.Image], model: str, quality: int | None = None, **options: Unpack[EncodeOptions]
) -> bytes:
    """Encode with the codec itself; small pictures would otherwise become exact files."""
    return nncodec.encode(images, model, quality, lossless=False, precision="float32", **options)


def samples_digests(data: bytes) -> list[str]:
    """Return the SHA-256 of each frame of an exact file: samples by row, column and plane, of one byte or two."""
    frames = range(nncodec.inspect(data).frames)
    arrays = [nncodec.decode(data, frame=frame, as_array=True) for frame in frames]
    return [
        hashlib.sha256(array.astype("<u2" if array.dtype == np.uint16 else "u1").tobytes()).hexdigest()
        for array in arrays
    ]


def latents_digest(data: bytes) -> str:
    """Return the SHA-256 of a file's latents as little-endian int32, block by block, arrays in name order."""
    container = Container(data)
    model = open_file_model(container)
    state = hashlib.sha256()
    for index in range(container.block_count):
        for _, array in sorted(block_latents(container, model, index).items()):
            state.update(array.astype("<i4").tobytes())
    return state.hexdigest()


def main(prefix: str = "") -> None:
    """Replace the files and frames whose names begin with a prefix, and their entries of the index, in `FOLDER`."""
    FOLDER.mkdir(exist_ok=True)
    files = golden_files()  # first: if they cannot be made, the old ones stay
    known = json.loads((FOLDER / "index.json").read_text()) if prefix else {}
    for old in FOLDER.glob(f"{prefix}*"):
        old.unlink()
    index: dict[str, Any] = {}
    for name, data in files.items():
        if not name.startswith(prefix):
            index[name] = known[name]
            continue
        (FOLDER / f"{name}.nnc").write_bytes(data)
        if nncodec.inspect(data).max_error is not None:
            index[name] = {"samples_sha256": samples_digests(data), "bytes": len(data)}
            continue
        for number, frame in enumerate(nncodec.decode_frames(data, precision="float32")):
            frame.info.clear()
            frame.save(FOLDER / f"{name}-{number}.png", optimize=True)
        if nncodec.inspect(data).enhancer:
            nncodec.decode(data, enhancer="recommended", precision="float32").save(
                FOLDER / f"{name}-enhanced.png", optimize=True
            )
        index[name] = {"latents_sha256": latents_digest(data), "bytes": len(data)}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
