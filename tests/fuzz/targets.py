"""What is fuzzed. Each target takes bytes and returns, or raises one of the exceptions that it documents.

Anything else is a finding, and so is what takes more than `SECONDS` or `MEMORY_BYTES` at the reduced limits below.
"""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import toys
from fuzz.mutators import Mutator, change_bytes, change_file
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec.errors import BadModelFile, Corrupt, FormatError, NncError, WeightsMismatch
from nncodec.format.alpha import pack_alpha, unpack_alpha
from nncodec.format.animation import Animation
from nncodec.format.container import Container, write
from nncodec.format.entropy import coder_by_id, decode_block, encode_block, ideal_bits
from nncodec.format.header import ChunkType, CoderId
from nncodec.format.preview import make_preview, read_preview
from nncodec.format.resolution import unpack_resolution
from nncodec.plugin import registry
from nncodec.plugin.entropy import EntropyModel, PlainEntropy
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec
from nncodec.plugin.latents import LatentSpec
from nncodec.plugin.model_file import read_model

LIMITS = nncodec.Limits(pixels=1 << 20, block_pixels=1 << 18, frames=1 << 10, blocks=1 << 8, preview_pixels=1 << 14)
SECONDS = 2.0
MEMORY_BYTES = 400_000_000


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Args:
        run: takes an input.
        seeds: valid inputs, or near.
        documented: the exceptions that it may raise.
        mutate: changes an input.
    """

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    documented: tuple[type[BaseException], ...]
    mutate: Mutator = change_bytes


@contextlib.contextmanager
def toy_models() -> Iterator[Path]:
    """Install three toy models and nothing else; yield a folder for files."""
    try:
        with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            folder = Path(name)
            patch.setenv("NNCODEC_MODELS", str(folder / "none"))
            paths = {
                "toy/grey": toys.write_toy(folder / "grey.safetensors", "toy/grey", "blocks", {"mode": "L"}),
                "toy/colour": toys.write_toy(folder / "colour.safetensors", "toy/colour", "blocks", {"mode": "RGB"}),
                "toy/smooth": toys.write_toy(folder / "smooth.safetensors", "toy/smooth", "smooth", {"block": 4}),
            }
            specs = [ArchitectureSpec("blocks", "toys:BlockMeans"), ArchitectureSpec("smooth", "toys:SmoothMeans")]
            models = [ModelSpec(model, path) for model, path in paths.items()]
            toys.install(patch, toys.plugin(patch, "toy", specs, models))
            nncodec_pillow.register_nnc_opener(limits=LIMITS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield folder
    finally:
        registry.refresh()
        nncodec_pillow.register_nnc_opener()


def make_targets(folder: Path) -> dict[str, Target]:
    """Return the targets by name; the toy models are installed, and `folder` is for files."""
    files = _files()
    model = (folder / "grey.safetensors").read_bytes()
    path = folder / "fuzzed.bin"

    def read_model_file(data: bytes) -> None:
        path.write_bytes(data)
        read_model(path)

    targets = {
        "header": Target(_read_headers, files, (FormatError,), change_file),
        "pillow": Target(_open_and_load, files, (OSError, SyntaxError, Image.DecompressionBombError), change_file),
        "decode": Target(_decode, files, (NncError,), change_file),
        "alpha": Target(_read_alpha, (pack_alpha(np.zeros((2, 8, 8), np.uint8)),), (Corrupt,)),
        "preview": Target(
            lambda data: read_preview(data, LIMITS),
            (make_preview(Image.new("RGB", (20, 9), "red"), 16), _webp(lossless=True), _webp(exif=b"Exif\0\0II*\0")),
            (FormatError,),
        ),
        "metadata": Target(_read_small_chunks, (b"\x01\x03\x28\xe8\x07\x00", b"\xe0\xa7\x12\xc0\xb2\x04"), ()),
        "model": Target(read_model_file, (model,), (BadModelFile, WeightsMismatch), _change_model),
        "save": Target(_save, (bytes(range(40)), b"\xff" * 30, bytes(64)), (NncError, OSError)),
    }
    for name, coder, entropy, spec in _CODED:
        targets[name] = _coder_target(coder, entropy, spec)
    return targets


# --- files --------------------------------------------------------------------------------------------------------


def _files() -> tuple[bytes, ...]:
    ramp = Image.linear_gradient("L").resize((21, 13))
    colour = Image.merge("RGBA", [ramp, ramp.rotate(90).resize(ramp.size), ramp, ramp])
    made = [
        nncodec.encode(ramp, "toy/grey", 50),
        nncodec.encode(ramp, "toy/smooth", 100, coder="rans"),
        nncodec.encode(ramp, "toy/smooth", 10, coder="zstd"),
        nncodec.encode(colour.convert("RGB"), "toy/colour", 80, downscale=2, coder="stored"),
        nncodec.encode([ramp, ramp.rotate(180), ramp], "toy/grey", frames_per_block=2, duration=[20, 30, 40], loop=0),
        nncodec.encode(colour, "toy/colour", exif=_exif(), icc_profile=b"profile", xmp="<x/>", dpi=(72, 96)),
        nncodec.encode(ramp, "toy/grey", preview=16, record_settings=True),
    ]
    whole = Container(made[0])
    recommending = {ChunkType.ENHANCER: b"\x28" + bytes(8) + b"toy/none", ChunkType.MODEL_NAME: b"toy/grey"}
    return (*made, write(whole.header, recommending, [whole.block(0)]))


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _read_headers(data: bytes) -> None:
    info = nncodec.inspect(data, limits=LIMITS)
    assert info.file_bytes > 0
    nncodec.check(data, limits=LIMITS)


def _decode(data: bytes) -> None:
    for frame in nncodec.decode_frames(data, limits=LIMITS):
        assert frame.width * frame.height <= LIMITS.pixels


def _open_and_load(data: bytes) -> None:
    with Image.open(io.BytesIO(data), formats=["NNC"]) as image:
        image.draft("L", (8, 8))
        image.load()
        for number in range(1, min(3, image.n_frames)):  # type: ignore[attr-defined]
            image.seek(number)
            image.tobytes()
    with Image.open(io.BytesIO(data), formats=["NNC"]) as image:
        image.verify()
    with Image.open(io.BytesIO(data), formats=["NNC"]) as image:
        image.thumbnail((6, 6))
    with Image.open(io.BytesIO(data), formats=["NNC"]) as image:
        image.save(io.BytesIO(), "NNC", quality="keep")


def _save(data: bytes) -> None:
    """Save a picture with options taken from the data, and compare what comes back where it must be the same."""
    numbers = (*data, *bytes(16))
    rng = random.Random(data)
    mode = ("L", "LA", "RGB", "RGBA", "P")[numbers[0] % 5]
    image = Image.frombytes("L", (1 + numbers[1] % 40, 1 + numbers[2] % 40), rng.randbytes(1600)[: _area(numbers)])
    image = image.convert(mode)
    options = {
        "quality": numbers[3] % 102,
        "preview": numbers[4] % 2 * (16 + numbers[4] % 9),
        "frames_per_block": 1 + numbers[5] % 3,
    }
    if numbers[6] % 2:
        options["coder"] = ("zstd", "stored", "rans")[numbers[7] % 3]
    if numbers[6] % 3 == 0:
        options |= {"exif": _exif(), "icc_profile": b"p" * numbers[8], "xmp": b"x", "dpi": (numbers[9], 1)}
    grey = ("toy/grey", "toy/smooth")[numbers[10] % 2]
    model = "toy/colour" if mode.startswith("RGB") else grey
    buffer = io.BytesIO()
    several = [image] * (numbers[11] % 3)
    durations = {"duration": [numbers[12]] * (1 + len(several)), "loop": numbers[13]} if several else {}
    image.save(buffer, "NNC", model=model, save_all=bool(several), append_images=several, **options, **durations)
    with Image.open(buffer) as again:
        assert again.size == image.size
        if mode.endswith("A"):
            assert np.array_equal(np.asarray(again.getchannel("A")), np.asarray(image.getchannel("A")))
        again.load()


def _area(numbers: tuple[int, ...]) -> int:
    return (1 + numbers[1] % 40) * (1 + numbers[2] % 40)


# --- parts of files -----------------------------------------------------------------------------------------------


def _webp(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 5), "blue").save(buffer, "WEBP", **options)
    return buffer.getvalue()


def _read_alpha(data: bytes) -> None:
    assert unpack_alpha(data, 2, 8, 8).shape == (2, 8, 8)


def _read_small_chunks(data: bytes) -> None:
    for frames in (1, 3):
        animation = Animation.of_bytes(data, frames)
        if animation:
            assert len(animation.durations_ms) == frames
            assert Animation.of_bytes(animation.to_bytes(), frames) == animation
    unpack_resolution(data)


def _change_model(rng: random.Random, data: bytes) -> bytes:
    """Change a model file; half of the time only its header, whose size is kept right."""
    if rng.randrange(2):
        return change_bytes(rng, data)
    size = int.from_bytes(data[:8], "little")
    header = change_bytes(rng, data[8 : 8 + size])
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


_MEANS = (LatentSpec("y", 2, 4, -3, 300), LatentSpec("z", 1, 8, 0, 5))
_NARROW = (LatentSpec("y", 1, 4, 0, 255),)
_CODED: tuple[tuple[str, CoderId, EntropyModel, tuple[LatentSpec, ...]], ...] = (
    ("stored", CoderId.STORED, PlainEntropy(_MEANS), _MEANS),
    ("planar", CoderId.ZSTD, PlainEntropy(_MEANS), _MEANS),
    ("sorted", CoderId.ZSTD, toys.Checkerboard(), _NARROW),
    ("rans", CoderId.RANS, toys.Checkerboard(), _NARROW),
)


def _coder_target(coder_id: CoderId, entropy: EntropyModel, specs: tuple[LatentSpec, ...]) -> Target:
    coder = coder_by_id(coder_id)
    shapes = {spec.name: spec.shape(1, 32, 24) for spec in specs}
    rng = np.random.default_rng(0)
    seeds = []
    for spread in (1, 20, 1000):
        values = {spec.name: rng.normal(0, spread, shapes[spec.name]) for spec in specs}
        latents = {spec.name: np.clip(values[spec.name], spec.minimum, spec.maximum).astype(np.int32) for spec in specs}
        assert ideal_bits(latents, entropy, specs) >= 0 if entropy.tables is not None else True
        seeds.append(encode_block(coder, latents, entropy, specs))

    def run(data: bytes) -> None:
        latents = decode_block(coder, data, entropy, specs, shapes)
        # What can be read can be written, and reads the same again.
        again = decode_block(coder, encode_block(coder, latents, entropy, specs), entropy, specs, shapes)
        assert all(np.array_equal(again[name], array) for name, array in latents.items())

    return Target(run, tuple(seeds), (Corrupt,))
