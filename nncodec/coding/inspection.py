"""What a file says of itself, without the model and without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from nncodec.coding.recommendation import Recommendation
from nncodec.errors import UnknownModel
from nncodec.format.container import ChunkType, Container
from nncodec.format.metadata import metadata_info
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.plugin import registry
from nncodec.plugin.model_file import MAX_NAME

NncSource = bytes | bytearray | memoryview | BinaryIO


@dataclass(frozen=True)
class RecommendedEnhancer:
    """The enhancer that a file recommends.

    Args:
        name: what the file calls it.
        id: beginning of its digest, hex; this decides which one it is.
        strength: 0..1.
        installed: whether it is there to be used.
    """

    name: str
    id: str
    strength: float
    installed: bool


@dataclass(frozen=True)
class FileInfo:
    """What a file says of itself; see `inspect`.

    Args:
        width, height: of the picture that decoders return, pixels.
        mode: its Pillow mode.
        frames: pictures in the file.
        quality: 0..100, or None.
        model: the model's name where the file carries it or the model is installed, else None.
        model_id: beginning of the model's digest, hex.
        installed: whether the model is there to decode the file.
        coder: "zstd", "rans" or "stored".
        coded_size: (width, height) as coded; smaller than the picture if it is stored reduced.
        blocks: independently coded blocks along (frames, height, width).
        file_bytes, payload_bytes: the whole file, and its coded latents.
        chunks: stored bytes of each metadata chunk, by name.
        settings: how the file was made, where that was recorded: names to text, numbers or None.
        enhancer: what the file recommends to enhance it with, or None; decoders use it only if they are told to.
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


def inspect(data: NncSource, *, limits: Limits = DEFAULT_LIMITS) -> FileInfo:
    """Return what a file says of itself, without decoding it and without torch.

    Raises:
        FormatError: the header, or a chunk that is shown, is not sound.
    """
    return _info_of(Container(data, limits))


def check(data: NncSource, *, limits: Limits = DEFAULT_LIMITS) -> FileInfo:
    """Compare every checksum of a file, without the model; returns what `inspect` does.

    Raises:
        FormatError: something is missing, damaged or left over.
    """
    container = Container(data, limits)
    container.check()
    return _info_of(container)


def _info_of(container: Container) -> FileInfo:
    header = container.header
    name = model_name(container)
    try:
        model_info = registry.catalog().find_by_id(header.model_id)
    except UnknownModel:
        model_info = None
    if name is None and model_info is not None:
        name = model_info.name
    stored = {entry.type: entry.size_bytes for entry in container.chunk_table}
    names = {int(kind): kind.name.lower() for kind in ChunkType}
    return FileInfo(
        *header.display_size,
        mode=pillow_mode(container),
        frames=header.frames,
        quality=header.quality,
        model=name,
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
    )


def _recommended(container: Container) -> RecommendedEnhancer | None:
    found = Recommendation.of(container)
    if found is None:
        return None
    return RecommendedEnhancer(found.name, found.model_id.hex(), found.strength, found.find() is not None)


def pillow_mode(container: Container) -> str:
    """Return the Pillow mode of a file's pictures."""
    has_alpha = any(entry.type == ChunkType.ALPHA for entry in container.chunk_table)
    return container.header.mode.name + ("A" if has_alpha else "")


def model_name(container: Container) -> str | None:
    """Return the model name a file carries, as far as a name can be long, or None."""
    raw = container.chunk(ChunkType.MODEL_NAME)
    return None if raw is None else raw[:MAX_NAME].decode("utf-8", errors="replace")


def image_info(container: Container) -> dict[str, Any]:
    """Return what a decoded picture carries in `info`: metadata, model (name, or id in hex) and quality."""
    info: dict[str, Any] = dict(metadata_info(container))
    info["model"] = model_name(container) or container.header.model_id.hex()
    if container.header.quality is not None:
        info["quality"] = container.header.quality
    return info


def _read_settings(container: Container) -> Mapping[str, Any]:
    raw = container.chunk(ChunkType.SETTINGS)
    try:
        settings = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        return {}
    # Only what any program can show and write again: neither nested to any depth nor numbers that JSON has not.
    return {key: value for key, value in settings.items() if _is_plain(value)} if isinstance(settings, dict) else {}


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | None) or (isinstance(value, float) and math.isfinite(value))
