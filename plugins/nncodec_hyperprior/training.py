"""The training task of the hyperprior codec."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.precision import all_of_float32
from nncodec.nn.quantize import add_uniform_noise, round_straight_through
from nncodec.training.tasks import ModelTask
from nncodec_hyperprior.coding import Rounding, code_latents, hard_rounding
from nncodec_hyperprior.config import HYPER_STRIDE
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.objective import Distortion

# Gains are few and act on everything; the prior starts from random weights, the transforms from a DCT.
_GAIN_RATE = 3.0
_PRIOR_RATE = 2.0

# A loss is divided by its root, or by a quarter of itself where that is larger: hard graphics at high qualities have
# errors a thousand times those of photographs.
_LARGEST_ROOT_SHARE = 1 / 4
# Quality of the sample grid.
_SHOWN_QUALITY = 50.0


class Costs(NamedTuple):
    """What pictures cost, (N,) each."""

    total_bpp: Tensor  # rate + lambda x distortion, with gradients
    rate_bpp: Tensor
    hyper_bpp: Tensor  # the part of the hyper-latents in the rate
    psnr_db: Tensor


class HyperpriorTask(ModelTask):
    """Rate and distortion over all qualities at once: each picture of a batch draws a quality.

    Noisy latents give the rate, rounded ones the distortion. In evaluation mode rounded latents give both, as in a
    file; learning from that, even in the last tenth of a training, makes files larger at equal quality. Contexts always
    see what the decoder sees. Pictures may be grey, (N, 1, H, W), and of any size: they are replicated and padded as in
    the encoder, and padding counts as rate but not as distortion.

    References:
        Minnen and Singh, "Channel-wise autoregressive entropy models", ICIP 2020, section 3.2 (mixed quantization).
    """

    def __init__(self, network: HyperpriorNetwork) -> None:
        super().__init__()
        self.network = network
        self._distortion = Distortion(network.config.loss)

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return rate + lambda x distortion, each picture weighted by the inverse root of its loss."""
        quality = 100 * torch.rand(len(pixels), generator=generator, device=pixels.device)
        costs = self.costs(pixels, quality, MixedRounding(generator) if self.training else hard_rounding)
        figures = {
            "rate_bpp": costs.rate_bpp.mean().item(),
            "hyper_bpp": costs.hyper_bpp.mean().item(),
            "psnr_db": costs.psnr_db.mean().item(),
            "rd": costs.total_bpp.mean().item(),
        }
        return mean_cost(costs.total_bpp), figures

    def costs(self, pixels: Tensor, quality: Tensor, rounding: Rounding) -> Costs:
        """Return what each picture of a batch costs at a quality of its own.

        Args:
            pixels: (N, 1 or 3, H, W) in 0..1.
            quality: (N,).
            rounding: of latents; see `code_latents`.
        """
        height, width = pixels.shape[2:]
        decoded, latent_bits, hyper_bits = self._coded(pixels, quality, rounding)
        rate_bpp = (latent_bits + hyper_bits) / (height * width)
        weight = self.network.transforms.distortion_weight(quality)
        mse = ((decoded.detach() - pixels) * 255).square().mean(dim=(1, 2, 3))
        return Costs(
            rate_bpp + self._distortion(decoded, pixels, weight),
            rate_bpp.detach(),
            hyper_bits.detach() / (height * width),
            48.13 - 10 * mse.clamp(min=1e-2).log10(),
        )

    def require_size(self, height: int, width: int) -> None:
        """See `ModelTask.require_size`."""
        if min(height, width) < self._distortion.smallest_edge:
            loss = self.network.config.loss
            raise ValueError(f"crops of {width} x {height} pixels are too small for the loss {loss!r}; use --loss mse")

    @torch.no_grad()
    def reconstruct(self, pixels: Tensor, quality: float = _SHOWN_QUALITY) -> Tensor:
        """See `ModelTask.reconstruct`."""
        qualities = torch.full((len(pixels),), quality, device=pixels.device)
        decoded = self._coded(pixels, qualities, hard_rounding)[0].clamp(0, 1)
        return decoded if pixels.shape[1] > 1 else decoded.mean(1, keepdim=True)

    def _coded(self, pixels: Tensor, quality: Tensor, rounding: Rounding) -> tuple[Tensor, Tensor, Tensor]:
        """Return decoded pixels (N, 3, H, W), bits of the latents (N,) and of the hyper-latents (N,)."""
        transforms, prior = self.network.transforms, self.network.prior
        height, width = pixels.shape[2:]
        latents = transforms.analysis(_padded(pixels)) * transforms.gain(quality)
        with all_of_float32(pixels.device):
            hyper = prior.hyper_analysis(latents, prior.planes(quality))
            decodable, latent_bits, hyper_bits = code_latents(prior, latents, hyper, quality, rounding)
        decoded = transforms.synthesis(decodable * transforms.inverse_gain(quality), quality)
        return decoded[:, :, :height, :width], latent_bits, hyper_bits

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return transforms, prior and gains with their learning rates."""
        transforms = self.network.transforms
        gains = [transforms.log_gain, transforms.log_rescale]
        densities = [self.network.prior.hyper_location, self.network.prior.hyper_log_scale]
        special = {id(parameter) for parameter in (*gains, *densities)}
        ordinary = [parameter for parameter in transforms.parameters() if id(parameter) not in special]
        prior = [parameter for parameter in self.network.prior.parameters() if id(parameter) not in special]
        return [
            {"params": ordinary, "lr": learning_rate},
            {"params": prior, "lr": _PRIOR_RATE * learning_rate},
            {"params": gains, "lr": _GAIN_RATE * learning_rate, "tables": True},
            {"params": densities, "lr": 10 * learning_rate, "tables": True},
        ]


def mean_cost(total_bpp: Tensor) -> Tensor:
    """Return the mean over pictures, each weighted so that high rates, which cost more, do not dominate every step."""
    size = total_bpp.detach()
    return (total_bpp / torch.maximum(size.sqrt(), _LARGEST_ROOT_SHARE * size)).mean()


class MixedRounding:
    """Rounds decoded symbols, with gradients passing through; noisy symbols give the rate.

    Args:
        generator: source of the noise; None for torch's own.
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        self._generator = generator

    def __call__(self, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Return symbols and the noisy values whose bits are counted; see `code_latents`."""
        return round_straight_through(distance), add_uniform_noise(distance, self._generator)


def _padded(pixels: Tensor) -> Tensor:
    """Return pictures as core passes them to the encoder: three planes, edges repeated to whole hyper-latents."""
    below, right = (-size % HYPER_STRIDE for size in pixels.shape[2:])
    if below or right:
        pixels = F.pad(pixels, (0, right, 0, below), mode="replicate")
    if pixels.shape[1] == 1:
        pixels = pixels.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    return pixels
