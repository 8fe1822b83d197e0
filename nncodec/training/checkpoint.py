"""Checkpoints: everything a training needs to go on, written so that an interruption can never lose the last one."""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch

_KEYS = frozenset({"format", "step", "elapsed_s", "model", "optimizer"})
_FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, keeping the previous one beside it as `<name>.previous`.

    The new file is complete on disk before it takes the name, so a kill at any moment leaves a readable one.

    Args:
        path: where the newest checkpoint lives.
        state: step, elapsed_s, model and optimizer (state dicts).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            torch.save({"format": _FORMAT, **state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            path.replace(previous_of(path))
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or the one before it where the newest is damaged or missing.

    Returns:
        The state that `save_checkpoint` was given.

    Raises:
        ValueError: neither can be read; the message says why.
    """
    problems = []
    for candidate in (path, previous_of(path)):
        try:
            state = torch.load(candidate, map_location="cpu", weights_only=True)
        except (
            OSError,
            RuntimeError,
            EOFError,
            ValueError,
            KeyError,
            pickle.UnpicklingError,
            zipfile.BadZipFile,
        ) as error:
            problems.append(f"{candidate.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            continue
        if isinstance(state, dict) and state.keys() >= _KEYS and state["format"] == _FORMAT:
            return state
        problems.append(f"{candidate.name}: not a checkpoint of this version")
    raise ValueError(f"no usable checkpoint ({'; '.join(problems)})")


def previous_of(path: Path) -> Path:
    """Return where the checkpoint before the newest is kept."""
    return path.with_name(path.name + ".previous")
