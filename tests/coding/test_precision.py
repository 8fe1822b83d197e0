"""Which precision reaches the models: that of the call, or of the block around it, in threads and iterators too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import nncodec
from nncodec.nn import precision as nn_precision
from nncodec.plugin import registry
from nncodec.plugin.precision import current_precision

MODEL = "conv/photo"
PICTURE = Image.radial_gradient("L").resize((24, 16)).convert("RGB")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the precisions that calls of the model see, in order."""
    model = registry.open_model(MODEL)
    found: list[str] = []

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Mapping[str, NDArray[Any]]:
            found.append(current_precision())
            result: Mapping[str, NDArray[Any]] = call(*args)
            return result

        return run

    for name in ("analysis", "quantize", "synthesis"):
        monkeypatch.setattr(model, name, watched(getattr(model, name)))
    return found


def test_a_call_names_its_precision(seen: list[str]) -> None:
    data = nncodec.encode(PICTURE, MODEL, lossless=False, precision="float32")
    assert seen == ["float32"] * 2
    nncodec.decode(data, precision="float32")
    nncodec.decode(data)
    nncodec.decode_batch([data], precision="float32")
    list(nncodec.decode_frames(data, precision="float32"))
    assert seen[2:] == ["float32", "auto", "float32", "float32"]


def test_a_block_sets_the_precision_of_what_begins_in_it(seen: list[str]) -> None:
    with nncodec.precision("float32"):
        data = nncodec.encode(PICTURE, MODEL, target_psnr=20, lossless=False)
        frames = nncodec.decode_frames(data)
        with nncodec.precision("auto"):
            nncodec.decode(data)
    assert seen.pop() == "auto"
    next(frames)  # it began in the block, wherever it goes on
    assert set(seen) == {"float32"}
    assert current_precision() == "auto"


def test_a_thread_has_a_precision_of_its_own(seen: list[str]) -> None:
    data = nncodec.encode(PICTURE, MODEL, lossless=False)
    seen.clear()
    with nncodec.precision("float32"):
        thread = threading.Thread(target=nncodec.decode, args=(data,))
        thread.start()
        thread.join()
    assert seen == ["auto"]


@pytest.mark.parametrize("value", ["float16", 32, ["float32"]])
def test_another_precision_is_refused(value: Any) -> None:
    with pytest.raises(nncodec.InvalidOption, match="is not 'auto' or 'float32'"):
        nncodec.encode(PICTURE, MODEL, precision=value)
    with pytest.raises(nncodec.InvalidOption, match="precision"), nncodec.precision(value):
        pass
    with pytest.raises(nncodec.InvalidOption, match="precision"):
        nncodec.encode(PICTURE, lossless=True, precision=value)


@pytest.mark.parametrize("unit", ["avx512_bf16", "amx_bf16", None])
def test_bfloat16_is_used_where_the_processor_multiplies_it(unit: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {} if unit is None else {unit: True}, raising=False)
    nn_precision._multiplies_bfloat16.cache_clear()
    try:
        with nn_precision.pixel_precision():
            assert torch.is_autocast_enabled("cpu") == (unit is not None)
        with nncodec.precision("float32"), torch.autocast("cpu", torch.bfloat16), nn_precision.pixel_precision():
            assert not torch.is_autocast_enabled("cpu")
        monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
        assert not nn_precision.is_bfloat16_fast()
    finally:
        nn_precision._multiplies_bfloat16.cache_clear()


def test_pixels_of_both_precisions_are_within_two_levels() -> None:
    data = nncodec.encode(PICTURE, MODEL, 90, lossless=False)
    pixels = [np.asarray(nncodec.decode(data, precision=value), int) for value in ("auto", "float32")]
    assert np.abs(pixels[0] - pixels[1]).max() <= 2
