"""Toy codecs and enhancers in NumPy alone, and what writes their model files and installs their plugins.

Tests import this module as `toys`; processes that tests start find a copy of it on their path (`tests/cli`).
"""

from __future__ import annotations

import builtins
import importlib.metadata
import math
import os
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin import discovery, registry
from nncodec.plugin.codec import AnySize, CodecModel, CodecTraits
from nncodec.plugin.enhancer import EnhancerModel, EnhancerTraits
from nncodec.plugin.entropy import EntropyModel, Shapes, Stage, StageContext, Tables
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.lossless import LosslessModel, LosslessTraits, Samples
from nncodec.plugin.model_file import ModelFile, write_model

if TYPE_CHECKING:
    import pytest

MARKS_VARIABLE = "TOY_MARKS"  # names the folder where processes that sleep leave a file named by their id


# --- codecs -------------------------------------------------------------------------------------------------------


class BlockMeans(CodecModel):
    """Codes the mean of every 2 x 2 pixels, in steps that grow as quality falls.

    Config: `mode` (L unless given), `sleep_s` to sleep in every analysis, `waste` for so many channels of noise that
    synthesis ignores, `fail` with the name of a built-in exception to raise on opening.
    """

    def __init__(self, mode: str = "L", sleep_s: float = 0, waste: int = 0) -> None:
        self.sleep_s, self.waste = sleep_s, waste
        specs = (LatentSpec("means", len(mode), 2, 0, 255),)
        if waste:
            specs += (LatentSpec("waste", waste, 2, 0, 255),)
        self.traits = CodecTraits((mode,), AnySize(8, 8), specs, qualities=True, efforts=(0, 3))

    @classmethod
    def from_file(cls, model_file: ModelFile) -> CodecModel:
        config = model_file.config
        if "fail" in config:
            raise getattr(builtins, config["fail"])("it does not fit\nand more")
        return cls(config.get("mode", "L"), config.get("sleep_s", 0), config.get("waste", 0))

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        if self.sleep_s:
            Path(os.environ[MARKS_VARIABLE], str(os.getpid())).touch()
            time.sleep(self.sleep_s)
        means = np.rint(block_means(pixels, 2) / _coarse_step(quality))
        latents = {"means": means.astype(np.int32)}
        if self.waste:
            shape = (len(means), self.waste, *means.shape[2:])
            latents["waste"] = np.random.default_rng(0).integers(0, 256, shape, np.int32)
        return latents

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        return pixels_of(np.clip(latents["means"] * _coarse_step(quality), 0, 255), 2)


class RecordedMeans(CodecModel):
    """Codes grey means of 4 x 4 pixels from analysis and the frame count from quantize; notes what each was given."""

    traits = CodecTraits(("L",), AnySize(8, 16), (LatentSpec("mean", 1, 4, 0, 255), LatentSpec("count", 1, 8, 0, 99)))

    def __init__(self) -> None:
        self.analysed: list[tuple[int, ...]] = []
        self.quantized: list[tuple[int, ...]] = []

    @classmethod
    def from_file(cls, model_file: ModelFile) -> CodecModel:
        return cls()

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Mapping[str, NDArray[Any]]:
        self.analysed.append(pixels.shape)
        return {"mean": block_means(pixels, 4).astype(np.float32)}

    def quantize(self, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int) -> Latents:
        self.quantized.append(pixels.shape)
        assert latents.keys() == {"mean"}
        assert latents["mean"].dtype == np.float32
        np.testing.assert_array_equal(latents["mean"], self.analysis(pixels, quality, effort)["mean"])
        self.analysed.pop()
        count = np.full(self.traits.latents[1].shape(*pixels.shape[:3]), len(pixels), np.int32)
        return {"mean": np.round(latents["mean"]).astype(np.int32), "count": count}

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        return pixels_of(latents["mean"], 4)


class CentredMeans(CodecModel):
    """Codes grey means of 4 x 4 pixels; synthesis moves their mean over the whole picture to 128."""

    traits = CodecTraits(("L",), AnySize(8, 0, whole=True), (LatentSpec("mean", 1, 4, 0, 255),))

    @classmethod
    def from_file(cls, model_file: ModelFile) -> CodecModel:
        if model_file.tensors["weight"].shape != (3,):
            raise ValueError("not a centred codec")
        return cls()

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        return {"mean": np.rint(block_means(pixels, 4)).astype(np.int32)}

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        centres = latents["mean"].mean(axis=(1, 2, 3), keepdims=True)
        return pixels_of(np.clip(np.rint(latents["mean"] - centres + 128), 0, 255), 4)


