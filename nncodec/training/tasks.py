"""Training tasks: a network with its loss. The interface that the loop trains, and the task of plain autoencoders."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.prior import LogisticMixturePrior
from nncodec.nn.quantize import add_uniform_noise, round_straight_through
from nncodec.nn.tensors import load_weights
from nncodec.plugin.model_file import Tensors
from nncodec.training.losses import Loss

# The prior has a few numbers per channel that start far from their optimum: they learn this much faster than the
# network.
_PRIOR_RATE = 10.0
# Symbols are centred and scaled to this range before the prior sees them, whatever their number: its learning rate
# suits that.
_PRIOR_RANGE = 16.0

_M = TypeVar("_M", bound=nn.Module)


class TrainingTask(nn.Module, ABC):
    """A network with its loss.

    The loop calls `begin_step`, then `turn_loss` for each of the `turns`, each followed by an update, then `end_step`.
    Losses change neither what is trained nor which phase the training is in.
    """

    def begin_step(self, progress: float) -> None:
        """Prepare for a training step; a task with several phases changes its phase here.

        Every process calls it before the losses of a step; validation never does.

        Args:
            progress: how much of the training is done, 0..1.
        """

    @abstractmethod
    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of a batch and figures for the log.

        Args:
            pixels: (N, C, H, W) float32 in 0..1.
            progress: how much of the training is done, 0..1.
            generator: source of all randomness, seeded by the step.
        """

    @property
    def turns(self) -> int:
        """Number of updates per step, one after another on the same batch.

        It is more than one where parts of the task are trained against each other. The loop reads it after
        `begin_step`.
        """
        return 1

    def turn_loss(
        self, turn: int, pixels: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of update number `turn` of a step; number 0 is `loss`.

        An update changes only parameters that the loss depends on: those without a gradient stay as they are.
        """
        return self.loss(pixels, progress, generator)

    def end_step(self) -> None:
        """Bring the parameters back into the set that is allowed, after the last update of a step."""

    def rate_progress(self, progress: float) -> float:
        """Return the position of the learning rate on its cosine, 0..1; override for a training in several phases."""
        return progress

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return optimizer groups; override to train some parameters at another rate.

        A group with `tables` true holds parameters that are no matrices of a linear map: see `optimizers.Muon`.
        """
        return [{"params": list(self.parameters()), "lr": learning_rate}]


class ModelTask(TrainingTask):
    """A training task that can also show what a decoder would make of a batch."""

    @property
    def comparable(self) -> bool:
        """Whether losses of different steps tell which weights are better; if not, the latest count as the best."""
        return True

    @abstractmethod
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Return what a decoder would show of a batch (N, C, H, W) in 0..1, for the grid of samples."""

    def require_size(self, height: int, width: int) -> None:
        """Raise ValueError with a one-line message if the task cannot learn from crops of this size, pixels."""

    def sample_rows(self, pixels: Tensor) -> list[Tensor]:
        """Return the rows of a grid of samples, each (N, C, H, W): originals, then what a decoder would show."""
        return [pixels, self.reconstruct(pixels)]


class AutoencoderTask(ModelTask):
    """Reconstruction through the quantizer, optionally with the rate of the codes.

    The rate is that of noisy codes under a factorised prior, one learned density per channel. A general compressor
    such as Zstandard does not know these densities, but it packs codes of a low rate well.

    Args:
        network: to train.
        loss: of the reconstruction.
        plain_share: weight of the same loss without quantization, 0..1; it keeps the network good on both paths.
        rate: weight of the codes' rate, in bits per pixel, beside the loss; 0 leaves the prior out.

    References:
        Ballé et al., "Variational image compression with a scale hyperprior", ICLR 2018, for the factorised prior.
    """

    def __init__(self, network: Autoencoder, loss: Loss, plain_share: float = 0.0, rate: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.plain_share = plain_share
        self.rate = rate
        self._loss = loss
        self.prior = LogisticMixturePrior(len(network.quantizer.log_scale)) if rate else None

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted loss and its parts."""
        symbols = self.network.quantizer.symbols(self.network.encoder(pixels))
        restored = self._decoded(round_straight_through(symbols))
        total = self._loss(restored, pixels)
        error = (restored.detach().clamp(0, 1) - pixels).square().mean(dim=(1, 2, 3))
        figures = {"distortion": total.item(), "psnr_db": (-10 * error.clamp(min=1e-10).log10()).mean().item()}
        if self.plain_share:
            plain = self._loss(self._decoded(symbols), pixels)
            figures["unquantized"] = plain.item()
            total = (1 - self.plain_share) * total + self.plain_share * plain
        if self.prior is not None:
            levels = self.network.quantizer.levels
            step = torch.tensor(_PRIOR_RANGE / levels, device=pixels.device)
            noisy = add_uniform_noise(symbols.float(), generator) - levels / 2
            rate_bpp = self.prior.rate_bits(noisy * step, step).mean() / (pixels.shape[2] * pixels.shape[3])
            figures["rate_bpp"] = rate_bpp.item()
            total = total + self.rate * rate_bpp
        return total, figures

    @torch.inference_mode()
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """See `ModelTask.reconstruct`."""
        restored: Tensor = self.network(pixels)
        return restored.float().clamp(0, 1)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the network and, if there is one, the prior, with their learning rates."""
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters()), "lr": learning_rate}]
        if self.prior is not None:
            groups.append({"params": list(self.prior.parameters()), "lr": _PRIOR_RATE * learning_rate})
        return groups

    def _decoded(self, symbols: Tensor) -> Tensor:
        restored: Tensor = self.network.decoder(self.network.quantizer.codes(symbols))
        return restored.float()


@contextlib.contextmanager
def evaluating(task: nn.Module) -> Iterator[None]:
    """Put a task into evaluation mode within the block."""
    before = task.training
    task.eval()
    try:
        yield
    finally:
        task.train(before)


def start_from(module: _M, tensors: Tensors, prefix: str = "") -> _M:
    """Load the tensors of a model file into a module, in place, and make it ready for further training.

    Args, Raises: see `nncodec.nn.tensors.load_weights`.
    """
    return load_weights(module, tensors, prefix).requires_grad_(True).train()
