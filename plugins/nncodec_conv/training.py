"""The training task of the photo network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nncodec.nn.quantize import add_uniform_noise, round_straight_through
from nncodec.training.tasks import ModelTask
from nncodec_conv.photo_network import PhotoNetwork

# Gains and densities are few and start far from their optimum: they learn this much faster than the transforms.
_PRIOR_RATE = 10.0
_GAIN_RATE = 3.0
# What the grid of samples shows.
_SHOWN_QUALITY = 50.0


class PhotoTask(ModelTask):
    """Rate and distortion over all qualities at once: each picture of a batch draws its own quality.

    The rate is that of noisy latents, the distortion that of rounded ones; for the last `hard_share` of the training
    both use rounded latents.

    References:
        Minnen and Singh, "Channel-wise autoregressive entropy models", ICIP 2020, section 3.2 (mixed quantization).
    """

    def __init__(self, network: PhotoNetwork, hard_share: float = 0.1) -> None:
        super().__init__()
        self.network = network
        self.hard_share = hard_share

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return rate + lambda x distortion, with each picture weighted by the inverse root of its own loss."""
        count, _, height, width = pixels.shape
        quality = 100 * torch.rand(count, generator=generator, device=pixels.device)
        gain = self.network.gain(quality)
        scaled = self.network.analysis(pixels) * gain
        rounded = round_straight_through(scaled)
        coded = rounded if progress > 1 - self.hard_share else add_uniform_noise(scaled, generator)
        rate_bpp = self.network.prior.rate_bits(coded / gain, 1 / gain) / (height * width)
        decoded = self.network.synthesis(rounded * self.network.inverse_gain(quality))
        mse = ((decoded - pixels) * 255).square().mean(dim=(1, 2, 3))
        per_picture = rate_bpp + self.network.distortion_weight(quality) * mse
        # Without the weights the high rates, whose losses are larger, would decide every step.
        loss = (per_picture / per_picture.detach().sqrt()).mean()
        figures = {"rate_bpp": rate_bpp.mean().item(), "psnr_db": (48.13 - 10 * mse.log10()).mean().item()}
        figures["rd"] = per_picture.mean().item()
        return loss, figures

    @torch.no_grad()
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """See `ModelTask.reconstruct`; the pictures are those of quality 50."""
        quality = torch.full((len(pixels),), _SHOWN_QUALITY, device=pixels.device)
        rounded = torch.round(self.network.analysis(pixels) * self.network.gain(quality))
        return self.network.synthesis(rounded * self.network.inverse_gain(quality)).clamp(0, 1)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return transforms, prior and gains with their learning rates."""
        prior = list(self.network.prior.parameters())
        gains = [self.network.log_gain, self.network.log_rescale]
        special = {id(p) for p in prior + gains}
        transforms = [p for p in self.parameters() if id(p) not in special]
        return [
            {"params": transforms, "lr": learning_rate},
            {"params": prior, "lr": _PRIOR_RATE * learning_rate, "tables": True},
            {"params": gains, "lr": _GAIN_RATE * learning_rate, "tables": True},
        ]
