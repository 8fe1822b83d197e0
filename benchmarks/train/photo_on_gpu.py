"""Train `hyperprior/photo` on a GPU, with a whole step as one CUDA graph.

    python -m benchmarks.train.photo_on_gpu photo.safetensors more.safetensors pictures --minutes 10

The task is that of `nncodec train hyperprior --device cuda`. There a step is thousands of small operations, and a large
GPU waits for Python most of the time; here it repeats them by itself, and processes cut the crops. Batches have their
qualities evenly over the scale. The optimizer is SOAP, see `soap`, at a learning rate that is constant for three tenths
of the time and then falls in a straight line to 1%. The weights are a moving average; tables are fitted at last.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from tqdm import tqdm  # type: ignore[import-untyped]

from benchmarks.measuring.data import HELD_BACK
from benchmarks.train.soap import Soap
from nncodec._support.files import require_writable
from nncodec.errors import InvalidOption
from nncodec.plugin.device import chosen_device
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelInfo, read_model, write_model
from nncodec.training.averaging import WeightAverage
from nncodec.training.data import in_mode, list_pictures, read_picture, split_by_name
from nncodec.training.sampling import CropSampler, draw_pictures
from nncodec_hyperprior.config import HYPER_STRIDE, model_config
from nncodec_hyperprior.objective import LOOKS
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import network_from
from nncodec_hyperprior.training import HyperpriorTask, MixedRounding, mean_cost

_NAME = "trained/on-gpu"
_EMA_DECAY = 0.998
_CONSTANT, _LAST_RATE = 0.3, 0.01
_WARM_UP = 200  # steps
_FIRST_BATCHES = 12  # for the first statistics
_REFRESH_STEPS, _REFRESH_SHARE = 20, 0.15  # new bases: least steps between them, and most of the time
_REPORT_STEPS = 100
_TABLE_PIXELS = 8_000_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="model file of the architecture hyperprior to start from")
    parser.add_argument("output", type=Path, help="model file to write, .safetensors")
    parser.add_argument("pictures", type=Path, help="folder of pictures; those held back are not used")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=None, help="at most so many")
    parser.add_argument("--loss", default=LOOKS)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=12, help="processes that cut crops")
    parser.add_argument("--device", default="cuda", help="on the processor, steps are computed one by one")
    options = parser.parse_args(arguments)
    try:
        chosen_device(options.device)
        require_writable(options.output)  # not after minutes of training
        paths, _ = split_by_name(list_pictures(options.pictures), HELD_BACK)
    except (InvalidOption, ValueError, OSError) as error:
        parser.error(str(error))
    with ThreadPoolExecutor() as readers:
        pictures = list(readers.map(lambda path: in_mode(read_picture(path), "RGB"), paths))
    written = trained(pictures, options)
    print(f"{written.path}: {written.name}, digest {written.digest[:16]}")


def trained(pictures: list[Pixels], options: argparse.Namespace) -> ModelInfo:
    """Train on pictures (H, W, 3) as the options say, and write the model."""
    sampler = CropSampler(
        pictures, options.batch_size, options.crop, options.seed, grey_share=0.0, multiple=HYPER_STRIDE
    )
    device = torch.device(options.device)
    # The processes start before the GPU is used: afterwards they could not be forked.
    batches = iter(
        DataLoader(_Crops(sampler), batch_size=None, num_workers=options.workers, pin_memory=device.type == "cuda")
    )
    torch.manual_seed(options.seed)
    network = network_from(read_model(options.base))
    network.config = replace(network.config, loss=options.loss)
    task = HyperpriorTask(network).to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    _train(task, batches, device, options)
    network.to("cpu").eval()
    tensors = packed_tensors(network, draw_pictures(pictures, _TABLE_PIXELS), print)
    return write_model(
        options.output,
        architecture="hyperprior",
        config=model_config(network.config),
        name=_NAME,
        card={},
        tensors=tensors,
    )


class _Crops(IterableDataset[Tensor]):
    """The batches of a sampler, uint8 (N, H, W, 3); each process cuts its share of them."""

    def __init__(self, sampler: CropSampler) -> None:
        self._sampler = sampler

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        step, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            yield torch.from_numpy(np.ascontiguousarray(self._sampler.batch(step)))
            step += stride


def _train(task: HyperpriorTask, batches: Iterator[Tensor], device: torch.device, options: argparse.Namespace) -> None:
    """Move the task's parameters; they end as their moving average."""
    torch.backends.cudnn.benchmark = True
    # A graph cannot ask whether any picture codes the detail channels; in a batch over all qualities, some do.
    with mock.patch.object(Tensor, "any", return_value=True):
        step = _Step(task, next(batches).to(device), functools.partial(next, batches))
        average = WeightAverage(step.optimizer.parameters, _EMA_DECAY)
        step.record()
        refresh_steps = _REFRESH_STEPS
        start = time.monotonic()
        with tqdm(unit="step") as bar:
            while (elapsed_s := time.monotonic() - start) < 60 * options.minutes and bar.n != options.steps:
                progress = elapsed_s / (60 * options.minutes)
                step(options.learning_rate * _rate_factor(bar.n, progress))
                average.update()
                bar.update()
                if bar.n % _REPORT_STEPS == 0:
                    bar.set_postfix_str(step.figures())
                if bar.n % refresh_steps == 0:
                    refresh_s = _seconds_of(step.optimizer.refresh_bases, device)
                    step_s = (time.monotonic() - start) / bar.n
                    refresh_steps = max(_REFRESH_STEPS, math.ceil(refresh_s / (_REFRESH_SHARE * step_s)))
    average.apply()
    if skipped := int(step.optimizer.skipped.item()):
        print(f"{skipped:,} steps had gradients that were not finite")


