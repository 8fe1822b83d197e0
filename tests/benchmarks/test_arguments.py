"""Wrong arguments of benchmarks."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("module", "option", "wrong", "choices"),
    [
        ("seeds.b_dense_family", "--only", "LD1E1D1", "LD16E1D1, LD16E2D2"),
        ("seeds.c_layers", "--only", "3,4", "3, 5, 7, 10"),
        ("fine_tuning", "--sets", "cats", "clothing, pages, texture"),
    ],
)
def test_unknown_parts_are_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    module: str,
    option: str,
    wrong: str,
    choices: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{module}").main([option, wrong])
    assert ended.value.code == 2
    assert f"choose from {choices}" in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())
