"""The benchmark of GPUs runs to the end on the processor, and says what it needs. Never how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu


def test_the_processor_agrees_with_itself(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    gpu.main(["--quick", "--device", "cpu", "--model", "conv/photo", "--output", str(output)])
    record = json.loads(output.read_text(encoding="utf-8"))
    assert [(row["task"], row["batch"]) for row in record["speed"]] == [
        (task, batch) for batch in gpu.QUICK_BATCHES for task in ("encode", "decode", "tensors")
    ]
    assert all(row["pictures_per_s"] > 0 for row in record["speed"])
    agreement = record["agreement"]
    assert (agreement["files"], agreement["equal_files"], agreement["most_levels"]) == (2, 2, 0)


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        gpu.main([])
    assert ended.value.code == 2
    assert "--device: 'cuda' needs a GPU, and PyTorch finds none" in capsys.readouterr().err.splitlines()[-1]
