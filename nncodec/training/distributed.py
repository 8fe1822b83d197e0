"""The processes of a data-parallel run: what each sees of a batch, and how they agree.

Started by `torchrun`, every process runs the same program with its own rank. A single process is the same thing with
a world of one, and communicates with nobody.

References:
    Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 2020.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from nncodec.plugin.latents import Pixels


@dataclass(frozen=True)
class Peers:
    """One process of a run and its peers.

    Args:
        rank: of this process, 0 is the first.
        world: how many there are.
        restarts: how often torchrun has started them anew.
    """

    rank: int = 0
    world: int = 1
    restarts: int = 0

    @classmethod
    def of_environment(cls) -> Peers:
        """Return what torchrun says in the environment; one process where it says nothing."""
        said = os.environ.get
        return cls(int(said("RANK", "0")), int(said("WORLD_SIZE", "1")), int(said("TORCHELASTIC_RESTART_COUNT", "0")))

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, batch: Pixels) -> Pixels:
        """Return this process's part of a batch, the first axis; parts differ by at most one.

        Raises:
            ValueError: the batch is too small for every process to have something.
        """
        if len(batch) < self.world:
            raise ValueError(f"a batch of {len(batch)} cannot be shared among {self.world} processes; enlarge it")
        return np.array_split(batch, self.world)[self.rank]

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process; all must ask."""
        if self.world == 1:
            return flag
        value = torch.tensor(float(flag), device=device)
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value.item())

    def from_first(self, value: float, device: torch.device) -> float:
        """Return the first process's value; all must ask."""
        if self.world == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared.item())

    def sums(self, values: Mapping[str, float], device: torch.device) -> dict[str, float]:
        """Return the sums over all processes of values by the same names; all must ask."""
        if self.world == 1 or not values:
            return dict(values)
        names = sorted(values)
        shared = torch.tensor([values[name] for name in names], dtype=torch.float64, device=device)
        dist.all_reduce(shared)
        return dict(zip(names, shared.tolist(), strict=True))

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.world > 1:
            dist.barrier()


ALONE = Peers()
"""A single process."""


def local_device(name: str) -> torch.device:
    """Return the device of this process: of several GPUs the one that torchrun's local rank says.

    Raises:
        ValueError: there is no such device here.
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
def joined(peers: Peers, device: torch.device) -> Iterator[None]:
    """Connect the processes for the length of the block: gloo between CPUs, NCCL between GPUs."""
    if peers.world == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store, _, _ = next(rendezvous("env://", peers.rank, peers.world))
    # torchrun keeps one store over all restarts, and what processes that died have left in it must not be met.
    store = dist.PrefixStore(f"attempt-{peers.restarts}", store)  # type: ignore[attr-defined]
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=peers.rank, world_size=peers.world)
    try:
        yield
    finally:
        dist.destroy_process_group()


class _Forward(nn.Module):
    """Makes the loss of a task its forward pass, which is what DistributedDataParallel calls."""

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task

    def forward(
        self, turn: int, pixels: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        loss: tuple[Tensor, dict[str, float]] = self.task.turn_loss(turn, pixels, progress, generator)
        return loss


def parallel(task: nn.Module, peers: Peers, device: torch.device) -> nn.Module:
    """Return a module whose forward is `task.turn_loss` and whose gradients are the mean over all processes."""
    wrapped = _Forward(task)
    if peers.world == 1:
        return wrapped
    # Unused parameters are looked for because a task may train different parts at different times.
    ids = [device] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(wrapped, device_ids=ids, find_unused_parameters=True)
