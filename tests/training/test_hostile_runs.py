"""What lies in the folder of a run may be damaged or forged: it is refused in a sentence."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import MakeRun, stop_after

from nncodec.training.checkpoint import load_checkpoint, previous_of
from nncodec.training.engine import TrainingStopped, train


def _archive(pickled: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a file as torch saves it, with these instructions for the unpickler."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("checkpoint/data.pkl", pickled)
        archive.writestr("checkpoint/version", "3\n")
        archive.writestr("checkpoint/byteorder", "little")
    return buffer.getvalue()


def _saved(**changes: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": 1, "step": 1, "elapsed_s": 1.0, "model": {}, "optimizer": {}, **changes}, buffer)
    return buffer.getvalue()


def _compressed(data: bytes) -> bytes:
    """Return a sound checkpoint with its parts compressed, as an archive that expands without bound has them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as stored, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in stored.namelist():
            archive.writestr(name, stored.read(name))
    return buffer.getvalue()


HOSTILE = {
    "an empty stack": lambda: _archive(b"\x80\x02sss."),
    "a model that is a number": lambda: _saved(model=3),
    "a step that is a text": lambda: _saved(step="1"),
    "a negative step": lambda: _saved(step=-1),
    "a negative time": lambda: _saved(elapsed_s=-1.0),
    "no time": lambda: _saved(elapsed_s=float("nan")),
    "a broken archive": lambda: _archive(b"\x80\x02}.")[:-30] + b"\xff" * 30,
    "an extra field cut short": lambda: _archive(b"\x80\x02}.").replace(b"PK\x01\x02", b"PK\x01\x02\xff\xff", 1),
    "code": lambda: _archive(b"\x80\x02cos\nsystem\n."),
    "deep nesting": lambda: _archive(b"\x80\x02" + b"](" * 50_000 + b"."),
    "a bomb": lambda: _archive(bytes(20_000_000), zipfile.ZIP_DEFLATED),
    "compressed parts": lambda: _compressed(_saved()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_checkpoint_is_refused_and_the_one_before_it_used(name: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(ValueError, match="no usable checkpoint") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert "eights" not in str(caught.value)  # torch advises to switch weights_only off
    previous_of(path).write_bytes(_saved(step=7))
    notes: list[str] = []
    started = time.process_time()
    assert load_checkpoint(path, notes.append)["step"] == 7
    assert time.process_time() - started < 1
    assert len(notes) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"weight": 3}},
        {"optimizer": {"state": 3, "param_groups": []}},
        {"averages": {"sums": 3, "counts": {}}},
        {"watcher": {"best_loss": []}},
    ],
)
def test_a_checkpoint_with_other_contents_ends_in_a_sentence(make_run: MakeRun, changes: dict[str, Any]) -> None:
    with pytest.raises(TrainingStopped):
        train(make_run(checkpoint_minutes=1e-9), *stop_after(5))
    path = make_run().checkpoint
    torch.save(load_checkpoint(path) | changes, path)
    with pytest.raises(ValueError, match=r"checkpoint.pt (belongs to another|cannot be resumed)") as caught:
        train(make_run(resume=True, checkpoint_minutes=1e-9))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "3", "[]", '{"settings": 3}', '{"settings": {}}', "\xff"])
def test_a_hostile_record_of_a_run_ends_in_a_sentence(make_run: MakeRun, text: str) -> None:
    with pytest.raises(TrainingStopped):
        train(make_run(checkpoint_minutes=1e-9), *stop_after(5))
    make_run().record_path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"run.json|the run in") as caught:
        train(make_run(resume=True, checkpoint_minutes=1e-9))
    assert "\n" not in str(caught.value)
