"""Several processes that share every batch: the same loss curve as one, agreement, and resuming after a death."""

from __future__ import annotations

import struct
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from preloaded import Preloaded
from trainings import two_processes

from nncodec.plugin.model_file import read_model_info
from nncodec.training import distributed
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.distributed import SINGLE_PROCESS, ProcessGroup, connected, local_device
from nncodec.training.log import CsvLog

# What torchrun runs, but for its workers being forked; it kills the second one when there is a checkpoint.
AGENT = """
import os, pathlib, signal, sys, threading, time
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from nncodec.cli import main

def work(*arguments):
    main(arguments, standalone_mode=False)

def kill():
    while not os.path.exists(checkpoint):
        time.sleep(0.02)
    first, second = pathlib.Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    os.kill(int(second), signal.SIGKILL)
    print("killed the second of two workers", file=sys.stderr, flush=True)

checkpoint, *arguments = sys.argv[1:]
threading.Thread(target=kill, daemon=True).start()
config = LaunchConfig(
    min_nodes=1, max_nodes=1, nproc_per_node=2, run_id="test", rdzv_backend="c10d", rdzv_endpoint="localhost:0",
    max_restarts=1, monitor_interval=0.05, start_method="fork",
)
elastic_launch(config, work)(*arguments)
"""


def test_shares_add_up_to_the_batch_and_differ_by_at_most_one() -> None:
    batch = np.arange(7, dtype=np.uint8)[:, None, None, None]
    shares = [ProcessGroup(rank, 3).share(batch) for rank in range(3)]
    assert [len(share) for share in shares] == [3, 2, 2]
    assert np.array_equal(np.concatenate(shares), batch)
    assert SINGLE_PROCESS.share(batch) is not None
    with pytest.raises(ValueError, match="a batch of 2 cannot be shared among 3 processes"):
        ProcessGroup(0, 3).share(batch[:2])


def test_a_process_reads_its_rank_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    assert ProcessGroup.from_environment() == SINGLE_PROCESS
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert ProcessGroup.from_environment() == ProcessGroup(1, 4, 2)
    assert not ProcessGroup.from_environment().is_first


@pytest.mark.parametrize(("size", "says"), [("abc", "'abc'"), ("2", "MASTER_ADDR")])
def test_variables_that_torchrun_has_not_set_are_told(monkeypatch: pytest.MonkeyPatch, size: str, says: str) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(ValueError, match=f"{says}.* unset them"):
        ProcessGroup.from_environment()


def test_an_unknown_device_is_one_line() -> None:
    assert local_device("cpu") == torch.device("cpu")
    for name in ("abacus", "meta", "cuda:99"):
        with pytest.raises(ValueError, match=name) as caught:
            local_device(name)
        assert "\n" not in str(caught.value)


def test_what_a_failed_step_holds_is_freed_before_the_group_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrapped:
        pass

    held: list[weakref.ref[Wrapped]] = []
    at_end: list[object] = []

    def step() -> None:
        wrapped = Wrapped()
        held.append(weakref.ref(wrapped))
        raise ValueError("too small")

    monkeypatch.setattr(distributed, "rendezvous", lambda *_: iter([(None, 0, 2)]))
    monkeypatch.setattr(dist, "PrefixStore", lambda *_: None)
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: at_end.append(held[0]()))
    with pytest.raises(ValueError, match="too small"), connected(ProcessGroup(0, 2), torch.device("cpu")):
        step()
    assert at_end == [None]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IDX file of 120 smooth grey pictures, 12 x 12."""
    folder = tmp_path_factory.mktemp("digits")
    rng = np.random.default_rng(0)
    waves = np.sin(rng.uniform(0.2, 1, (120, 1, 1)) * np.arange(12)[None, :, None] + np.arange(12)[None, None, :] / 3)
    pixels = (127 * (1 + waves)).astype(np.uint8)
    (folder / "digits").write_bytes(struct.pack(">HBB3I", 0, 8, 3, *pixels.shape) + pixels.tobytes())
    return folder / "digits"


def options(data: Path, output: Path, *further: object) -> list[str]:
    """Return the options of a small run of a model without batch normalisation."""
    fixed = ["--name", "digits", "--set", "latents=4", "--set", "loss=mse", "--batch-size", 15, "--learning-rate", 0.01]
    return [str(part) for part in ("train", "dense", data, "-o", output, *fixed, *further)]


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(digits: Path, tmp_path: Path, preloaded: Preloaded) -> None:
    # 15 pictures a batch: shares of 8 and 7, which must weigh as many pictures as they hold.
    alone, both = tmp_path / "alone.safetensors", tmp_path / "both.safetensors"
    single = preloaded.run(["-m", "nncodec", *options(digits, alone, "--steps", 50)], cwd=tmp_path)
    for done in (single, *two_processes(preloaded, options(digits, both, "--steps", 50), tmp_path)):
        assert done.returncode == 0, done.stderr
    for name in ("log.csv", "validation.csv"):
        curves = [CsvLog(path.with_suffix(".run") / name).rows() for path in (alone, both)]
        steps = [[row["step"] for row in curve] for curve in curves]
        assert steps[0] == steps[1]
        assert steps[0][-1] == 50
        losses = [np.array([row["loss"] for row in curve]) for curve in curves]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    log = CsvLog(alone.with_suffix(".run") / "log.csv").rows()
    assert len(log) == 10
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]  # it learned, so agreement says something
    weights = [load_checkpoint(path.with_suffix(".run") / "checkpoint.pt")["model"] for path in (alone, both)]
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-4) for name in weights[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="child processes are found in /proc")
def test_a_killed_worker_is_restarted_and_resumes_from_the_last_checkpoint(
    digits: Path, tmp_path: Path, preloaded: Preloaded
) -> None:
    output = tmp_path / "killed.safetensors"
    (tmp_path / "agent.py").write_text(AGENT)
    further = ["--steps", 150, "--set", "checkpoint_minutes=0.003"]
    checkpoint = str(output.with_suffix(".run") / "checkpoint.pt")
    done = preloaded.run(["agent.py", checkpoint, *options(digits, output, *further)], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert "killed the second of two workers" in said
    assert len([line for line in said if "resuming after step" in line]) == 1
    assert read_model_info(output).card["training"]["steps"] == 150
    steps = [row["step"] for row in CsvLog(output.with_suffix(".run") / "log.csv").rows()]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_one_line(digits: Path, tmp_path: Path, preloaded: Preloaded) -> None:
    command = options(digits, tmp_path / "x.safetensors", "--steps", 5, "--batch-size", 1)
    for done in two_processes(preloaded, command, tmp_path):
        assert done.returncode == 1
        said = [line for line in done.stderr.splitlines() if line.startswith("nncodec: a batch of 1 cannot be shared")]
        assert said == done.stderr.splitlines()[-1:]
