"""A factorised prior: one learned density per latent channel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nncodec.nn.quantize import lower_bound

# A lower bound on likelihoods keeps the gradient of far outliers finite.
_LIKELIHOOD_FLOOR = 2.0**-30


class LogisticMixturePrior(nn.Module):
    """Independent densities per channel, each a mixture of logistics, fitted together with the transforms.

    The densities apply to the latents *before* the gain that sets the quantization step, so one prior serves every
    quality: a symbol q of step s covers the interval [(q - 1/2) s, (q + 1/2) s].

    Args:
        channels: latent channels.
        components: logistics in each mixture.
        scale: initial scale of the middle component, in latent units.

    References:
        Ballé et al., "Variational image compression with a scale hyperprior", ICLR 2018, section 6.1, for the role;
        a mixture replaces that paper's small networks because it is cheaper and has a closed form.
    """

    def __init__(self, channels: int, components: int = 3, scale: float = 0.1) -> None:
        super().__init__()
        # Plain lists: on the meta device, where networks are built before their weights are loaded, operations such as
        # linspace and repeat first import modules for a second.
        spread = [math.log(scale) + 3 * k / max(1, components - 1) - 1.5 for k in range(components)]
        self.log_scale = nn.Parameter(torch.tensor([[value] * channels for value in spread]))
        self.location = nn.Parameter(torch.zeros(components, channels))
        self.weight_logit = nn.Parameter(torch.zeros(components, channels))

    def likelihoods(self, latents: Tensor, step: Tensor) -> Tensor:
        """Return the probability mass of the intervals of width `step` around `latents`.

        Args:
            latents: (N, C, H, W), in latent units.
            step: quantization step, broadcastable to `latents`, above 0.

        Returns:
            (N, C, H, W) probabilities, bounded away from 0.
        """
        weight = torch.softmax(self.weight_logit, 0)
        mass = torch.zeros_like(latents)
        for k in range(len(weight)):
            inverse_scale = torch.exp(-self.log_scale[k]).clamp(max=1e4)[:, None, None]
            centred = -(latents - self.location[k][:, None, None]).abs()  # both edges in the accurate left tail
            upper = torch.sigmoid((centred + step / 2) * inverse_scale)
            lower = torch.sigmoid((centred - step / 2) * inverse_scale)
            mass = mass + weight[k][:, None, None] * (upper - lower)
        return lower_bound(mass, _LIKELIHOOD_FLOOR)

    def rate_bits(self, latents: Tensor, step: Tensor) -> Tensor:
        """Return the ideal code length of each image's latents in bits, shape (N,)."""
        return -torch.log2(self.likelihoods(latents, step)).sum(dim=(1, 2, 3))
