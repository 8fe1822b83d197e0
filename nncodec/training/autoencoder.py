"""The training task of plain autoencoders."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.prior import LogisticMixturePrior
from nncodec.nn.quantize import add_uniform_noise, round_straight_through
from nncodec.nn.tensors import load_weights
from nncodec.plugin.model_file import Tensors
from nncodec.training.losses import Loss
from nncodec.training.recipe import ModelTask

# A few numbers a channel that start far from their optimum: they learn this much faster than the network.
_PRIOR_RATE = 10.0
# The prior sees the range of symbols as this wide and centred, whatever their number: its learning rate suits that.
_PRIOR_RANGE = 16.0

_M = TypeVar("_M", bound=nn.Module)


class AutoencoderTask(ModelTask):
    """Reconstruction through the quantizer, and where it is asked for the rate of the codes.

    The rate is that of noisy codes under a factorised prior, one learned density a channel. A general compressor such
    as Zstandard does not know these densities, but codes that few bits tell are those it packs well.

    Args:
        network: what is trained.
        loss: of the reconstruction.
        plain_share: weight of the same loss without quantization, 0..1; it keeps the network good on both paths.
        rate: weight of the codes' rate, in bits a pixel, beside the loss; 0 leaves the prior out.

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
        """Return the network and, where there is one, the prior, with their learning rates."""
        groups: list[dict[str, Any]] = [{"params": list(self.network.parameters()), "lr": learning_rate}]
        if self.prior is not None:
            groups.append({"params": list(self.prior.parameters()), "lr": _PRIOR_RATE * learning_rate})
        return groups

    def _decoded(self, symbols: Tensor) -> Tensor:
        restored: Tensor = self.network.decoder(self.network.quantizer.codes(symbols))
        return restored.float()


def start_from(module: _M, tensors: Tensors, prefix: str = "") -> _M:
    """Put the tensors of a model file into a module, in place, and make it ready to be trained further.

    Args, Raises: see `nncodec.nn.tensors.load_weights`.
    """
    return load_weights(module, tensors, prefix).requires_grad_(True).train()
