"""What an author's plugin returns by mistake is a sentence that names the plugin, not an error of the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from toys import SmoothMeans

import nncodec
from nncodec.errors import PluginError
from nncodec.plugin.entropy import EntropyModel, Stage

IMAGE = Image.linear_gradient("L").resize((16, 8))


def returning(value: object) -> Callable[..., Any]:
    return lambda *_: value


@pytest.mark.parametrize(
    ("method", "value", "reason"),
    [
        ("analysis", None, "its analysis gives a NoneType, not a dictionary of arrays"),
        ("analysis", np.zeros((1, 1, 2, 4)), "its analysis gives a ndarray, not a dictionary of arrays"),
        ("analysis", {"y": torch.zeros(1, 1, 2, 4)}, "its analysis gives 'y' as a Tensor, not a NumPy array"),
        ("analysis", {"y": [[0]]}, "its analysis gives 'y' as a list, not a NumPy array"),
        ("quantize", None, "its rounding gives a NoneType, not a dictionary of arrays"),
        ("quantize", {"y": torch.zeros(1, 1, 2, 4)}, "its rounding gives 'y' as a Tensor, not a NumPy array"),
        ("entropy", None, r"its entropy\(\) returned a NoneType, not an EntropyModel"),
    ],
)
def test_of_an_encoder(model: SmoothMeans, monkeypatch: Any, method: str, value: object, reason: str) -> None:
    monkeypatch.setattr(model, method, returning(value))
    with pytest.raises(PluginError, match=reason):
        nncodec.encode(IMAGE, "conv/photo", lossless=False)


@pytest.mark.parametrize(
    ("method", "value", "reason"),
    [
        ("synthesis", None, "its synthesis returned a NoneType, not an array"),
        ("synthesis", [0], "its synthesis returned a list, not an array"),
        ("synthesis", np.zeros((1, 8, 16, 1)), r"its synthesis returned float64 \(1, 8, 16, 1\)"),
        ("entropy", None, r"its entropy\(\) returned a NoneType, not an EntropyModel"),
    ],
)
def test_of_a_decoder(model: SmoothMeans, monkeypatch: Any, method: str, value: object, reason: str) -> None:
    data = nncodec.encode(IMAGE, "conv/photo", lossless=False)
    monkeypatch.setattr(model, method, returning(value))
    with pytest.raises(PluginError, match=reason):
        nncodec.decode(data)


class Stages(EntropyModel):
    """One stage and its context, both given."""

    tables = None

    def __init__(self, stage: Any, context: Any) -> None:
        self._stage, self._context = stage, context

    def stages(self, shapes: object) -> list[Stage]:
        return [self._stage]

    def context(self, stage: int, known: object) -> Any:
        return self._context


ALL = Stage("y", (slice(None),) * 4)


@pytest.mark.parametrize(
    ("stage", "context", "reason"),
    [
        (Stage("zz", ALL.where), None, "stage 0 codes 'zz', which the model does not declare"),
        ("y", None, "stage 0 is a str, not a Stage"),
        (ALL, None, "stage 0 has a NoneType as its context, not a StageContext"),
        (ALL, np.zeros((1, 1, 2, 4), np.int16), "stage 0 has a ndarray as its context, not a StageContext"),
    ],
)
def test_of_an_entropy_model(model: SmoothMeans, monkeypatch: Any, stage: Any, context: Any, reason: str) -> None:
    monkeypatch.setattr(model, "entropy", returning(Stages(stage, context)))
    with pytest.raises(PluginError, match=reason):
        nncodec.encode(IMAGE, "conv/photo", lossless=False)
