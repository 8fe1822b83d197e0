"""The training task of the photo network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nncodec.nn.quantize import add_uniform_noise, round_straight_through
from nncodec.training.tasks import ModelTask
from nncodec_conv.photo_network import PhotoNetwork

# Gains and densities are few and start far from their optimum, so their learning rates are this much higher.
_PRIOR_RATE = 10.0
_GAIN_RATE = 3.0
# Quality of the sample grid.
_SHOWN_QUALITY = 50.0


class PhotoTask(ModelTask):
    """Rate and distortion over all qualities at once: each picture of a batch draws a quality.

    Noisy latents give the rate, rounded ones the distortion; in the last `hard_share` of the training rounded latents
    give both.

    References:
        Minnen and Singh, "Channel-wise autoregressive entropy models", ICIP 2020, section 3.2 (mixed quantization).
    """

    def __init__(self, network: PhotoNetwork, hard_share: float = 0.1) -> None:
        super().__init__()
        self.network = network
        self.hard_share = hard_share

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return rate + lambda x distortion, each picture weighted by the inverse root of its loss."""
        count, _, height, width = pixels.shape
        quality = 100 * torch.rand(count, generator=generator, device=pixels.device)
        gain = self.network.gain(quality)
        scaled = self.network.analysis(pixels) * gain
        rounded = round_straight_through(scaled)
        coded = rounded if progress > 1 - self.hard_share else add_uniform_noise(scaled, generator)
        rate_bpp = self.network.prior.rate_bits(coded / gain, 1 / gain) / (height * width)
        decoded = self.network.synthesis(rounded * self.network.inverse_gain(quality), quality)
        mse = ((decoded - pixels) * 255).square().mean(dim=(1, 2, 3))
        per_picture = rate_bpp + self.network.distortion_weight(quality) * mse
        # Without these weights high rates, which have larger losses, would dominate every step.
        loss = (per_picture / per_picture.detach().sqrt()).mean()
        figures = {"rate_bpp": rate_bpp.mean().item(), "psnr_db": (48.13 - 10 * mse.log10()).mean().item()}
        figures["rd"] = per_picture.mean().item()
        return loss, figures

    @torch.no_grad()
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """See `ModelTask.reconstruct`; the quality is 50."""
        quality = torch.full((len(pixels),), _SHOWN_QUALITY, device=pixels.device)
        rounded = torch.round(self.network.analysis(pixels) * self.network.gain(quality))
        return self.network.synthesis(rounded * self.network.inverse_gain(quality), quality).clamp(0, 1)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return transforms, prior and gains with their learning rates."""
        prior = list(self.network.prior.parameters())
        gains = [self.network.log_gain, self.network.log_rescale]
        special = {id(parameter) for parameter in prior + gains}
        transforms = [parameter for parameter in self.parameters() if id(parameter) not in special]
        return [
            {"params": transforms, "lr": learning_rate},
            {"params": prior, "lr": _PRIOR_RATE * learning_rate, "tables": True},
            {"params": gains, "lr": _GAIN_RATE * learning_rate, "tables": True},
        ]
