"""The loop: it learns, resumes exactly, survives damage and stops on nonsense."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nncodec.training.checkpoint import load_checkpoint, previous_of, save_checkpoint
from nncodec.training.events import Advanced, Event
from nncodec.training.loop import TrainingDiverged, fit
from nncodec.training.options import LoopOptions, Schedule
from nncodec.training.sampling import ArraySampler
from nncodec.training.tasks import TrainingTask

PICTURES = np.random.default_rng(0).integers(0, 256, (32, 4, 4, 1), np.uint8)


class Mean(TrainingTask):
    """Learns one number: the mean of what it sees, through noise from the loop's generator."""

    def __init__(self, poison_at: float = 2.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))
        self.poison_at = poison_at

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        noise = 0.01 * torch.rand((), generator=generator)
        loss = (pixels - self.value + noise).square().mean()
        if progress >= self.poison_at:
            loss = loss * torch.nan
        return loss, {"progress": progress}


class StepReached:
    """Whether a run has taken so many steps, as `cancel` asks; `watch` receives its events."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 0

    def watch(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self._step = event.step

    def __call__(self) -> bool:
        return self._step >= self._steps


def run(checkpoint: Path | None, steps: int, total: int, log: Path | None = None) -> Mean:
    """Train until `steps` of a schedule of `total` steps and return the task."""
    task = Mean()
    options = LoopOptions(checkpoint=checkpoint, log=log, log_steps=1)

    reached = StepReached(steps)
    schedule = Schedule(0.05, steps=total, warmup_steps=1)
    fit(task, ArraySampler(PICTURES, 8, seed=1), schedule, options, on_event=reached.watch, cancel=reached)
    return task


def test_the_loop_learns(tmp_path: Path) -> None:
    task = run(None, 150, 150)
    assert task.value.item() == pytest.approx(PICTURES.mean() / 255, abs=0.02)


def test_a_resumed_run_ends_exactly_where_an_unbroken_one_does(tmp_path: Path) -> None:
    unbroken = run(tmp_path / "a.pt", 40, 40)
    run(tmp_path / "b.pt", 17, 40)
    resumed = run(tmp_path / "b.pt", 40, 40)
    assert torch.equal(unbroken.value, resumed.value)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save_checkpoint(path, {"step": 1, "elapsed_s": 0.0, "model": {}, "optimizer": {}})
    save_checkpoint(path, {"step": 2, "elapsed_s": 0.0, "model": {}, "optimizer": {}})
    assert load_checkpoint(path)["step"] == 2
    path.write_bytes(path.read_bytes()[:100])
    assert load_checkpoint(path)["step"] == 1
    path.unlink()
    assert load_checkpoint(path)["step"] == 1
    previous_of(path).write_bytes(b"")
    with pytest.raises(ValueError, match="no usable checkpoint") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.pt"
    torch.save({"format": 1, "step": 1, "elapsed_s": 0.0, "model": print, "optimizer": {}}, path)
    with pytest.raises(ValueError, match="no usable checkpoint"):
        load_checkpoint(path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.pt"
    save_checkpoint(path, {"step": 1, "elapsed_s": 0.0, "model": {"other": torch.zeros(1)}, "optimizer": {}})
    with pytest.raises(ValueError, match="another network"):
        run(path, 5, 5)


def test_a_failed_write_keeps_the_last_checkpoint_and_leaves_no_debris(tmp_path: Path) -> None:
    path = tmp_path / "f.pt"
    save_checkpoint(path, {"step": 1, "elapsed_s": 0.0, "model": {}, "optimizer": {}})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"step": 2, "elapsed_s": 0.0, "model": lambda: None, "optimizer": {}})
    assert load_checkpoint(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["f.pt"]


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "g.pt"
    run(path, 5, 100)
    with pytest.raises(TrainingDiverged, match="step 50"):
        fit(
            Mean(poison_at=0.5),
            ArraySampler(PICTURES, 8, seed=1),
            Schedule(0.05, steps=100),
            LoopOptions(checkpoint=path),
        )
    assert load_checkpoint(path)["step"] == 5


class Cliff(Mean):
    """Has a finite loss whose gradient is not."""

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return self.value.abs().sqrt().sum(), {}


def test_a_gradient_that_is_not_a_number_stops_the_run_before_it_reaches_the_weights() -> None:
    task = Cliff()
    with pytest.raises(TrainingDiverged, match="gradient"):
        fit(task, ArraySampler(PICTURES, 8, seed=1), Schedule(0.05, steps=10), LoopOptions())
    assert task.value.item() == 0


def test_an_interrupt_saves_before_it_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "h.pt"

    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced) and event.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            Mean(),
            ArraySampler(PICTURES, 8, seed=1),
            Schedule(0.05, steps=100),
            LoopOptions(checkpoint=path, log_steps=1),
            on_event=interrupt,
        )
    assert load_checkpoint(path)["step"] == 7


def test_ctrl_c_is_heard_after_the_step_and_its_handler_is_put_back(tmp_path: Path) -> None:
    path = tmp_path / "k.pt"
    before = signal.getsignal(signal.SIGINT)

    class Interrupted(Mean):
        def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            if progress >= 0.5:
                signal.raise_signal(signal.SIGINT)  # in the midst of a step
            return super().loss(pixels, progress, generator)

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), ArraySampler(PICTURES, 8, seed=1), Schedule(0.05, steps=20), LoopOptions(checkpoint=path))
    state = load_checkpoint(path)
    assert state["step"] == 11  # the step that was begun is finished
    assert state["optimizer"]["state"][0]["step"] == 11
    assert signal.getsignal(signal.SIGINT) is before


def test_a_task_decides_how_far_its_learning_rate_has_fallen() -> None:
    class Still(Mean):
        def rate_progress(self, progress: float) -> float:
            return 1.0  # at its end from the beginning

    tasks = Mean(), Still()
    for task in tasks:
        schedule = Schedule(0.01, steps=5, warmup_steps=0, final_share=0.0)
        fit(task, ArraySampler(PICTURES, 8, seed=1), schedule, LoopOptions())
    assert tasks[0].value.item() > 0.02
    assert tasks[1].value.item() == 0


class Rivals(TrainingTask):
    """Two numbers that take turns; the second learns the first, as it is after its own turn."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, float]] = []
        self.calls: list[str] = []

    @property
    def turns(self) -> int:
        return 2

    def begin_step(self, progress: float) -> None:
        self.calls.append("begin")

    def end_step(self) -> None:
        self.calls.append("end")

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return (self.first - 1).square().sum(), {"first": 1.0}

    def turn_loss(
        self, turn: int, pixels: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        self.seen.append((turn, self.first.item()))
        self.calls.append(f"turn {turn}")
        if turn == 0:
            return self.loss(pixels, progress, generator)
        return (self.second - self.first.detach()).square().sum(), {"second": 2.0}


def test_turns_follow_each_other_on_one_batch_and_change_what_gets_gradients_only() -> None:
    task = Rivals()
    events: list[Event] = []
    fit(
        task,
        ArraySampler(PICTURES, 8, seed=1),
        Schedule(0.1, steps=2, warmup_steps=0, final_share=1.0),
        LoopOptions(log_steps=1),
        on_event=events.append,
    )
    assert task.calls == 2 * ["begin", "turn 0", "turn 1", "end"]
    values = [value for _, value in task.seen]
    assert values == pytest.approx([0, 0.1, 0.1, 0.2], abs=0.01)  # Adam's first steps are as long as its rate
    assert isinstance(events[0], Advanced)
    assert events[0].figures == {"loss": 1.0, "first": 1.0, "second": 2.0}


def test_the_log_has_a_row_an_interval_and_one_head_across_sessions(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    run(tmp_path / "i.pt", 3, 6, log)
    run(tmp_path / "i.pt", 6, 6, log)
    rows = log.read_text().splitlines()
    assert rows[0].startswith("step,elapsed_s,loss")
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3", "4", "5", "6"]


def test_a_schedule_warms_up_then_falls_to_its_final_share() -> None:
    schedule = Schedule(1.0, steps=1000, warmup_steps=100, final_share=0.1)
    assert schedule.rate_factor(0, 0.0) == pytest.approx(0.01)
    assert schedule.rate_factor(99, schedule.progress(99, 0)) > 0.97
    assert schedule.rate_factor(1000, 1.0) == pytest.approx(0.1)
    assert Schedule(1.0, steps=10, warmup_steps=0).rate_factor(0, 0.0) == 1
    assert Schedule(1.0, minutes=2).progress(5, 60) == 0.5
    with pytest.raises(ValueError, match="steps or minutes"):
        Schedule(1.0).progress(0, 0)
