"""Facts about a file that need neither the model nor torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncodec.coding.recommendation import Recommendation
from nncodec.errors import Corrupt, UnknownModel
from nncodec.format.animation import Animation
from nncodec.format.container import Container, NncSource
from nncodec.format.header import ChunkType, ColourMode
from nncodec.format.metadata import animation_of, metadata_info
from nncodec.format.palette import Palette
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.picture.exif import PREFIX
from nncodec.picture.samples import DEEP_GREY, PILLOW_MODES, transparency_of
from nncodec.plugin import registry
from nncodec.plugin.hooks import CODEC, LOSSLESS
from nncodec.plugin.model_file import MAX_NAME, ModelInfo


@dataclass(frozen=True)
class RecommendedEnhancer:
    """The enhancer that a file recommends.

    Args:
        name: what the file calls it.
        id: beginning of its digest, hex; this decides which one it is.
        strength: 0..1.
        installed: whether the enhancer is installed.
    """

    name: str
    id: str
    strength: float
    installed: bool


@dataclass(frozen=True)
class FileInfo:
    """Facts about a file; see `inspect`.

    Args:
        width, height: of the decoded picture, pixels.
        mode: its Pillow mode, "planes" if no mode holds its samples.
        frames: number of pictures in the file.
        quality: 0..100, or None.
        model: name of the model, if the file holds it or the model is installed; else None.
        model_id: beginning of the model's digest, hex.
        installed: whether the model is installed.
        coder: "zstd", "rans" or "stored".
        coded_size: (width, height) of the coded picture; smaller if the picture is stored reduced.
        blocks: independently coded blocks along (frames, height, width).
        file_bytes, payload_bytes: size of the whole file, and of its coded latents.
        chunks: stored bytes of each metadata chunk, by name.
        settings: how the file was made, if that was recorded: names to text, numbers or None.
        enhancer: the enhancer that the file recommends, or None; decoders use it only on request.
        dpi: (horizontal, vertical) dots per inch, or None.
        durations_ms: how long each frame is shown, or None.
        loop: how often the frames are shown as the source file states it, 0 for ever; None if it does not.
        bits: of a sample.
        planes: samples of a pixel.
        max_error: the most by which a sample differs from the original; None if it may be anything. Alpha is exact.
    """

    width: int
    height: int
    mode: str
    frames: int
    quality: int | None
    model: str | None
    model_id: str
    installed: bool
    coder: str
    coded_size: tuple[int, int]
    blocks: tuple[int, int, int]
    file_bytes: int
    payload_bytes: int
    chunks: Mapping[str, int]
    settings: Mapping[str, Any]
    enhancer: RecommendedEnhancer | None = None
    dpi: tuple[float, float] | None = None
    durations_ms: tuple[int, ...] | None = None
    loop: int | None = None
    bits: int = 8
    planes: int = 3
    max_error: int | None = None

    @property
    def lossless(self) -> bool:
        """Whether the picture is exactly the original."""
        return self.max_error == 0


def inspect(data: NncSource, *, limits: Limits = DEFAULT_LIMITS) -> FileInfo:
    """Return facts about a file, without decoding it and without torch.

    Raises:
        FormatError: the header, or a chunk that is read, is damaged.
    """
    return _info_of(Container(data, limits))


def check(data: NncSource, *, limits: Limits = DEFAULT_LIMITS) -> FileInfo:
    """Compare all checksums of a file, without the model; returns what `inspect` returns.

    Raises:
        FormatError: the file is incomplete or damaged, or bytes follow its end.
    """
    container = Container(data, limits)
    container.check()
    return _info_of(container)


def _info_of(container: Container) -> FileInfo:
    header = container.header
    model_info = _installed_model(container)
    samples = header.samples
    has_alpha = any(entry.type == ChunkType.ALPHA for entry in container.chunk_table)
    animation = animation_of(container)
    stored = {entry.type: entry.size_bytes for entry in container.chunk_table}
    names = {int(kind): kind.name.lower() for kind in ChunkType}
    return FileInfo(
        *header.display_size,
        mode=pillow_mode(container),
        frames=header.frames,
        quality=header.quality,
        model=_known_name(container),
        model_id=header.model_id.hex(),
        installed=model_info is not None,
        coder=header.coder.name.lower(),
        coded_size=(header.width, header.height),
        blocks=header.grid,
        file_bytes=container.size_bytes,
        payload_bytes=container.payload_bytes,
        chunks={names.get(kind, f"{kind:#04x}"): size for kind, size in stored.items()},
        settings=_read_settings(container),
        enhancer=_recommended(container),
        dpi=metadata_info(container).get("dpi"),
        durations_ms=animation.durations_ms if animation else None,
        loop=animation.loop if animation else None,
        bits=samples.bits if samples else 8,
        planes=(samples.planes if samples else header.mode.planes) + has_alpha,
        max_error=samples.max_error if samples else None,
    )


def _recommended(container: Container) -> RecommendedEnhancer | None:
    raw = container.chunk(ChunkType.ENHANCER)
    if raw is None:
        return None
    try:
        recommended = Recommendation.of_bytes(raw)
    except Corrupt:  # a file must decode whatever the chunk holds, so it is not damaged
        return None
    name, model_id, strength = recommended.name, recommended.model_id.hex(), recommended.strength
    return RecommendedEnhancer(name, model_id, strength, recommended.find() is not None)


def pillow_mode(container: Container, *, with_alpha: bool = True) -> str:
    """Return the Pillow mode of a file's pictures, "planes" if no mode holds them.

    Args:
        container: the file.
        with_alpha: whether alpha that is stored beside the planes counts.
    """
    header = container.header
    if header.mode is ColourMode.PLANES:
        return "planes"
    if header.samples and header.samples.dtype is not np.uint8:
        return DEEP_GREY
    has_alpha = with_alpha and any(entry.type == ChunkType.ALPHA for entry in container.chunk_table)
    return PILLOW_MODES[header.mode] + ("A" if has_alpha else "")


def model_name(container: Container) -> str | None:
    """Return the model name that a file holds, cut to the length of the longest name, or None."""
    raw = container.chunk(ChunkType.MODEL_NAME)
    return None if raw is None else raw[:MAX_NAME].decode("utf-8", errors="replace")


def _installed_model(container: Container) -> ModelInfo | None:
    kind = LOSSLESS if container.header.samples else CODEC
    try:
        return registry.catalog().find_by_id(container.header.model_id, kind=kind)
    except UnknownModel:
        return None


def _known_name(container: Container) -> str | None:
    """Return the name of the model that a file holds, or that of the installed model; small files hold none."""
    stored = model_name(container)
    if stored is not None:
        return stored
    model_info = _installed_model(container)
    return None if model_info is None else model_info.name


def image_info(container: Container) -> dict[str, Any]:
    """Return the `info` of a picture: metadata, quality, transparency, model (its name, or the id in hex)."""
    info: dict[str, Any] = dict(metadata_info(container))
    if exif := info.get("exif"):
        info["exif"] = PREFIX + exif  # users pass it on to writers of JPEG, which do not add it
    info["model"] = _known_name(container) or container.header.model_id.hex()
    if container.header.quality is not None:
        info["quality"] = container.header.quality
    if palette := stored_palette(container):
        transparency = transparency_of(palette)
        info |= {} if transparency is None else {"transparency": transparency}
    return info


def stored_palette(container: Container) -> Palette | None:
    """Return the palette that a file holds, or None; raises Corrupt if it is malformed."""
    chunk = container.chunk(ChunkType.PALETTE)
    return None if chunk is None else Palette.of_bytes(chunk)


def frame_info(animation: Animation | None, frame: int) -> dict[str, Any]:
    """Return what the `info` of a frame has of its own: its duration, if the file says so."""
    return {} if animation is None else {"duration": animation.durations_ms[frame]}


def _read_settings(container: Container) -> Mapping[str, Any]:
    raw = container.chunk(ChunkType.SETTINGS)
    try:
        settings = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        return {}
    # Plain values only, which any program can show and write: no nesting, and no numbers that JSON lacks.
    return {key: value for key, value in settings.items() if _is_plain(value)} if isinstance(settings, dict) else {}


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | None) or (isinstance(value, float) and math.isfinite(value))
