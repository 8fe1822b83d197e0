"""Targets that read what `train --resume` finds in the folder of a run: its record, its logs, its checkpoints."""

from __future__ import annotations

import contextlib
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import torch
from fuzz.contract import Target
from fuzz.mutators import change_bytes, change_json

from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.distributed import SINGLE_PROCESS
from nncodec.training.log import CsvLog
from nncodec.training.recipe import find_recipe
from nncodec.training.run import Run, check_folder
from nncodec.training.settings import combine


def make(folder: Path) -> dict[str, Target]:
    """Return the targets by name; `folder` is for files."""
    run_folder = folder / "run"
    run_folder.mkdir(exist_ok=True)
    run = Run("blocks", folder, folder / "out.safetensors", "mine", run_folder, resume=True)
    settings = combine(find_recipe("blocks"))
    record = json.dumps({"architecture": "blocks", "base": None, "settings": settings.as_dict(), "pictures": [3, 1]})
    checkpoint, log = run_folder / "fuzzed.pt", CsvLog(run_folder / "fuzzed.csv")

    def read_record(data: bytes) -> None:
        run.record_path.write_bytes(data)
        check_folder(run, settings, SINGLE_PROCESS)

    def read_log(data: bytes) -> None:
        log.path.write_bytes(data)
        log.append({"step": 5, "loss": 0.5})
        log.cut(3)
        assert all(row["step"] <= 3 for row in log.rows())

    def read_checkpoint(data: bytes) -> None:
        checkpoint.write_bytes(data)
        state = load_checkpoint(checkpoint)
        assert state["step"] >= 0
        assert isinstance(state["model"], dict)

    rows = b"step,loss\r\n1,0.5\r\n2,0.25\r\n4,nan\r\n"
    return {
        "record": Target(read_record, (record.encode(),), (ValueError,), change_json),
        "log": Target(read_log, (rows, b"step\r\n1\r\n"), (ValueError, OSError)),
        "checkpoint": Target(read_checkpoint, (_saved(), _saved(step=1 << 40)), (ValueError,), change_archive, cost=4),
    }


def change_archive(rng: random.Random, data: bytes) -> bytes:
    """Change a checkpoint: its bytes, or one of its parts with the checksum made right."""
    if rng.randrange(4) == 0:
        return change_bytes(rng, data)
    parts = _parts(data)
    if not parts:
        return change_bytes(rng, data)
    name = rng.choice(sorted(parts))
    parts[name] = change_bytes(rng, parts[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_DEFLATED if rng.randrange(16) == 0 else zipfile.ZIP_STORED
    ) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return buffer.getvalue()


def _parts(data: bytes) -> dict[str, bytes]:
    with contextlib.suppress(Exception), zipfile.ZipFile(io.BytesIO(data)) as archive:  # it may be damaged in any way
        return {part.filename: archive.read(part) for part in archive.infolist() if part.file_size < 1 << 16}
    return {}


def _saved(**changes: Any) -> bytes:
    """Return a checkpoint with a tensor."""
    buffer = io.BytesIO()
    state = {"format": 1, "step": 1, "elapsed_s": 1.0, "model": {"weight": torch.zeros(3)}, "optimizer": {}}
    torch.save(state | changes, buffer)
    return buffer.getvalue()
