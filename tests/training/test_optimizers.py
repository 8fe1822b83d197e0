"""Muon moves kernels in place, whatever their layout, Adam the rest; and a resumed run goes on as if unbroken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.events import Event
from nncodec.training.loop import fit
from nncodec.training.optimizers import Muon, optimizer_for
from nncodec.training.options import MUON, LoopOptions, RunOptions, Schedule
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import TrainingTask

PICTURES = np.random.default_rng(0).integers(0, 256, (16, 6, 6, 3), np.uint8)


class Blur(TrainingTask):
    """Learns to blur, by two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(), nn.Conv2d(8, 3, 1))

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        wanted = nn.functional.avg_pool2d(pixels, 3, 1, 1)
        return (self.network(pixels) - wanted).square().mean(), {}


def trained(steps: int, total: int, checkpoint: Path | None = None, kind: str = MUON) -> tuple[Blur, float]:
    """Train until `steps` of a schedule of `total` steps; return the task and its last loss."""
    task = Blur()
    events: list[Event] = []
    options = LoopOptions(checkpoint=checkpoint, log_steps=1, optimizer=kind)
    report = fit(
        task,
        ArraySampler(PICTURES, 8, seed=1),
        Schedule(0.01, steps=total, warmup_steps=1),
        options,
        on_event=events.append,
        cancel=lambda: len(events) >= steps,
    )
    return task, report.figures["loss"]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_kernel_moves_as_torchs_muon_moves_the_matrix_that_it_is(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(6, 4, 3, 3).to(memory_format=layout))
    gradient = torch.randn(6, 4, 3, 3)
    order = (0, 1, 2, 3) if layout is torch.contiguous_format else (0, 2, 3, 1)
    matrix = nn.Parameter(kernel.detach().permute(order).flatten(1).clone())
    expected = torch.optim.Muon([matrix], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    ours = Muon([{"params": [kernel], "lr": 0.1}])
    for _ in range(2):
        matrix.grad = gradient.permute(order).flatten(1).clone()
        kernel.grad = gradient.clone()
        expected.step()
        ours.step()
    assert torch.equal(kernel.detach().permute(order).flatten(1), matrix)
    ours.zero_grad()
    assert kernel.grad is None
    ours.step()
    assert torch.equal(kernel.detach().permute(order).flatten(1), matrix)


@pytest.mark.parametrize(("shape", "tables"), [((5,), False), ((4, 1, 3, 3), False), ((3, 4), True)], ids=str)
def test_what_is_no_matrix_moves_as_adam_moves_it(shape: tuple[int, ...], tables: bool) -> None:
    one, same = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.ones(shape))
    matrix = nn.Parameter(torch.ones(2, 2))
    groups: list[dict[str, Any]] = [{"params": [matrix], "lr": 0.1}, {"params": [one], "lr": 0.2, "tables": tables}]
    ours, adam = optimizer_for(MUON, groups), torch.optim.Adam([same], 0.2)
    gradient = torch.arange(float(one.numel())).reshape(shape)
    one.grad, same.grad = gradient, gradient.clone()
    ours.step()
    adam.step()
    assert torch.allclose(one, same)
    assert (matrix == 1).all()  # it had no gradient
    assert [group["lr"] for group in ours.param_groups] == [0.1, 0.2]


def test_muon_learns() -> None:
    assert trained(60, 60)[1] < 0.2 * trained(1, 60)[1]


def test_a_run_resumed_with_muon_ends_exactly_where_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken, _ = trained(12, 12, tmp_path / "a.pt")
    trained(5, 12, tmp_path / "b.pt")
    resumed, _ = trained(12, 12, tmp_path / "b.pt")
    for one, other in zip(unbroken.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_optimizer_is_refused_in_one_line(tmp_path: Path) -> None:
    for first, then in (("adam", MUON), (MUON, "adam")):
        path = tmp_path / f"{first}.pt"
        trained(2, 4, path, first)
        with pytest.raises(ValueError, match="belongs to another optimizer") as caught:
            trained(4, 4, path, then)
        assert "\n" not in str(caught.value)
        assert load_checkpoint(path)["step"] == 2


@pytest.mark.parametrize("wrong", ["sgd", "", "Muon"])
def test_an_unknown_optimizer_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="give adam or muon"):
        RunOptions(optimizer=wrong)
