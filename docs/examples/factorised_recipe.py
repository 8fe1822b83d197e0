"""How `factorised_plugin` is trained: an orthogonal transform, and the spread of each channel, for rate and error."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from factorised_plugin import BLOCK, CHANNELS, LIMIT, STEP
from torch import Tensor, nn
from torch.distributions import Laplace
from torch.nn.utils.parametrizations import orthogonal

from nncodec.nn.quantize import add_uniform_noise, round_straight_through
from nncodec.plugin import ModelFile, Pixels
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe, TrainedModel
from nncodec.training.tasks import ModelTask
from nncodec.training.training_set import DataSummary


@dataclass(frozen=True)
class FactorisedSettings:
    weight: float = field(default=0.01, metadata={"help": "bits per pixel that one level of squared error is worth"})

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"weight is {self.weight}; give a number above 0")


class FactorisedTask(ModelTask):
    """The network with its loss: bits per pixel, and the weighted squared error."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.transform = orthogonal(nn.Linear(CHANNELS, CHANNELS, bias=False))
        self.log_scales = nn.Parameter(torch.zeros(CHANNELS))

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        latents = self._latents(pixels)
        noisy = add_uniform_noise(latents, generator)
        prior = Laplace(0.0, self.log_scales.exp()[:, None, None])
        likelihoods = (prior.cdf(noisy + 0.5) - prior.cdf(noisy - 0.5)).clamp(min=1e-9)
        rate_bpp = -likelihoods.log2().sum() / (pixels.shape[0] * pixels.shape[2] * pixels.shape[3])
        error = (self._pixels(round_straight_through(latents)) - pixels).square().mean() * 255**2
        figures = {"rate_bpp": rate_bpp.item(), "psnr_db": 48.13 - 10 * error.detach().clamp(min=1e-3).log10().item()}
        return rate_bpp + self.weight * error, figures

    @torch.inference_mode()
    def reconstruct(self, pixels: Tensor) -> Tensor:
        return self._pixels(self._latents(pixels).round()).clamp(0, 1)

    def _latents(self, pixels: Tensor) -> Tensor:
        count, _, height, width = pixels.shape
        blocks = (255 * pixels - 128).reshape(count, 3, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
        vectors = blocks.permute(0, 3, 5, 1, 2, 4).reshape(count, CHANNELS, height // BLOCK, width // BLOCK)
        return torch.einsum("kc,nchw->nkhw", self.transform.weight, vectors) / STEP

    def _pixels(self, latents: Tensor) -> Tensor:
        count, _, rows, columns = latents.shape
        vectors = torch.einsum("kc,nkhw->nchw", self.transform.weight, latents * STEP)
        blocks = vectors.reshape(count, BLOCK, BLOCK, 3, rows, columns).permute(0, 3, 4, 1, 5, 2)
        return (blocks.reshape(count, 3, rows * BLOCK, columns * BLOCK) + 128) / 255


class FactorisedRecipe(Recipe):
    """Sizes, settings and export; the engine reads pictures, trains, validates and writes the file."""

    settings = FactorisedSettings
    run = RunOptions(epochs=20, crop=64, learning_rate=1e-2)
    mode = "RGB"
    size = BLOCK

    def __init__(self, settings: FactorisedSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._weight, self._base = settings.weight, base

    def task(self) -> FactorisedTask:
        task = FactorisedTask(self._weight)
        if self._base is not None:
            basis, frequencies = self._base.tensors["basis"], self._base.tensors["frequencies"]
            task.transform.weight = torch.from_numpy(basis)
            task.log_scales.data = torch.tensor(_scales_of(frequencies)).log()
        return task

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        assert isinstance(task, FactorisedTask)
        scales = task.log_scales.detach().exp().double()[:, None]
        edges = torch.arange(-LIMIT, LIMIT + 2) - 0.5
        shares = Laplace(0.0, scales).cdf(edges.double()).diff(dim=1).numpy()
        basis = task.transform.weight.detach().numpy().astype(np.float32)
        return TrainedModel("factorised", {}, {"basis": basis, "frequencies": _tables_of(shares)})


def _tables_of(shares: np.ndarray) -> np.ndarray:
    """Return tables of 16 bits, all frequencies at least 1, with a last column for what lies outside."""
    counts = np.floor(shares * (65536 - 257)).astype(np.int64) + 1
    return np.column_stack([counts, 65536 - counts.sum(axis=1)]).astype(np.uint32)


def _scales_of(frequencies: np.ndarray) -> np.ndarray:
    """Return the scales of the Laplace distributions, by the share of zeros: 1 - exp(-1 / (2 * scale))."""
    zeros = np.clip(frequencies[:, LIMIT] / 65536, 1e-3, 0.999)
    return (-0.5 / np.log(1 - zeros)).astype(np.float32)
