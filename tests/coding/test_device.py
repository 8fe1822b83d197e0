"""Which device reaches the models: that of the call, or of the block around it; and which devices are refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec import cli
from nncodec.batch.coding import DecodeSettings, EncodeSettings
from nncodec.batch.operations import Decoding, Encoding
from nncodec.plugin import current_device, registry
from nncodec.plugin.device import chosen_device
from nncodec.torch import NncDataset

MODEL = "conv/photo"
PICTURE = Image.radial_gradient("L").resize((24, 16)).convert("RGB")


@pytest.fixture
def _two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def seen(_two_gpus: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the devices that calls of the model see, in order; the model computes on the processor nevertheless."""
    model = registry.open_model(MODEL)
    found: list[str] = []

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Mapping[str, NDArray[Any]]:
            found.append(current_device())
            with nncodec.device("cpu"):
                result: Mapping[str, NDArray[Any]] = call(*args)
            return result

        return run

    for name in ("analysis", "quantize", "synthesis"):
        monkeypatch.setattr(model, name, watched(getattr(model, name)))
    return found


def test_a_call_names_its_device(seen: list[str], tmp_path: Path) -> None:
    data = nncodec.encode(PICTURE, MODEL, lossless=False, device="cuda")
    assert seen == ["cuda"] * 2
    nncodec.decode(data, device=torch.device("cuda", 1))
    nncodec.decode(data)
    nncodec.decode(data, device="cuda:0", as_array=True)
    nncodec.decode_batch([data], device="cuda")
    list(nncodec.decode_frames(data, device="cuda:1"))
    assert seen[2:] == ["cuda:1", "cpu", "cuda:0", "cuda", "cuda:1"]
    seen.clear()
    (tmp_path / "a.nnc").write_bytes(data)
    done = CliRunner().invoke(cli.main, ["decode", "--device", "cuda:1", str(tmp_path / "a.nnc")])
    assert done.exit_code == 0, done.output
    nncodec_pillow.register_nnc_opener(device="cuda")
    try:
        Image.open(tmp_path / "a.nnc").load()
    finally:
        nncodec_pillow.register_nnc_opener(device=None)
    assert seen == ["cuda:1", "cuda"]


def test_a_block_sets_the_device_of_what_begins_in_it(seen: list[str]) -> None:
    with nncodec.device("cuda"):
        data = nncodec.encode(PICTURE, MODEL, target_psnr=20, lossless=False)
        frames = nncodec.decode_frames(data)
        nncodec.decode(data, device="cpu")
    assert seen.pop() == "cpu"
    next(frames)  # it began in the block, wherever it goes on
    assert set(seen) == {"cuda"}
    assert current_device() == "cpu"


def test_a_thread_has_a_device_of_its_own(seen: list[str]) -> None:
    data = nncodec.encode(PICTURE, MODEL, lossless=False)
    seen.clear()
    with nncodec.device("cuda"):
        thread = threading.Thread(target=nncodec.decode, args=(data,))
        thread.start()
        thread.join()
    assert seen == ["cpu"]


@pytest.mark.parametrize("value", ["gpu", "cuda:", "cuda:-1", "cuda:1\n", "cpu:0", 0, ["cuda"], torch.device("meta")])
def test_what_is_no_device_is_refused(value: Any) -> None:
    for call in (
        lambda: nncodec.encode(PICTURE, MODEL, device=value),
        lambda: nncodec.encode(PICTURE, lossless=True, device=value),
        lambda: nncodec.enhance(PICTURE, device=value),
        lambda: nncodec_pillow.register_nnc_opener(device=value),
    ):
        with pytest.raises(nncodec.InvalidOption, match="is not 'cpu', 'cuda' or 'cuda:' with a number"):
            call()


def test_a_device_that_torch_does_not_have_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setattr(torch.cuda, "is_available", lambda: False)
        for call in (lambda: nncodec.encode(PICTURE, device="cuda"), lambda: NncDataset(".", device="cuda")):
            with pytest.raises(
                nncodec.InvalidOption, match="'device': 'cuda' needs a GPU, and PyTorch finds none; use"
            ):
                call()
        refused = CliRunner().invoke(cli.main, ["encode", "--device", "cuda", "a.png"])
        assert refused.exit_code == 2
        assert "'cuda' needs a GPU, and PyTorch finds none" in " ".join(refused.output.split())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for count, there in ((1, "cuda:0 only"), (2, "cuda:0 to cuda:1")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        with pytest.raises(nncodec.InvalidOption, match=f"'device': there is no 'cuda:2'; PyTorch finds {there}$"):
            chosen_device("cuda:2")


@pytest.mark.usefixtures("_two_gpus")
def test_other_engines_compute_on_the_processor_only(monkeypatch: pytest.MonkeyPatch) -> None:
    data = nncodec.encode(PICTURE, MODEL, lossless=False)
    for engine in ("numpy", "onnx"):
        monkeypatch.setenv("NNCODEC_ENGINE", engine)
        with pytest.raises(
            nncodec.InvalidOption, match=rf"'device': 'cuda' needs PyTorch; unset \$NNCODEC_ENGINE \({engine}"
        ):
            nncodec.decode(data, device="cuda")


@pytest.mark.usefixtures("_two_gpus")
def test_a_batch_does_nothing_again_because_of_the_device() -> None:
    settings = [EncodeSettings(MODEL, 40, options=nncodec.EncodeOptions(device=name)) for name in ("cpu", "cuda")]
    assert len({Encoding(one).digest() for one in [*settings, EncodeSettings(MODEL, 40)]}) == 1
    assert len({Decoding(DecodeSettings("PNG", device=name), "png").digest() for name in (None, "cpu", "cuda")}) == 1
    assert EncodeSettings(quality="keep", options=nncodec.EncodeOptions(device="cuda")).keeps_files
