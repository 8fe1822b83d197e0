"""The whole network: transforms and prior."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from nncodec.nn.transforms import PhotoTransforms, TransformConfig
from nncodec_hyperprior.prior_network import Layer, Prior, PriorConfig


@dataclass(frozen=True)
class NetworkConfig:
    """Shape and loss of a hyperprior network.

    Args:
        transforms, prior: shapes of the parts.
        loss: the distortion in training and refinement; see `nncodec_hyperprior.objective`.
    """

    transforms: TransformConfig = field(
        default_factory=lambda: TransformConfig(latent_channels=256, lambda_low=0.0005, lambda_high=0.8)
    )
    prior: PriorConfig = field(default_factory=PriorConfig)
    loss: str = "mse"


class HyperpriorNetwork(nn.Module):
    """Photo transforms with a hyperprior and contexts; latents come in coding order, smooth channels first."""

    def __init__(self, config: NetworkConfig, layer: Layer) -> None:
        super().__init__()
        if config.transforms.latent_channels != sum(config.prior.groups):
            raise ValueError("the prior's groups do not add up to the latent channels")
        if config.transforms.detail_channels not in (0, config.prior.groups[-1]):
            raise ValueError("the last group is not that of the detail channels")
        self.config = config
        self.transforms = PhotoTransforms(config.transforms)
        self.prior = Prior(config.prior, layer)
