"""EXIF, ICC profile and XMP: from options or Pillow's `info` to chunks, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from nncodec.errors import InvalidOption
from nncodec.format.container import Container
from nncodec.format.header import ChunkType
from nncodec.limits import DEFAULT_LIMITS

KEYS = {"exif": ChunkType.EXIF, "icc_profile": ChunkType.ICC, "xmp": ChunkType.XMP}
"""Pillow's names of the metadata that a file can hold."""

_EXIF_PREFIX = b"Exif\0\0"


def metadata_chunks(options: Mapping[str, Any], info: Mapping[Any, Any]) -> dict[int, bytes]:
    """Return the chunks for the metadata of the options, or else of the image's `info`.

    Raises:
        InvalidOption: a value is too large, or has the wrong type.
    """
    chunks: dict[int, bytes] = {}
    for key, kind in KEYS.items():
        given = key in options
        value = options[key] if given else info.get(key)
        data = _as_bytes(key, value, given)
        if data and len(data) > DEFAULT_LIMITS.chunk_bytes:
            raise InvalidOption(option=key, reason=f"{len(data)} bytes, over {DEFAULT_LIMITS.chunk_bytes}")
        if data:
            chunks[kind] = data
    return chunks


def metadata_info(container: Container) -> dict[str, Any]:
    """Return the metadata of a file under Pillow's names.

    EXIF has no prefix `Exif\\0\\0`, which some formats add; Pillow accepts both.
    """
    chunks = {key: container.chunk(kind) for key, kind in KEYS.items()}
    return {key: data for key, data in chunks.items() if data is not None}


def _as_bytes(key: str, value: object, given: bool) -> bytes | None:
    if isinstance(value, Image.Exif):
        value = value.tobytes()
    if isinstance(value, str) and key == "xmp":
        value = value.encode(errors="replace")  # a lone surrogate has no UTF-8 form
    if isinstance(value, bytes | bytearray):
        data = bytes(value)
        return data.removeprefix(_EXIF_PREFIX) if key == "exif" else data
    if value is None or not given:
        return None  # another type in `info` is not metadata of this format
    raise InvalidOption(option=key, reason=f"expected bytes, got {type(value).__name__}")
