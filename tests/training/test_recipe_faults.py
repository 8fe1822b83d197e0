"""What a recipe or its task does wrongly is said in one line that names the plugin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from trainings import MakeRun, refused

from nncodec.errors import NncError, PluginError
from nncodec.plugin import registry
from nncodec.training.engine import train
from nncodec.training.recipe import TrainedModel

TINY = "nncodec_tiny_of_tests"  # the module of the architecture "tiny"


def test_a_model_that_its_architecture_cannot_open_is_not_written(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(model_file: object) -> None:
        raise NncError(detail="it does not fit")

    monkeypatch.setattr(registry, "build_model", refuse)
    assert refused(make_run(steps=2), NncError) == "it does not fit"


@pytest.mark.parametrize(
    ("exported", "reason"),
    [
        (TrainedModel("tiny", {}, {"weight": np.zeros(1)}), "tensor 'weight' has type float64, which is not allowed"),
        (TrainedModel("Tiny", {}, {}), "the architecture 'Tiny' is not a lower-case name"),
        (TrainedModel("unknown", {}, {}), "a model of 'unknown', which no installed plugin provides"),
        (TrainedModel("tiny", {}, {"weight": torch.zeros(1)}), "tensor 'weight' is a torch.Tensor, not a NumPy array"),
        (TrainedModel("tiny", {"mode": {1}}, {}), "its config cannot be JSON"),
        (TrainedModel("tiny", {"fail": "KeyError"}, {}), "KeyError: 'it does not fit"),
        ({"weight": 1}, "its recipe exported dict, not a TrainedModel"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_an_export_is_said_of_the_plugin(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, exported: Any, reason: str
) -> None:
    run = make_run(steps=1)
    with monkeypatch.context() as patch:
        patch.setattr(f"{TINY}.TinyRecipe.export", lambda *_: exported)
        told = refused(run, PluginError)
    assert told.startswith("the plugin 'tiny' failed: its recipe exported ")
    assert reason in told
    assert ".part" not in told
    assert train(replace(run, resume=True)) is not None


@pytest.mark.parametrize(
    ("place", "what"),
    [
        *(("TinyRecipe", name) for name in ("__init__", "translated", "planes", "prepare", "task", "export")),
        *(("TinyTask", name) for name in ("require_size", "parameter_groups", "rate_progress", "begin_step", "loss")),
        *(("TinyTask", name) for name in ("end_step", "reconstruct")),
    ],
)
@pytest.mark.parametrize("error", [SystemExit(3), ValueError("it fails")])
def test_what_the_code_of_a_recipe_raises_names_its_plugin(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, place: str, what: str, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"{TINY}.{place}.{what}", fail)
    if isinstance(error, ValueError):
        told = refused(make_run(steps=1), ValueError)
        assert told == ("it fails" if what == "translated" else "it fails (from the plugin 'tiny')")
    else:
        assert refused(make_run(steps=1), PluginError).startswith(f"the plugin 'tiny' failed: {type(error).__name__}: ")


def test_a_lack_of_memory_in_a_recipe_is_no_fault_of_its_plugin(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(f"{TINY}.TinyTask.loss", fail)
    assert "can't allocate" in refused(make_run(steps=1), RuntimeError)


class _Typed:
    names: list[str] = []  # noqa: RUF012


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("run", {"epochs": 1}, "its recipe's run is {'epochs': 1}, not RunOptions"),
        ("settings", _Typed, "not a dataclass"),
        ("settings", dataclass(type("Wrong", (), {"__annotations__": {"names": list}, "names": None})), "'names' has"),
    ],
)
def test_what_a_recipe_declares_wrongly_names_its_plugin(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, name: str, value: object, reason: str
) -> None:
    monkeypatch.setattr(f"{TINY}.TinyRecipe.{name}", value)
    told = refused(make_run(), PluginError)
    assert told.startswith("the plugin 'tiny' failed: TypeError: ")
    assert reason in told
