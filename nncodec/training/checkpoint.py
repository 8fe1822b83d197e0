"""Checkpoints: everything a training needs to go on, written so that an interruption can never lose the last one."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import secrets
import zipfile
from collections.abc import Callable
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
        state: step, elapsed_s, model and optimizer (state dicts), and whatever else a run keeps; tensors, numbers,
            texts, lists and dicts of them.

    Raises:
        OSError: it cannot be written; those that were there are as they were.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Serialized in memory first: a full disk is then an OSError, and not whatever the serializer makes of it.
    serialized = io.BytesIO()
    torch.save({"format": _FORMAT, **state}, serialized)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:
            stream.write(serialized.getbuffer())
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            path.replace(previous_of(path))
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path, on_problem: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Read a checkpoint, or the one before it where the newest is damaged or missing.

    Args:
        path: where the newest checkpoint lives.
        on_problem: called with a sentence if it is the one before that is returned.

    Returns:
        The state that `save_checkpoint` was given.

    Raises:
        ValueError: neither can be read; the message says why.
    """
    problems = []
    for candidate in (path, previous_of(path)):
        try:
            state = _read(candidate)
        except (
            OSError,
            RuntimeError,
            EOFError,
            ValueError,
            KeyError,
            pickle.UnpicklingError,
            zipfile.BadZipFile,
        ) as error:
            reason = "there is none" if isinstance(error, FileNotFoundError) else _first_line(error)
            problems.append(f"{candidate.name}: {reason}")
            continue
        if isinstance(state, dict) and state.keys() >= _KEYS and state["format"] == _FORMAT:
            if problems and on_problem:
                on_problem(f"{path} cannot be used ({problems[0]}); going on from the checkpoint before it")
            return state
        problems.append(f"{candidate.name}: not a checkpoint of this version")
    raise ValueError(f"no usable checkpoint ({'; '.join(problems)})")


def has_checkpoint(path: Path) -> bool:
    """Whether there is a checkpoint or one before it, readable or not."""
    return path.exists() or previous_of(path).exists()


def previous_of(path: Path) -> Path:
    """Return where the checkpoint before the newest is kept."""
    return path.with_name(path.name + ".previous")


def _read(path: Path) -> Any:
    # torch does not compare the checksums it writes; a flipped bit would become a weight.
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise ValueError(f"{damaged} inside is damaged")
    return torch.load(path, map_location="cpu", weights_only=True)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines and lines[0] else type(error).__name__
