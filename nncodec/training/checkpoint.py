"""Checkpoints: everything a training needs to resume, written so that an interruption never loses the last one."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nncodec._support.files import replacing

_KEYS = frozenset({"format", "step", "elapsed_s", "model", "optimizer"})
_FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, keeping the previous one beside it as `<name>.previous`.

    The new file is complete on disk before it takes the name, so a kill at any moment leaves a readable checkpoint.

    Args:
        path: of the newest checkpoint.
        state: step, elapsed_s, model and optimizer (state dicts), and whatever else a run keeps: tensors, numbers,
            texts, lists and dicts of them.

    Raises:
        OSError: it cannot be written; existing checkpoints are unchanged.
    """
    # Serialized in memory first, so that a full disk raises OSError rather than whatever the serializer raises.
    serialized = io.BytesIO()
    torch.save({"format": _FORMAT, **state}, serialized)
    try:
        with replacing(path, fsync=True, previous=previous_of(path)) as temporary:
            temporary.write_bytes(serialized.getbuffer())
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def load_checkpoint(path: Path, on_problem: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Read the newest checkpoint, or the one before it if the newest is damaged or missing.

    Args:
        path: of the newest checkpoint.
        on_problem: called with a sentence if the one before is returned.

    Returns:
        The state passed to `save_checkpoint`.

    Raises:
        ValueError: neither can be read; the message says why.
    """
    problems = []
    for candidate in (path, previous_of(path)):
        try:
            state = _read(candidate)
        except Exception as error:  # a damaged or hostile archive: the readers raise anything
            reason = "it is missing" if isinstance(error, FileNotFoundError) else _first_line(error)
            problems.append(f"{candidate.name}: {reason}")
            continue
        if isinstance(state, dict) and _is_checkpoint(state):
            if problems and on_problem:
                on_problem(f"{path} cannot be used ({problems[0]}); resuming from the checkpoint before it")
            return state
        problems.append(f"{candidate.name}: not a checkpoint of this version")
    raise ValueError(f"no usable checkpoint ({'; '.join(problems)})")


def _is_checkpoint(state: dict[str, Any]) -> bool:
    if not state.keys() >= _KEYS or state["format"] != _FORMAT:
        return False
    step, elapsed_s = state["step"], state["elapsed_s"]
    counted = type(step) is int and step >= 0 and isinstance(elapsed_s, int | float) and 0 <= elapsed_s < math.inf
    return counted and all(isinstance(state[name], dict) for name in ("model", "optimizer"))


def has_checkpoint(path: Path) -> bool:
    """Return whether the newest checkpoint or the one before it exists, readable or not."""
    return path.exists() or previous_of(path).exists()


def previous_of(path: Path) -> Path:
    """Return where the checkpoint before the newest is kept."""
    return path.with_name(path.name + ".previous")


def _read(path: Path) -> Any:
    # torch does not verify the checksums it writes; a flipped bit would end up in a weight.
    with zipfile.ZipFile(path) as archive:
        # torch stores its parts as they are; a compressed one could expand to any size.
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ValueError("a part of it is compressed")
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"{damaged} inside is damaged")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch advises to load what may run code
        raise ValueError("it is damaged, or holds something else than tensors, numbers and texts") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines and lines[0] else type(error).__name__
