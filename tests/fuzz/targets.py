"""The targets: every reader of bytes from others, and what saves pictures.

Readers of whole files are here and in `pillow_targets.py`, readers of parts in `part_targets.py`.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
import zarr
from fuzz import pillow_targets, seeds, training_targets
from fuzz.contract import LIMITS, Target
from fuzz.mutators import change_file, change_model
from fuzz.part_targets import part_targets

import nncodec
import nncodec_pillow
from nncodec.errors import BadModelFile, NncError, WeightsMismatch
from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS, ArchitectureSpec, ModelSpec
from nncodec.plugin.model_file import read_model, write_model
from nncodec_zarr import NncCodec

__all__ = ["make_targets", "toy_models"]


@contextlib.contextmanager
def toy_models() -> Iterator[Path]:
    """Install toy models and nothing else; yield a folder for files."""
    try:
        with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            folder = Path(name)
            patch.setenv("NNCODEC_MODELS", str(folder / "none"))
            paths = {
                "toy/grey": toys.write_toy(folder / "grey.safetensors", "toy/grey", "blocks", {"mode": "L"}),
                "toy/colour": toys.write_toy(folder / "colour.safetensors", "toy/colour", "blocks", {"mode": "RGB"}),
                "toy/smooth": toys.write_toy(folder / "smooth.safetensors", "toy/smooth", "smooth", {"block": 4}),
                "toy/zipped": toys.write_toy(folder / "zipped.safetensors", "toy/zipped", "zipped"),
            }
            specs = [
                ArchitectureSpec("blocks", "toys:BlockMeans", training="nncodec_lossless.recipe:LosslessRecipe"),
                ArchitectureSpec("smooth", "toys:SmoothMeans"),
                ArchitectureSpec("zipped", "toys:Zipped", kind=LOSSLESS),
            ]
            aliases = {"toy/zipped": ("lossless",)}
            models = [ModelSpec(model, path, aliases.get(model, ())) for model, path in paths.items()]
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
    files = seeds.files()
    model = (folder / "grey.safetensors").read_bytes()
    path = folder / "fuzzed.bin"
    return {
        "header": Target(_header_reader(path), files, (NncError,), change_file),
        "decode": Target(_decode, files, (NncError,), change_file),
        "zarr": Target(_decode_chunk, files, (NncError, ValueError), change_file, cost=2),
        "model": Target(_model_reader(path), (model,), (BadModelFile, WeightsMismatch), change_model),
        **pillow_targets.make(files, folder),
        **training_targets.make(folder),
        **part_targets(),
    }


def _header_reader(path: Path) -> Callable[[bytes], None]:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation("seek")

    def read(data: bytes) -> None:
        kind = zlib.crc32(data) % 32
        source = {0: io.BytesIO, 1: Pipe, 2: lambda _: io.StringIO("text"), 3: list}.get(kind, bytes)(data)
        if kind == 4:
            path.write_bytes(data)
            source = path
        info = nncodec.inspect(source, limits=LIMITS)
        assert info.file_bytes > 0
        nncodec.check(data, limits=LIMITS)

    return read


def _decode(data: bytes) -> None:
    if zlib.crc32(data) % 2:
        array = nncodec.decode(data, limits=LIMITS, as_array=True)
        assert array.size <= 4 * LIMITS.pixels
        return
    for frame in nncodec.decode_frames(data, limits=LIMITS):
        assert frame.width * frame.height <= LIMITS.pixels


def _decode_chunk(data: bytes) -> None:
    """Decode a file as a chunk of an array, with a codec that the data choose, and now and then a whole array."""
    info = nncodec.inspect(data, limits=LIMITS)
    kind = np.dtype(np.uint8 if info.bits <= 8 else np.uint16)
    shape = (info.frames, info.planes, info.height, info.width)
    chunk = NncCodec().decoded(data, shape, kind)
    assert chunk.shape == shape
    assert chunk.dtype == kind
    number = zlib.crc32(data)
    given = ({}, {"quality": 40, "model": "toy/grey"}, {"max_error": 2}, {"quality": 3, "max_error": 1})[number % 4]
    codec = NncCodec.from_dict({"configuration": {**given, "planes": bool(number & 16)}})
    again = codec.decoded(codec.encoded(chunk), shape, kind)
    if not given:
        assert np.array_equal(again, chunk)
    if number % 64 < 4:
        chosen = chunk[0, 0, 0] if number & 64 else chunk.astype(">u2") if number & 128 else chunk
        array = zarr.create_array({}, data=chosen, chunks=chosen.shape, serializer=codec, compressors=None)
        assert np.array_equal(array[:], chosen) or given


def _model_reader(path: Path) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        path.write_bytes(data)
        model = read_model(path)
        written: dict[str, Any] = {"architecture": model.architecture, "config": model.config, "card": model.card}
        wide = {"wide": np.zeros(1, np.float64)}
        for name, tensors in ((f"{model.name}!", model.tensors), (model.name, wide)):
            try:
                write_model(path, name=name, tensors=tensors, **written)
            except BadModelFile:
                continue
            raise AssertionError(f"a model named {name} with {sorted(tensors)} was written")
        assert write_model(path, name=model.name, tensors=model.tensors, **written) == model
        assert read_model(path) == model

    return read
