"""A small architecture with a recipe, installed for these tests."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor, nn
from trainings import MakeRun

from nncodec.plugin import registry
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.hooks import ArchitectureSpec
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training import engine
from nncodec.training.engine import Run
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe, TrainedModel
from nncodec.training.tasks import ModelTask
from nncodec.training.training_set import DataSummary

MULTIPLE = 8


@dataclass(frozen=True)
class TinySettings:
    start: float = field(default=0.5, metadata={"help": "initial weight"})
    poison_at: float = field(default=2.0, metadata={"help": "progress from which the loss is NaN"})
    fixed: bool = field(default=False, metadata={"help": "take one size only"})
    label: str = field(default="", metadata={"help": "a text"})

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"start is {self.start}; give at least 0")


class TinyTask(ModelTask):
    """Learns to pass grey levels through, past dropout and noise."""

    def __init__(self, start: float, poison_at: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(start))
        self.bias = nn.Parameter(0.1 * torch.rand(()))
        self.poison_at = poison_at
        self.dropout = nn.Dropout(0.1)

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        noise = 0.01 * torch.rand(pixels.shape, generator=generator)
        error = (self.dropout(self.weight * pixels + self.bias + noise) - pixels).square().mean()
        if self.poison_at <= progress < 1:  # validations are at 1
            error = error * torch.nan
        return error, {"psnr_db": float(-10 * error.detach().log10()), "rate_bpp": 8.0}

    def reconstruct(self, pixels: Tensor) -> Tensor:
        return self.weight * pixels + self.bias


class TinyRecipe(Recipe):
    settings = TinySettings
    run = RunOptions(epochs=10, batch_size=4, crop=32, learning_rate=0.05)

    def __init__(self, settings: TinySettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._settings = settings
        self._summary = summary
        self._base = base

    @property
    def mode(self) -> str:
        return "L"

    @property
    def size(self) -> tuple[int, int] | int:
        return (28, 28) if self._settings.fixed else MULTIPLE

    def task(self) -> TinyTask:
        start = float(self._base.tensors["weight"]) if self._base else self._settings.start
        return TinyTask(start, self._settings.poison_at)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        on_progress("exporting")
        tensors = {name: value.numpy() for name, value in task.state_dict().items()}
        return TrainedModel("tiny", {"multiple": MULTIPLE}, tensors)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """Install the architecture "tiny", and return its name."""
    module = types.ModuleType("nncodec_tiny_of_tests")  # tests patch it
    module.__dict__.update(TinyRecipe=TinyRecipe, TinyTask=TinyTask, NoRecipe=dict)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    name = module.__name__
    specs = [
        ArchitectureSpec("tiny", "toys:BlockMeans", training=f"{name}:TinyRecipe"),
        ArchitectureSpec("broken", "toys:BlockMeans", training=f"{name}:NoRecipe"),
        ArchitectureSpec("absent", "toys:BlockMeans", training="nncodec_not_there:Recipe"),
        ArchitectureSpec("plain", "toys:BlockMeans"),
    ]
    catalog = Catalog(architectures={spec.name: spec for spec in specs})
    monkeypatch.setattr(registry, "catalog", lambda: catalog)
    return "tiny"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twelve grey pictures, 40 x 48 pixels."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    camera = skimage.data.camera()
    for number in range(12):
        Image.fromarray(camera[40 * number :][:40, 100:148]).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture
def make_run(tiny: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Return a run of the tiny architecture, without a plot; keywords that are not fields are settings."""
    monkeypatch.setattr(engine, "can_plot", lambda: False)

    def make(name: str = "mine", **changes: Any) -> Run:
        run = Run(tiny, pictures, tmp_path / f"{name}.safetensors", "mine", tmp_path / f"{name}.run")
        own = {key: changes.pop(key) for key in list(changes) if key not in Run.__dataclass_fields__}
        return replace(run, **changes, settings=[own])

    return make
