"""Data-parallel training: how processes share a batch and agree on what they do.

`torchrun` starts several processes of the same program, each with its own rank. A single process is a group of one and
communicates with nobody.

References:
    Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import Pixels
from nncodec.training.guarding import guarded
from nncodec.training.tasks import TrainingTask


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run, seen from one of them.

    Args:
        rank: of this process; 0 is the first.
        world_size: number of processes.
        restarts: how often torchrun has restarted them.
    """

    rank: int = 0
    world_size: int = 1
    restarts: int = 0

    @classmethod
    def from_environment(cls) -> ProcessGroup:
        """Return the group that torchrun describes in the environment; a single process without torchrun.

        Raises:
            ValueError: torchrun has not set these variables.
        """
        get = os.environ.get
        try:
            rank, size = int(get("RANK", "0")), int(get("WORLD_SIZE", "1"))
            if size > 1 and not (get("MASTER_ADDR") and get("MASTER_PORT")):
                raise ValueError("there is no MASTER_ADDR and MASTER_PORT")
            return cls(rank, size, int(get("TORCHELASTIC_RESTART_COUNT", "0")))
        except ValueError as error:
            reason = f"RANK and WORLD_SIZE are not as torchrun sets them ({error}); unset them, or use torchrun"
            raise ValueError(reason) from None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and reports events."""
        return self.rank == 0

    def share(self, batch: Pixels) -> Pixels:
        """Return this process's share of a batch, along the first axis; sizes of shares differ by at most one.

        Raises:
            ValueError: the batch has fewer pictures than there are processes.
        """
        if len(batch) < self.world_size:
            raise ValueError(f"a batch of {len(batch)} cannot be shared among {self.world_size} processes; enlarge it")
        return np.array_split(batch, self.world_size)[self.rank]

    def any(self, flag: bool, device: torch.device) -> bool:
        """Return whether the flag is set in any process; every process must call this."""
        if self.world_size == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value.item())

    def from_first(self, value: float, device: torch.device) -> float:
        """Return the first process's value; every process must call this."""
        if self.world_size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def sums(self, values: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """Return the sums of values by name over all processes; every process must call this."""
        if self.world_size == 1 or not values:
            return dict(values)
        names = sorted(values)
        shared = torch.tensor([values[name] for name in names], dtype=torch.float64, device=device)
        dist.all_reduce(shared)
        return dict(zip(names, shared.tolist(), strict=True))

    def wait(self) -> None:
        """Wait until every process has called this."""
        if self.world_size > 1:
            dist.barrier()


SINGLE_PROCESS = ProcessGroup()
"""A single process."""


def local_device(name: str) -> torch.device:
    """Return the device of this process; of several GPUs, the one of torchrun's local rank.

    Raises:
        ValueError: there is no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"there is no device {name!r}; give cpu, cuda, cuda:1 or another that torch knows") from None
    try:
        if device.type == "cuda" and device.index is None and torch.cuda.device_count() > 1:
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"cannot train on the device {name!r}: {lines[0]}") from error
    if device.type == "meta":
        raise ValueError("the device 'meta' computes nothing; use 'cpu' or 'cuda'")
    return device


@contextlib.contextmanager
def connected(processes: ProcessGroup, device: torch.device) -> Iterator[None]:
    """Connect the processes within the block: by gloo between CPUs, by NCCL between GPUs."""
    if processes.world_size == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store, _, _ = next(rendezvous("env://", processes.rank, processes.world_size))
    # torchrun keeps one store over all restarts; entries that dead processes left in it must not be found.
    store = dist.PrefixStore(f"attempt-{processes.restarts}", store)  # type: ignore[attr-defined]
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=processes.rank, world_size=processes.world_size)
    try:
        yield
    except BaseException as error:
        # The frames of a traceback keep the wrapped task, and with it the group beyond its end. Freed then, the group
        # waits for a thread of gloo that waits for the interpreter's lock, for ever.
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        dist.destroy_process_group()


class _Forward(nn.Module):
    """Exposes the loss of a task as a forward pass, which DistributedDataParallel calls."""

    def __init__(self, task: TrainingTask, guard: PluginGuard) -> None:
        super().__init__()
        self.task = task
        self.guard = guard

    def forward(
        self, turn: int, pixels: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        return guarded(self.guard, self.task.turn_loss, turn, pixels, progress, generator)


def parallel(task: TrainingTask, processes: ProcessGroup, device: torch.device, guard: PluginGuard) -> nn.Module:
    """Return a module whose forward is `task.turn_loss`, guarded, and whose gradients are the mean over processes."""
    wrapped = _Forward(task, guard)
    if processes.world_size == 1:
        return wrapped
    # A task may train different parts at different times, so some parameters are unused in a step.
    ids = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(wrapped, device_ids=ids, find_unused_parameters=True)
