"""Targets that read parts of files: entropy coders and lossless payloads behind their checksums, and chunks."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

import numpy as np
import toys
from fuzz.contract import LIMITS, Target
from fuzz.mutators import change_file, change_frame
from PIL import Image

import nncodec_lossless
from nncodec.coding.exact_decoder import alpha_of
from nncodec.coding.exact_encoder import ExactEncoder
from nncodec.errors import Corrupt, FormatError, UnknownModel
from nncodec.format.alpha import pack_alpha, unpack_alpha
from nncodec.format.animation import Animation
from nncodec.format.container import Container, write
from nncodec.format.entropy import coder_by_id, decode_block, encode_block, ideal_bits
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header
from nncodec.format.palette import Palette
from nncodec.format.preview import make_preview, read_preview
from nncodec.format.resolution import pack_resolution, unpack_resolution
from nncodec.picture.samples import stack_of
from nncodec.plugin.entropy import EntropyModel, PlainEntropy
from nncodec.plugin.latents import LatentSpec
from nncodec.plugin.lossless import Samples
from nncodec.plugin.model_file import read_model
from nncodec_lossless import copies, filtered, indexed, insets, repeats
from nncodec_lossless.codec import BlockCoder, LosslessCodec
from nncodec_lossless.natural import block as natural
from nncodec_lossless.synthetic import block as synthetic

_MEANS = (LatentSpec("y", 2, 4, -3, 300), LatentSpec("z", 1, 8, 0, 5))
_NARROW = (LatentSpec("y", 1, 4, 0, 255),)
_WIDE = (LatentSpec("y", 1, 4, -(1 << 20), 1 << 20),)
_CODED: tuple[tuple[str, CoderId, EntropyModel, tuple[LatentSpec, ...]], ...] = (
    ("stored", CoderId.STORED, PlainEntropy(_MEANS), _MEANS),
    ("planar", CoderId.ZSTD, PlainEntropy(_MEANS), _MEANS),
    ("sorted", CoderId.ZSTD, toys.Checkerboard(), _NARROW),
    ("escaped", CoderId.ZSTD, toys.Checkerboard(), _WIDE),
    ("rans", CoderId.RANS, toys.Checkerboard(), _WIDE),
)
_BLOCK = (1, 9, 10, 3)  # as small as networks take part in
_COPIES = [copies.Copy(0, 2, 3, 4, 0, 0), copies.Copy(3, 0, 2, 6, 0, 0)]


def part_targets() -> dict[str, Target]:
    """Return the targets by name."""
    lossless = _lossless()
    return {
        "alpha": Target(_read_alpha, (pack_alpha(np.zeros((2, 8, 8), np.uint8)),), (Corrupt,), change_frame),
        "exact_alpha": Target(_read_exact_alpha, _exact_alphas(), (FormatError, UnknownModel), change_file),
        "preview": Target(
            lambda data: read_preview(data, LIMITS),
            (make_preview(Image.new("RGB", (20, 9), "red"), 16), _webp(lossless=True), _webp(exif=b"Exif\0\0II*\0")),
            (FormatError,),
        ),
        "metadata": Target(
            _read_small_chunks,
            (b"\x01\x03\x28\xe8\x07\x00", b"\xe0\xa7\x12\xc0\xb2\x04", b"\x03\x00\x0a\x14\x1e", b"\x01abcdef\x80"),
            (Corrupt,),
        ),
        **{name: _coder_target(coder, entropy, spec) for name, coder, entropy, spec in _CODED},
        "lossless": _lossless_target(
            lossless, [BlockCoder.RAW, BlockCoder.FILTERED, BlockCoder.INSETS, BlockCoder.REPEATS], 1
        ),
        "synthetic": _lossless_target(lossless, [BlockCoder.SYNTHETIC], 4),
        "natural": _lossless_target(lossless, [BlockCoder.NATURAL, BlockCoder.INDEXED], 16),
    }


# --- chunks -------------------------------------------------------------------------------------------------------


def _webp(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 5), "blue").save(buffer, "WEBP", **options)
    return buffer.getvalue()


def _read_alpha(data: bytes) -> None:
    planes = unpack_alpha(data, 2, 8, 8)
    assert planes.shape == (2, 8, 8)
    assert np.array_equal(unpack_alpha(pack_alpha(planes), 2, 8, 8), planes)


def _exact_alphas() -> tuple[bytes, ...]:
    """Return chunks of two frames of 16 x 12 pixels, in each form of a block."""
    rng = np.random.default_rng(0)
    steps, noise = np.indices((2, 12, 16)).sum(axis=0) // 9 * 200, rng.integers(0, 256, (2, 12, 16))
    waves = np.round(120 + 60 * np.sin(np.indices((2, 12, 16)).sum(axis=0) / 4) + rng.normal(0, 2, (2, 12, 16)))
    frames = [[Image.fromarray(plane.astype(np.uint8)) for plane in planes] for planes in (steps, noise, waves)]
    return tuple(ExactEncoder(None, {}).write(stack_of(planes), {}) for planes in frames)


def _read_exact_alpha(data: bytes) -> None:
    outer = Header(ColourMode.RGB, CoderId.ZSTD, None, bytes(4), 16, 12, (16, 12), frames=2, frames_per_block=2)
    planes = alpha_of(Container(write(outer, {ChunkType.ALPHA: data}, [b"x"]), LIMITS))
    assert planes is not None
    assert (planes.shape, planes.dtype) == ((2, 12, 16), np.uint8)


def _read_small_chunks(data: bytes) -> None:
    for frames in (1, 3):
        animation = Animation.of_bytes(data, frames)
        if animation:
            assert len(animation.durations_ms) == frames
            assert Animation.of_bytes(animation.to_bytes(), frames) == animation
    resolution = unpack_resolution(data)
    if resolution:
        assert pack_resolution(resolution) == data
    assert Palette.of_bytes(data).to_bytes() == data


# --- blocks -------------------------------------------------------------------------------------------------------


def _coder_target(coder_id: CoderId, entropy: EntropyModel, specs: tuple[LatentSpec, ...]) -> Target:
    coder = coder_by_id(coder_id)
    shapes = {spec.name: spec.shape(1, 32, 24) for spec in specs}
    rng = np.random.default_rng(0)
    seeds = []
    for spread in (1, 20, 1000, 1_000_000):
        values = {spec.name: rng.normal(0, spread, shapes[spec.name]) for spec in specs}
        latents = {spec.name: np.clip(values[spec.name], spec.minimum, spec.maximum).astype(np.int32) for spec in specs}
        assert ideal_bits(latents, entropy, specs) >= 0 if entropy.tables is not None else True
        seeds.append(encode_block(coder, latents, entropy, specs))

    def run(data: bytes) -> None:
        latents = decode_block(coder, data, entropy, specs, shapes)
        # What can be read can be written, and reads the same again.
        again = decode_block(coder, encode_block(coder, latents, entropy, specs), entropy, specs, shapes)
        assert all(np.array_equal(again[name], array) for name, array in latents.items())

    return Target(run, tuple(seeds), (Corrupt,), change_frame)


def _lossless() -> LosslessCodec:
    return LosslessCodec.from_file(read_model(Path(nncodec_lossless.__file__).parent / "weights" / "any.safetensors"))


def _lossless_target(model: LosslessCodec, coders: list[BlockCoder], cost: int) -> Target:
    """Return the target of payloads behind a byte that tells the bits of a sample, 12 or otherwise 8."""
    rng = np.random.default_rng(0)
    few = np.zeros(_BLOCK, np.uint16)
    few[0, 3:6, 2:7] = (1, 2, 3)
    flat, noise, steep = np.full(_BLOCK, 7, np.uint16), rng.integers(0, 256, _BLOCK, np.uint16), few * 900
    seeds = [
        bytes([bits, coder]) + payload
        for samples, bits in ((few, 8), (flat, 8), (noise, 8), (steep, 12))
        for coder in coders
        if (payload := _payload(model, coder, samples, bits)) is not None
    ]

    def run(data: bytes) -> None:
        bits = 12 if data[:1] == b"\x0c" else 8
        samples = model.decode(data[1:], _BLOCK, bits)
        assert samples.shape == _BLOCK
        assert samples.dtype == np.uint16
        assert not int(samples.max()) >> bits

    return Target(run, tuple(seeds), (ValueError,), change_frame, cost)


def _payload(model: LosslessCodec, coder: BlockCoder, samples: Samples, bits: int) -> bytes | None:
    if coder is BlockCoder.RAW:
        return filtered.encode_raw(samples, bits)
    if coder is BlockCoder.FILTERED:
        return filtered.encode(samples, bits)
    if coder is BlockCoder.SYNTHETIC:
        return synthetic.encode(samples, bits)
    if coder is BlockCoder.INSETS:
        inset = insets.Inset(1, 2, 4, 3)
        part, page = (
            bytes([BlockCoder.FILTERED]) + filtered.encode(some, bits) for some in (samples[inset.place], samples)
        )
        return insets.pack([inset], [part], page)
    if coder is BlockCoder.INDEXED:
        numbered = indexed.find(samples, bits)
        encode = partial(natural.encode, model.networks)
        return None if numbered is None else indexed.encode(numbered, bits, encode)
    if coder is BlockCoder.REPEATS:
        found = repeats.find(samples)
        if found is None:
            return None
        left = found.without(samples)
        return repeats.pack(found, bytes([BlockCoder.FILTERED]) + filtered.encode(left, bits))
    if coder is BlockCoder.COPIES:
        found_copies = copies.Copies(_COPIES, *samples.shape[1:3])
        left = found_copies.without(samples)
        return copies.pack(found_copies, bytes([BlockCoder.FILTERED]) + filtered.encode(left, bits))
    return natural.encode(model.networks, samples, bits)
