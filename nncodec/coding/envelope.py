"""What a file holds beside its blocks, whichever way these are coded; and the options for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from PIL import Image

from nncodec._support.numbers import whole_number
from nncodec._version import __version__
from nncodec.coding.enhancing import checked_strength
from nncodec.errors import InvalidOption
from nncodec.format.container import write
from nncodec.format.entropy import available_coders
from nncodec.format.header import ChunkType, CoderId, Header
from nncodec.format.preview import make_preview
from nncodec.picture.options import EncodeOptions
from nncodec.plugin import registry
from nncodec.plugin.computing import Computing
from nncodec.plugin.model_file import SHORT_ID_BYTES, ModelInfo

# A file with a smaller payload carries the short model id and no model name.
_SMALL_PAYLOAD_BYTES = 4096
_PREVIEW_EDGE = 128


def check_options(options: EncodeOptions) -> None:
    """Raise InvalidOption if an option is unknown, or one that every file may have is out of range."""
    unknown = options.keys() - EncodeOptions.__annotations__.keys()
    if unknown:
        known = ", ".join(EncodeOptions.__annotations__)
        raise InvalidOption(option=min(unknown), reason=f"there is no such option; the options are {known}")
    require_range("effort", options.get("effort", 0), 0, 9)
    Computing.chosen(options.get("precision"), options.get("device"))
    preview = options.get("preview", False)
    if not isinstance(preview, bool):
        require_range("preview", preview, 16, 256)
    for name in ("exact", "verify"):
        if not isinstance(value := options.get(name, False), bool):
            raise InvalidOption(option=name, reason=f"{value!r} is not True or False")
    if (coder := options.get("coder")) is not None:
        coder_of(coder)
    if (downscale := options.get("downscale")) is not None:
        require_range("downscale", downscale, 1, 8)
    if (per_block := options.get("frames_per_block")) is not None:
        require_range("frames_per_block", per_block, 1)
    if (strength := options.get("enhancer_strength")) is not None:
        checked_strength(strength, "enhancer_strength")


def coder_of(name: object) -> CoderId:
    """Return the coder of a name; raises InvalidOption for anything else."""
    by_name = {coder.name.lower(): coder for coder in available_coders()}
    if not isinstance(name, str) or name not in by_name:
        raise InvalidOption(option="coder", reason=f"{name!r} is not one of {', '.join(by_name)}")
    return by_name[name]


def require_range(option: str, value: object, low: int, high: int | None = None) -> int:
    """Return a whole number from `low` to `high`, or from `low` on; raises InvalidOption for anything else."""
    number = whole_number(value)
    if number is None or number < low or (high is not None and number > high):
        end = "on" if high is None else f"to {high}"
        raise InvalidOption(option=option, reason=f"{value!r} is not a whole number from {low} {end}")
    return number


def level_of(efforts: Sequence[int], effort: int) -> int:
    """Return the effort level of a model for an effort that was asked for: the nearest lower one, or its lowest."""
    return max(level for level in efforts if level <= max(effort, min(efforts)))


def identified(header: Header, payloads: Sequence[bytes], model_info: ModelInfo) -> tuple[Header, dict[int, bytes]]:
    """Return the header with the model's id, and the chunks that name the model."""
    is_bundled = registry.catalog().is_bundled(model_info)
    if sum(map(len, payloads)) < _SMALL_PAYLOAD_BYTES and is_bundled:
        return replace(header, model_id=model_info.id_bytes[:SHORT_ID_BYTES]), {}
    return header, {ChunkType.MODEL_NAME: model_info.name.encode()}


def write_file(
    header: Header,
    payloads: Sequence[bytes],
    model_info: ModelInfo,
    chunks: Mapping[int, bytes],
    opaque: Image.Image | None,
    options: EncodeOptions,
    settings: Mapping[str, object],
) -> bytes:
    """Return the bytes of a file.

    Args:
        header, payloads: see `container.write`.
        model_info: the model that coded the blocks.
        chunks: metadata, and what the picture needs.
        opaque: the first frame in mode L or RGB, for the preview; None if there is no such form of it.
        options: whether to add a preview and the settings.
        settings: to record how the file was made.
    """
    header, own = identified(header, payloads, model_info)
    own |= chunks
    preview = options.get("preview")
    if preview and opaque is not None:
        own[ChunkType.PREVIEW] = make_preview(opaque, _PREVIEW_EDGE if preview is True else int(preview))
    if options.get("record_settings"):
        recorded = {**settings, "nncodec": __version__}
        own[ChunkType.SETTINGS] = json.dumps(recorded, separators=(",", ":")).encode()
    return write(header, own, payloads)
