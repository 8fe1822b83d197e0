"""The benchmark that compares what computes latents and pixels."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks import backends
from benchmarks.measuring import latents
from nncodec.engine import choice


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Decode here instead of in fresh processes."""

    def decoded(folder: Path, variables: Mapping[str, str], *, conditions: bool) -> dict[str, Any]:
        request = json.dumps({"folder": str(folder), "conditions": conditions})
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["latents", request])
            patched.setenv(choice.ENGINE_VARIABLE, variables.get(choice.ENGINE_VARIABLE, "torch"))
            latents.main()
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    monkeypatch.setattr(backends, "_decoded", decoded)


@pytest.mark.usefixtures("in_this_process")
def test_files_are_compared_between_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    Image.fromarray(skimage.data.astronaut()[:40, :60]).save(tmp_path / "small.png")
    monkeypatch.setattr(backends, "kodak", lambda: {"small.png": tmp_path / "small.png"})
    backends.main(["--models", "conv/photo", "--output", str(tmp_path / "record.json")])
    found = json.loads((tmp_path / "record.json").read_text())["models"]["conv/photo"]
    assert found["files"] == len(backends.QUALITIES)
    assert {"numpy", "onnx", "torch without oneDNN", "torch with 7 threads", "torch under autocast"} <= found[
        "backends"
    ].keys()
    for result in found["backends"].values():
        assert result["files_with_other_latents"] == 0
        assert result["largest_difference"] in (None, 0, 1)
    assert found["backends"]["numpy"]["largest_difference"] is not None
    if backends.browser_latents.find():
        assert found["backends"]["chromium"]["largest_difference"] is not None
    monkeypatch.setattr(backends, "compare", None)
    backends.main(["--models", "conv/photo", "--output", str(tmp_path / "record.json")])  # goes on: nothing is left


@pytest.mark.usefixtures("in_this_process")
def test_files_that_decode_otherwise_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "small.png")
    monkeypatch.setattr(backends, "ENGINES", ("numpy",))
    monkeypatch.setattr(backends.browser_latents, "find", lambda: None)
    monkeypatch.setattr(
        latents, "latents_hash", lambda data: "ab" if choice.os.environ[choice.ENGINE_VARIABLE] == "numpy" else "cd"
    )
    found = backends.totals(backends.compare("conv/photo", {"small.png": tmp_path / "small.png"}).values())
    assert found["numpy"]["files_with_other_latents"] == len(backends.QUALITIES)
    assert found["torch under autocast"]["files_with_other_latents"] == 0
