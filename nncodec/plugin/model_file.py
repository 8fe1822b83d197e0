"""Model files: one `.safetensors` whose metadata says what it is, and a digest that identifies it.

The metadata holds, under keys beginning with `nncodec.`, the architecture, its config (JSON), the model's name, its
card (JSON: provenance, licence, training data, measured quality) and its digest. Never pickle. Model files are
untrusted: every bound is checked before anything is built. This module needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from nncodec.errors import BadModelFile, WeightsMismatch, first_line

Tensors = dict[str, NDArray[Any]]
"""The tensors of a model file by name."""

DIGEST_HEX = 64
SHORT_ID_BYTES, LONG_ID_BYTES = 4, 8
"""Bytes of a digest by which files name a model; no two installed models share the first four."""
MAX_NAME = 100
_METADATA_KEYS = ("architecture", "config", "name", "card", "digest")
_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)?")
_MAX_FILE_BYTES = 1 << 30
_MAX_HEADER_BYTES = 1 << 20
_MAX_TENSORS = 4096
_MAX_DIMENSIONS = 8
_MAX_ELEMENTS = 1 << 28
_DTYPE_BYTES = {"F16": 2, "F32": 4, "I8": 1, "U8": 1, "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8}
_NUMPY_TYPES = {f"{kind[0].lower()}{size}" for kind, size in _DTYPE_BYTES.items()}


@dataclass(frozen=True)
class ModelInfo:
    """What a model file says about itself, without its tensors.

    Args:
        architecture: name of the architecture that builds it.
        config: parameters of the architecture.
        name: `plugin/model`, or a bare name for a user's own.
        card: provenance, licence, training data, measured quality; in free form.
        digest: SHA-256, hex, over architecture, config and tensors.
        path: where it was read.
    """

    architecture: str
    config: Mapping[str, Any]
    name: str
    card: Mapping[str, Any]
    digest: str
    path: Path = field(default=Path("model"), compare=False)

    @property
    def id_bytes(self) -> bytes:
        """The digest as bytes; `.nnc` files carry the first few."""
        return bytes.fromhex(self.digest)


@dataclass(frozen=True)
class ModelFile(ModelInfo):
    """A model file in memory, with its tensors as NumPy arrays."""

    tensors: Tensors = field(default_factory=dict, repr=False, compare=False)


def is_model_name(name: str) -> bool:
    """Return whether a text is a model name: lower-case `plugin/model` or a bare name."""
    return bool(_NAME_PATTERN.fullmatch(name)) and len(name) <= MAX_NAME


def is_architecture_name(name: object) -> bool:
    """Return whether something is the name of an architecture, as model files hold it."""
    return isinstance(name, str) and is_model_name(name)


def digest_of(architecture: str, config: Mapping[str, Any], tensors: Tensors) -> str:
    """Return the identity of a model: SHA-256 over architecture, config and the tensors in name order.

    The card is left out, so it can be corrected while old files stay decodable.
    """
    state = hashlib.sha256()
    state.update(_canonical_json({"architecture": architecture, "config": config}).encode())
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        little = tensor.astype(tensor.dtype.newbyteorder("<"), copy=False)
        state.update(_canonical_json([name, little.dtype.str, list(tensor.shape)]).encode())
        state.update(little.tobytes())
    return state.hexdigest()


def write_model(
    path: Path, *, architecture: str, config: Mapping[str, Any], name: str, card: Mapping[str, Any], tensors: Tensors
) -> ModelFile:
    """Write a model file and return it as `read_model` would.

    Raises:
        BadModelFile: the name is not lower-case `plugin/model` or a bare name, the architecture is not a lower-case
            name, a tensor is no array or its type is not allowed, or config or card cannot be JSON.
    """
    if not is_model_name(name):
        raise BadModelFile(path=path, reason=f"the name {name!r} is not lower-case 'plugin/model' or 'model'")
    if not is_architecture_name(architecture):
        raise BadModelFile(path=path, reason=f"the architecture {architecture!r:.80} is not a lower-case name")
    for key, value in tensors.items():
        if not isinstance(value, np.ndarray | np.generic):
            kind = f"{type(value).__module__}.{type(value).__name__}"
            raise BadModelFile(path=path, reason=f"tensor {key!r} is a {kind}, not a NumPy array")
        if value.dtype.str[1:] not in _NUMPY_TYPES:
            raise BadModelFile(path=path, reason=f"tensor {key!r} has type {value.dtype}, which is not allowed")
    for part, content in (("config", config), ("card", card)):
        try:
            _canonical_json(content)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadModelFile(path=path, reason=f"its {part} cannot be JSON: {first_line(error)}") from error
    digest = digest_of(architecture, config, tensors)
    metadata = {
        "nncodec.architecture": architecture,
        "nncodec.config": _canonical_json(config),
        "nncodec.name": name,
        "nncodec.card": _canonical_json(card),
        "nncodec.digest": digest,
    }
    contiguous = {key: np.asarray(value, order="C") for key, value in tensors.items()}
    path.write_bytes(save_safetensors(contiguous, metadata))
    return ModelFile(architecture, config, name, card, digest, path, contiguous)


def read_model_info(path: Path) -> ModelInfo:
    """Read a model file without its tensors, a few kilobytes.

    Raises:
        BadModelFile: the file cannot be read, or exceeds a bound of this module.
    """
    header = _read_safetensors_header(path)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict):
        raise BadModelFile(path=path, reason="it carries no nncodec metadata")
    entries = {}
    for key in _METADATA_KEYS:
        value = metadata.get(f"nncodec.{key}")
        if not isinstance(value, str):
            raise BadModelFile(path=path, reason=f"its metadata lacks nncodec.{key}")
        entries[key] = value
    config, card = (_json_object(path, key, entries[key]) for key in ("config", "card"))
    if not is_model_name(entries["name"]):
        raise BadModelFile(path=path, reason="its name is not lower-case 'plugin/model' or 'model'")
    if not re.fullmatch(rf"[0-9a-f]{{{DIGEST_HEX}}}", entries["digest"]):
        raise BadModelFile(path=path, reason="its digest is not 64 hexadecimal digits")
    if not is_architecture_name(entries["architecture"]):
        raise BadModelFile(path=path, reason="its architecture is not a lower-case name")
    return ModelInfo(entries["architecture"], config, entries["name"], card, entries["digest"], path)


def read_model(path: Path) -> ModelFile:
    """Read a whole model file and verify its digest.

    Raises:
        BadModelFile: see `read_model_info`.
        WeightsMismatch: the tensors do not match the digest.
    """
    info = read_model_info(path)
    try:
        tensors = load_safetensors(path.read_bytes())
        digest = digest_of(info.architecture, info.config, tensors)
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise BadModelFile(path=path, reason=first_line(error)) from error
    if digest != info.digest:
        raise WeightsMismatch(name=info.name, expected=info.digest[:16], found=digest[:16])
    return ModelFile(info.architecture, info.config, info.name, info.card, info.digest, path, tensors)


def _read_safetensors_header(path: Path) -> dict[str, Any]:
    # The safetensors library checks offsets and overlaps when it loads the tensors. These checks come first and bound
    # what loading may cost: file size, header size, number, type and size of tensors.
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            declared = int.from_bytes(stream.read(8), "little")
            if size > _MAX_FILE_BYTES:
                raise BadModelFile(path=path, reason=f"it is larger than {_MAX_FILE_BYTES >> 20} MiB")
            if size < 8 or stream.read(1) != b"{" or declared > _MAX_HEADER_BYTES:
                raise BadModelFile(path=path, reason="it is not a safetensors file")
            header = json.loads(b"{" + stream.read(declared - 1)) if declared <= size - 8 else None
    except (OSError, ValueError, RecursionError) as error:
        raise BadModelFile(path=path, reason=first_line(error)) from error
    incomplete = BadModelFile(path=path, reason="it is incomplete; copy or download it again")
    if header is None:
        raise incomplete
    if not isinstance(header, dict) or len(header) > _MAX_TENSORS + 1:
        raise BadModelFile(path=path, reason="its header is not a table of at most 4096 tensors")
    for name, entry in header.items():
        if name != "__metadata__" and not _is_tensor_entry(entry):
            raise BadModelFile(path=path, reason=f"tensor {name[:80]!r} has a type, shape or size that is not allowed")
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    if 8 + declared + max(ends, default=0) > size:
        raise incomplete
    return header


def _is_tensor_entry(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    shape, kind, offsets = entry.get("shape"), entry.get("dtype"), entry.get("data_offsets")
    if not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
        return False
    if not isinstance(kind, str) or kind not in _DTYPE_BYTES:
        return False
    if len(shape) > _MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape + offsets):
        return False
    elements = math.prod(shape)
    return elements <= _MAX_ELEMENTS and offsets[1] - offsets[0] == elements * _DTYPE_BYTES[kind]


def _json_object(path: Path, key: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadModelFile(path=path, reason=f"its {key} is not JSON") from error
    if not isinstance(value, dict):
        raise BadModelFile(path=path, reason=f"its {key} is not a JSON object")
    return value


def _canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
