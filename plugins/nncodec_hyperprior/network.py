"""The whole network: transforms and prior."""

from __future__ import annotations

from torch import nn

from nncodec.nn.transforms import PhotoTransforms
from nncodec_hyperprior.config import NetworkConfig
from nncodec_hyperprior.prior_network import Layer, Prior


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
