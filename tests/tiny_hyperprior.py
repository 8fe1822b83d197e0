"""A small hyperprior network with random weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from nncodec.nn.fixed_point import FixedPointConv2d
from nncodec.nn.transforms import TransformConfig
from nncodec.plugin.model_file import ModelFile
from nncodec_hyperprior.codec import model_tensors
from nncodec_hyperprior.config import NetworkConfig, PriorConfig, model_config
from nncodec_hyperprior.fitting import normal_tables
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.prior_network import start_prior

CONFIG = NetworkConfig(
    TransformConfig(
        latent_channels=12,
        fine_blocks=1,
        coarse_blocks=1,
        anchors=3,
        lambda_low=0.001,
        lambda_high=0.2,
        detail_channels=8,
        detail_quality=30,
        deblocking=True,
        padding="replicate",
    ),
    PriorConfig(
        groups=(4, 8), hyper_channels=3, width=8, hidden=16, anchors=3, context_hidden=(16, 8), detail_quality=30
    ),
)


def tiny_network(gain: float = 1.0) -> HyperpriorNetwork:
    """Return a network with random weights; a large gain drives activations to their bounds."""
    torch.manual_seed(5)
    network = HyperpriorNetwork(CONFIG, FixedPointConv2d)
    start_prior(network.prior)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "parametrizations" in name:
                parameter.mul_(gain).add_(0.02 * torch.randn_like(parameter))
            parameter.copy_(parameter.half().float() if "parametrizations" not in name else parameter)
    return network.eval()


def tiny_file(network: HyperpriorNetwork, **changes: Any) -> ModelFile:
    tables = normal_tables(CONFIG.prior.hyper_channels)
    tables = replace(tables, **{"certain": 12, **changes})
    config = model_config(network.config)
    return ModelFile("hyperprior", config, "tiny/hyper", {}, "", tensors=model_tensors(network, tables))