def _rate_factor(step: int, progress: float) -> float:
    falling = _LAST_RATE + (1 - _LAST_RATE) * (1 - progress) / (1 - _CONSTANT)
    return min(1.0, falling) * min(1.0, (step + 1) / _WARM_UP)


def _seconds_of(work: Callable[[], None], device: torch.device) -> float:
    _wait(device)
    start = time.monotonic()
    work()
    _wait(device)
    return time.monotonic() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _Step:
    """A training step: gradients and the optimizer, on a GPU as a graph of what it once did.

    Args:
        task: on its device.
        batch: the first one; later ones are copied into its memory.
        next_batch: returns the others, (N, H, W, 3), on the processor.
    """

    def __init__(self, task: HyperpriorTask, batch: Tensor, next_batch: Callable[[], Tensor]) -> None:
        self._task = task
        self._batch = batch
        self._next_batch = next_batch
        self._strata = torch.arange(len(batch), device=batch.device)
        self._sums = torch.zeros(4, device=batch.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self.optimizer = self._started()

    def __call__(self, rate: float) -> None:
        """Take a step on the next batch."""
        self._batch.copy_(self._next_batch(), non_blocking=True)
        self.optimizer.set_rate(rate)
        if self._graph is None:
            self._update()
        else:
            self._graph.replay()

    def record(self) -> None:
        """Record the graph, on a GPU; nothing moves."""
        if self._batch.device.type == "cuda":
            self._graph = torch.cuda.CUDAGraph()
            # Other threads, such as the one that pins batches, may go on meanwhile.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._update()

    def figures(self) -> str:
        """Return averages since the last call."""
        loss, rate_bpp, psnr_db, steps = self._sums.tolist()
        self._sums.zero_()
        return f"loss {loss / steps:.4f}, {rate_bpp / steps:.4g} bpp, {psnr_db / steps:.4g} dB"

    def _started(self) -> Soap:
        """Return the optimizer with bases of some batches.

        Torch asks for a stream of its own for what precedes a graph.
        """
        is_cuda = self._batch.device.type == "cuda"
        stream = torch.cuda.Stream() if is_cuda else None  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            optimizer: Soap | None = None
            for number in range(_FIRST_BATCHES):
                self._batch.copy_(self._next_batch())
                self._gradients()
                optimizer = optimizer or Soap(self._task.parameter_groups(1.0))
                for stack in optimizer.stacks:
                    stack.count(1 / (number + 1))
        _wait(self._batch.device)
        assert optimizer is not None
        for stack in optimizer.stacks:
            stack.find_bases()
        return optimizer

    def _update(self) -> None:
        self._gradients()
        self.optimizer.step()

    def _gradients(self) -> None:
        for parameter in self._task.parameters():
            parameter.grad = None
        count = len(self._batch)
        quality = (self._strata + torch.rand(count, device=self._batch.device)) * (100 / count)
        pixels = self._batch.permute(0, 3, 1, 2).float().div(255)
        costs = self._task.costs(pixels, quality, MixedRounding(None))
        loss = mean_cost(costs.total_bpp)
        loss.backward()  # type: ignore[no-untyped-call]
        figures = loss.detach(), costs.rate_bpp.mean(), costs.psnr_db.mean(), torch.ones_like(loss)
        self._sums += torch.stack(figures).detach()


__all__ = ["main", "trained"]

if __name__ == "__main__":
    main()
