"""`nncodec viewer`, and networks as lists of operations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load

from nncodec.cli import main
from nncodec.engine.operations import AROUND, ConvLayer, Operations, V
from nncodec.web.viewer.folder import viewer_files
from nncodec.web.viewer.networks import NetworkRecorder, packed


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["viewer", *map(str, arguments)])


def test_the_folder_holds_the_page_and_the_models_that_are_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path / "site", "-m", "conv/digits", "-m", "dense/fashion")
    assert done.exit_code == 0, done.output
    files = {
        path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*") if path.is_file()
    }
    assert done.output.startswith(f"{tmp_path / 'site'}: {len(files)} files, 0.")
    assert {"index.html", "icon.svg", "nnc/element.js", "nnc/worker.js", "models/conv-digits/autoencoder.js"} <= files
    models = json.loads((tmp_path / "site" / "models" / "index.json").read_text())
    assert [(model["name"], model["bundled"], model["kind"]) for model in models] == [
        ("conv/digits", True, "codec"),
        ("dense/fashion", True, "codec"),
    ]
    assert {f"models/{model['file']}" for model in models} | {model["module"] for model in models} <= files
    # Nothing that only encoding needs goes into the folder.
    tensors = load((tmp_path / "site" / "models" / models[0]["file"]).read_bytes())
    assert sorted(tensors) == [*(f"layer.{n}.{part}" for n in range(4) for part in ("bias", "weight")), "part.scale"]


def test_no_file_names_another_server() -> None:
    texts = {name: data for name, data in viewer_files().items() if not name.endswith(".safetensors")}
    assert {"nnc/worker.js", "index.html", "viewer.css"} <= texts.keys()
    xml = b'xmlns="http://www.w3.org/2000/svg"'
    assert [name for name, data in texts.items() if b"://" in data.replace(xml, b"")] == []


def test_files_that_are_there_stay_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    refused = run(tmp_path, "-m", "conv/digits")
    assert refused.exit_code == 1
    assert refused.stderr == f"nncodec: {tmp_path / 'index.html'} is already there; use -f to overwrite it\n"
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert run(tmp_path, "-m", "conv/digits", "-f").exit_code == 0
    assert (tmp_path / "index.html").read_text() != "mine"


def test_a_model_that_cannot_decode_in_a_browser_is_refused(tmp_path: Path) -> None:
    refused = run(tmp_path / "site", "-m", "srgan/x4")
    assert (refused.exit_code, refused.stderr) == (1, "nncodec: srgan/x4 cannot decode in a browser\n")
    assert not (tmp_path / "site").exists()


def test_networks_are_recorded_with_their_layers_once() -> None:
    layer = ConvLayer(np.ones((4, 3, 3, 3), np.float32), np.zeros(4, np.float32))

    def network(operations: Operations[V], values: V, others: V) -> tuple[V, V]:
        first = operations.bounded(operations.leaky_relu(operations.convolve(values, layer, AROUND), 0.125), 511)
        second = operations.convolve(others, layer, replicate=True)
        shuffled = operations.enlarge(operations.shuffle(second, 2), 2)
        return operations.add(first, operations.channels(shuffled, 0, 1)), operations.sigmoid(second)

    recorder = NetworkRecorder()
    recorder.load("both", network, {"values": 3, "others": 3}, ("one", "two"))
    assert recorder.layers == [{"shape": [4, 3, 3, 3], "depthwise": False}]
    assert recorder.networks["both"] == {
        "inputs": 2,
        "nodes": [
            {"op": "convolve", "of": [0], "layer": 0, "margins": [1, 1, 1, 1], "replicate": False},
            {"op": "leaky_relu", "of": [2], "slope": 0.125},
            {"op": "bounded", "of": [3], "limit": 511},
            {"op": "convolve", "of": [1], "layer": 0, "margins": [0, 0, 0, 0], "replicate": True},
            {"op": "shuffle", "of": [5], "factor": 2},
            {"op": "enlarge", "of": [6], "factor": 2},
            {"op": "channels", "of": [7], "start": 0, "stop": 1},
            {"op": "add", "of": [4, 8]},
            {"op": "sigmoid", "of": [5]},
        ],
        "outputs": [9, 10],
    }


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3 / 512, np.int16),
        (-63.0, np.int16),
        (100.5, np.float16),
        (1 / 3, np.float32),
        (0.1, np.float32),
        (2**-15, np.float16),
    ],
)
def test_weights_are_packed_in_the_shortest_type_that_holds_them_exactly(value: float, kind: type) -> None:
    weight = np.array([0, value], np.float32)
    stored = packed(weight)
    assert stored.dtype == kind
    assert np.array_equal(stored.astype(np.float32) / (512 if kind is np.int16 else 1), weight)


def test_an_unknown_model_is_wrong_usage(tmp_path: Path) -> None:
    done = run(tmp_path / "site", "-m", "nothere")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "site").exists()
