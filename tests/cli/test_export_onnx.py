"""`nncodec export-onnx`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tiny_hyperprior import tiny_file, tiny_network

from nncodec.cli import main
from nncodec.plugin.model_file import write_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small model file."""
    made, path = tiny_file(tiny_network()), tmp_path_factory.mktemp("model") / "small.safetensors"
    write_model(
        path, architecture=made.architecture, config=made.config, name="mine/small", card={}, tensors=made.tensors
    )
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export-onnx", *map(str, arguments)])


def test_the_folder_holds_sound_networks_and_what_they_take(model: Path, tmp_path: Path) -> None:
    done = run(model, "-o", tmp_path / "out")
    assert (done.exit_code, done.output) == (0, f"mine/small -> {tmp_path / 'out'}: 13 networks\n")
    index = json.loads((tmp_path / "out" / "model.json").read_text())
    assert (index["name"], index["architecture"], index["config"]["groups"]) == ("mine/small", "hyperprior", [4, 8])
    assert len(index["digest"]) == 64
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "model.json",
        *(network["file"] for network in index["networks"].values()),
    }
    assert {"hyper_decoder", "context_1", "context_1_3", "synthesis", "synthesis_detail"} <= index["networks"].keys()
    for network in index["networks"].values():
        path = tmp_path / "out" / network["file"]
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        given = {name: np.ones((2, size, 6, 4), np.float32) for name, size in network["inputs"].items()}
        results = session.run(network["outputs"], given)
        assert all(result.dtype == np.float32 and len(result) == 2 for result in results)


def test_files_that_are_there_stay_unless_forced(model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("mine")
    refused = run(model, "-o", tmp_path)
    assert refused.exit_code == 1
    assert refused.stderr == f"nncodec: {tmp_path / 'model.json'} is already there; use -f to overwrite it\n"
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]
    assert run(model, "-o", tmp_path, "-f").exit_code == 0
    assert (tmp_path / "model.json").read_text() != "mine"


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("srgan/x4", 1, "srgan/x4 is an enhancer, not a codec; choose a codec such as"),
        ("nothing", 2, "no installed model is 'nothing'"),
        ("nothing.safetensors", 1, "No such file"),
    ],
)
def test_a_model_that_cannot_be_exported_is_one_line(name: str, status: int, reason: str, tmp_path: Path) -> None:
    failed = run(name, "-o", tmp_path / "out")
    assert failed.exit_code == status
    assert reason in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_the_extra_it_says_what_to_install(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "onnx.helper"):
        monkeypatch.setitem(sys.modules, name, None)
    failed = run(model, "-o", tmp_path / "out")
    assert failed.exit_code == 1
    assert 'needs onnx, which is not installed; pip install "nncodec-image[onnx]"' in failed.stderr
    assert not (tmp_path / "out").exists()
