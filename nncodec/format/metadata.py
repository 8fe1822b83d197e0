"""Metadata of a picture: under Pillow's names, and as chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nncodec.errors import InvalidOption
from nncodec.format.animation import Animation
from nncodec.format.container import Container
from nncodec.format.header import CHUNK_LIMITS, ChunkType
from nncodec.format.resolution import pack_resolution, unpack_resolution
from nncodec.limits import DEFAULT_LIMITS

KEYS = {"exif": ChunkType.EXIF, "icc_profile": ChunkType.ICC, "xmp": ChunkType.XMP}
"""Pillow's names of the metadata that a file holds as it is."""


def metadata_chunks(metadata: Mapping[str, Any], animation: Animation | None) -> dict[int, bytes]:
    """Return the chunks for the metadata of a picture.

    Args:
        metadata: bytes or None for each of `KEYS`, and `dpi`, (horizontal, vertical) or None.
        animation: how several frames are shown.

    Raises:
        InvalidOption: a value is too large.
    """
    chunks: dict[int, bytes] = {}
    for key, kind in KEYS.items():
        data = metadata.get(key)
        most = getattr(DEFAULT_LIMITS, CHUNK_LIMITS[kind])
        if data and len(data) > most:
            raise InvalidOption(option=key, reason=f"{len(data)} bytes, over {most}")
        if data:
            chunks[kind] = data
    if dpi := metadata.get("dpi"):
        packed = pack_resolution(dpi)
        if packed is not None:
            chunks[ChunkType.RESOLUTION] = packed
    if animation is not None:
        chunks[ChunkType.ANIMATION] = animation.to_bytes()
    return chunks


def metadata_info(container: Container) -> dict[str, Any]:
    """Return the metadata of a file under Pillow's names, without what belongs to single frames.

    EXIF has no prefix `Exif\\0\\0`.
    """
    chunks = {key: container.chunk(kind) for key, kind in KEYS.items()}
    info: dict[str, Any] = {key: data for key, data in chunks.items() if data is not None}
    resolution = container.chunk(ChunkType.RESOLUTION)
    if resolution is not None and (dpi := unpack_resolution(resolution)):
        info["dpi"] = dpi
    animation = animation_of(container)
    if animation is not None and animation.loop is not None:
        info["loop"] = animation.loop
    if animation is not None and animation.first_is_still:
        info["default_image"] = True
    return info


def animation_of(container: Container) -> Animation | None:
    """Return how the frames of a file are shown, or None if it does not say so."""
    chunk = container.chunk(ChunkType.ANIMATION)
    return None if chunk is None else Animation.of_bytes(chunk, container.header.frames)