class Checkerboard(EntropyModel):
    """Codes even rows and columns first, then the rest, predicted by the mean of the first."""

    tables = Tables(np.full((2, 16), 64, np.uint32), -7, 10)

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        whole, even, odd = slice(None), slice(0, None, 2), slice(1, None, 2)
        return [Stage("y", (whole, whole, rows, columns)) for rows in (even, odd) for columns in (even, odd)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        if stage == 0:
            return StageContext(np.array(0))
        first = known["y"][:, :, ::2, ::2]
        return StageContext(np.array(1), first.mean(axis=(2, 3), keepdims=True).astype(np.int32))


class SmoothMeans(CodecModel):
    """Codes grey means of 4 x 4 pixels, smoothed on both sides, so that tiles need a halo; entropy has stages."""

    BLOCK = 4
    traits = CodecTraits(("L",), AnySize(BLOCK, BLOCK), (LatentSpec("y", 1, BLOCK, 0, 255),), qualities=True)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> CodecModel:
        if model_file.config != {"block": cls.BLOCK} or model_file.tensors["weight"].shape != (3,):
            raise ValueError("not a smooth codec")
        return cls()

    @classmethod
    def unrounded(cls, pixels: Pixels, quality: int) -> NDArray[np.float64]:
        """Return what analysis rounds, (N, 1, h, w)."""
        return smooth(block_means(pixels, cls.BLOCK)) / _fine_step(quality)

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        return {"y": np.round(self.unrounded(pixels, quality)).astype(np.int32)}

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        means = smooth(latents["y"].astype(np.float64) * _fine_step(quality))
        return pixels_of(np.clip(np.round(means), 0, 255), self.BLOCK)

    def entropy(self, quality: int) -> EntropyModel:
        return Checkerboard()


def block_means(pixels: Pixels, block: int) -> NDArray[np.float64]:
    """Return the means of blocks of pixels (N, H, W, C) as planes (N, C, H / block, W / block)."""
    frames, height, width, channels = pixels.shape
    parts = pixels.reshape(frames, height // block, block, width // block, block, channels)
    return parts.mean(axis=(2, 4)).transpose(0, 3, 1, 2)


def pixels_of(means: NDArray[Any], block: int) -> Pixels:
    """Return the pixels of blocks with these levels: (N, C, h, w) to (N, h * block, w * block, C)."""
    return means.astype(np.uint8).repeat(block, axis=2).repeat(block, axis=3).transpose(0, 2, 3, 1)


def smooth(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each 3 x 3 neighbourhood along the last two axes."""
    height, width = planes.shape[-2:]
    padded = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    around = [padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.asarray(sum(around) / 9)


def _coarse_step(quality: int) -> int:
    return 1 + (100 - quality) // 10


def _fine_step(quality: int) -> int:
    return 1 + (100 - quality) // 4


# --- lossless models ----------------------------------------------------------------------------------------------


class Zipped(LosslessModel):
    """Stores samples as zlib makes them, or raw if that is smaller.

    Config: `bits` and `planes`, the most that it takes.
    """

    def __init__(self, bits: int = 16, planes: int = 32) -> None:
        self.traits = LosslessTraits(bits, planes, efforts=(0, 6))

    @classmethod
    def from_file(cls, model_file: ModelFile) -> LosslessModel:
        return cls(**model_file.config)

    def encode(self, samples: Samples, bits: int, effort: int) -> bytes:
        assert samples.dtype == np.uint16
        assert int(samples.max()) < 1 << bits
        raw = samples.astype(np.uint8 if bits <= 8 else "<u2").tobytes()
        return min(b"\0" + raw, b"\3" + zlib.compress(raw, effort or 1), key=len)

    def decode(self, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
        kind = np.dtype(np.uint8 if bits <= 8 else "<u2")
        size = math.prod(shape) * kind.itemsize
        raw = payload[1:]
        if payload[:1] == b"\3":
            inflate = zlib.decompressobj()
            try:
                raw = inflate.decompress(raw, size + 1)
            except zlib.error as error:
                raise ValueError(f"zlib: {error}") from None
        if len(raw) != size:
            raise ValueError(f"{len(raw)} bytes instead of {size}")
        samples = np.frombuffer(raw, kind).reshape(shape).astype(np.uint16)
        if samples.max() >> bits:
            raise ValueError("a sample has too many bits")
        return samples


# --- enhancers ----------------------------------------------------------------------------------------------------


class Negative(EnhancerModel):
    """Repeats pixels `factor` times and mixes them with their negatives by strength; notes what it was given.

    Config: `factor` (1 unless given), `odd` to open as a codec instead.
    """

    def __init__(self, factor: int = 1, multiple: int = 1, halo: int = 0) -> None:
        self.traits = EnhancerTraits(factor, multiple, halo, strengths=True)
        self.windows: list[Pixels] = []

    @classmethod
    def from_file(cls, model_file: ModelFile) -> EnhancerModel:
        if model_file.config.get("odd"):
            return BlockMeans()  # type: ignore[return-value]
        return cls(model_file.config.get("factor", 1))

    def enhance(self, pixels: Pixels, strength: float) -> Pixels:
        self.windows.append(pixels.copy())
        mixed = np.rint((1 - strength) * pixels + strength * (255.0 - pixels)).astype(np.uint8)
        return mixed.repeat(self.traits.factor, axis=1).repeat(self.traits.factor, axis=2)


# --- model files and plugins --------------------------------------------------------------------------------------


def write_toy(
    path: Path,
    name: str,
    architecture: str,
    config: Mapping[str, Any] | None = None,
    *,
    card: Mapping[str, Any] | None = None,
    fill: float = 0,
) -> Path:
    """Write the model file of a toy, with one tensor `weight` of three equal numbers; return its path."""
    tensors = {"weight": np.full(3, fill, np.float32)}
    write_model(path, architecture=architecture, config=config or {}, name=name, card=card or {}, tensors=tensors)
    return path


def plugin(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    architectures: Sequence[ArchitectureSpec] = (),
    models: Sequence[ModelSpec] = (),
) -> EntryPoint:
    """Make a plugin module that returns these from its hooks, and return its entry point."""
    module = ModuleType(f"{name}_plugin")

    @hookimpl
    def nncodec_architectures() -> list[ArchitectureSpec]:
        return list(architectures)

    @hookimpl
    def nncodec_models() -> list[ModelSpec]:
        return list(models)

    module.__dict__.update(nncodec_architectures=nncodec_architectures, nncodec_models=nncodec_models)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint(name, module.__name__, discovery.ENTRY_POINT_GROUP)


def install_zipped(
    monkeypatch: pytest.MonkeyPatch, folder: Path, config: Mapping[str, Any] | None = None, *beside: EntryPoint
) -> None:
    """Install `Zipped` as the default lossless model, and `BlockMeans` as means/l, means/rgb and means/waste."""
    zipped = write_toy(folder / "zipped.safetensors", "zipped/any", "zipped", config)
    configs = {"l": {"mode": "L"}, "rgb": {"mode": "RGB"}, "waste": {"mode": "RGB", "waste": 3}}
    means = {
        name: write_toy(folder / f"{name}.safetensors", f"means/{name}", "means", own) for name, own in configs.items()
    }
    install(
        monkeypatch,
        plugin(
            monkeypatch,
            "zipped",
            [ArchitectureSpec("zipped", "toys:Zipped", kind="lossless")],
            [ModelSpec("zipped/any", zipped, ("lossless",))],
        ),
        plugin(
            monkeypatch,
            "means",
            [ArchitectureSpec("means", "toys:BlockMeans")],
            [ModelSpec(f"means/{name}", path, ("photo",) * (name == "rgb")) for name, path in means.items()],
        ),
        *beside,
    )


def install(monkeypatch: pytest.MonkeyPatch, *entry_points: EntryPoint) -> None:
    """Make these the only plugins that are installed; other groups of entry points stay, torch has some."""
    real, group = importlib.metadata.entry_points, discovery.ENTRY_POINT_GROUP
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda **chosen: entry_points if chosen == {"group": group} else real(**chosen),
    )
    registry.refresh()
