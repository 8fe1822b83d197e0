"""Shared by tests of the plugins' trainings: images, recipes, short trainings and turns of SRGAN."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from preloaded import Completed, Preloaded
from torch import Tensor

from nncodec.nn.tensors import to_tensor, weights_of
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile, read_model, write_model
from nncodec.training.engine import Run, train
from nncodec.training.events import Advanced, Event
from nncodec.training.loop import fit
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.recipe import Recipe, find_recipe
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import ModelTask
from nncodec.training.training_set import DataSummary
from nncodec_srgan.enhancer import CONTENT, DETAIL, model_config
from nncodec_srgan.generator import Generator, GeneratorConfig
from nncodec_srgan.training import EnhancerTask

MakeRun = Callable[..., Run]
"""What the fixture `make_run` is; keywords are fields of the run, or settings."""

SHAPE = GeneratorConfig(factor=2, width=4, blocks=1)
SUMMARY = DataSummary(4, None, None, grey=False)
ASTRONAUT = skimage.data.astronaut()
GREY = DataSummary(64, 20, 12, grey=True)
MIXED = DataSummary(8, None, None, grey=False)


def photograph(edge: int) -> Pixels:
    """Return a square piece of a photograph, (edge, edge, 3)."""
    picture = np.asarray(Image.open(Path(skimage.data.__file__).parent / "coffee.png").convert("RGB"))
    return np.ascontiguousarray(picture[100 : 100 + edge, 200 : 200 + edge])


def make_recipe(architecture: str, summary: DataSummary, base: ModelFile | None = None, **settings: Any) -> Recipe:
    """Return a recipe of an architecture with these settings."""
    kind = find_recipe(architecture)
    return kind(kind.settings(**settings), summary, base)


def train_on(task: ModelTask, pictures: Pixels, steps: int, learning_rate: float = 1e-3) -> list[float]:
    """Train on whole pictures; return the mean losses of ten equal parts of the training."""
    losses: list[float] = []

    def note_loss(event: Event) -> None:
        if isinstance(event, Advanced) and event.fresh:
            losses.append(event.figures["loss"])

    fit(
        task,
        ArraySampler(pictures, 8, seed=0),
        Schedule(learning_rate, steps=steps, warmup_steps=2),
        LoopOptions(log_steps=max(1, steps // 10)),
        on_event=note_loss,
    )
    return losses


def exported(kind: Recipe, task: ModelTask, pictures: Sequence[Pixels], path: Path) -> ModelFile:
    """Export a trained task to a model file and read it back."""
    before = {name: value.clone() for name, value in task.state_dict().items()}
    model = kind.export(task, pictures, lambda line: None)
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    write_model(path, architecture=model.architecture, config=model.config, name="mine", card={}, tensors=model.tensors)
    registry.refresh()
    return read_model(path)


def batch() -> Tensor:
    """Return two good pictures, (2, 3, 32, 32)."""
    return to_tensor(np.stack([ASTRONAUT[100:132, 200:232], ASTRONAUT[40:72, 220:252]]))


def turn(task: EnhancerTask, number: int, progress: float) -> tuple[set[str], dict[str, float]]:
    """Take one update; return which parts of the state it changed, and the figures."""
    before = {name: value.clone() for name, value in task.state_dict().items()}
    optimizer = torch.optim.Adam(task.parameter_groups(1e-2), fused=True)
    task.begin_step(progress)
    loss, figures = task.turn_loss(number, batch(), progress, torch.Generator())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    changed = {
        name
        for name, value in task.state_dict().items()
        if not torch.allclose(value.float(), before[name].float(), rtol=0, atol=1e-7)
    }
    return {name.partition(".")[0] for name in changed if not name.endswith("num_batches_tracked")}, figures


def srgan_model(detail: bool, shape: GeneratorConfig = SHAPE) -> ModelFile:
    """Return an enhancer's model file with different weights in each set."""
    tensors = {}
    for number, prefix in enumerate((CONTENT, DETAIL)[: 1 + detail]):
        torch.manual_seed(number)
        tensors |= weights_of(Generator(shape), prefix)
    return ModelFile("srgan", model_config(shape, detail=detail), "base", {}, "", tensors=tensors)


def two_processes(preloaded: Preloaded, arguments: Sequence[str], folder: Path) -> list[Completed]:
    """Run a command of nncodec in two processes that share the work, with the environment that torchrun gives them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [{**group, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    return preloaded.run_together([["-m", "nncodec", *arguments]] * 2, cwd=folder, envs=ranks)


def stop_after(steps: int) -> tuple[Callable[[Event], None], Callable[[], bool]]:
    """Return `on_event` and `cancel` for a run that stops after so many steps."""
    reached = []

    def watch(event: Event) -> None:
        if isinstance(event, Advanced) and event.step >= steps:
            reached.append(True)

    return watch, lambda: bool(reached)


def refused(run: Run, kind: type[Exception] = ValueError) -> str:
    """Return the one-line error of a run that leaves nothing behind."""
    with pytest.raises(kind) as caught:
        train(run)
    assert "\n" not in str(caught.value)
    assert not run.output.exists()
    return str(caught.value)
