"""Networks for training: fresh ones, and ones with the weights of a model file."""

from __future__ import annotations

import torch

from nncodec.engine.fixed_point import WEIGHT_STEPS
from nncodec.nn.fixed_point import SUM_STEPS, FixedPointConv2d
from nncodec.plugin.model_file import ModelFile
from nncodec_hyperprior.codec import network_config
from nncodec_hyperprior.config import NetworkConfig
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.prior_network import start_prior


def fresh_network(config: NetworkConfig) -> HyperpriorNetwork:
    """Return a fresh network: transforms that start as a DCT, a prior with small random weights."""
    network = HyperpriorNetwork(config, FixedPointConv2d)
    start_prior(network.prior)
    return network


def network_from(model_file: ModelFile) -> HyperpriorNetwork:
    """Return a network with all weights of a model file, converted from fixed point where stored so.

    Raises:
        ValueError: config or tensors do not fit the architecture.
    """
    try:
        network = HyperpriorNetwork(network_config(model_file.config), FixedPointConv2d)
    except (TypeError, KeyError) as error:
        raise ValueError(f"the base model has another config: {error}") from error
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            layer, _, part = name.partition(".parametrizations.")
            if part:
                kind = part.removesuffix(".original")
                key, steps = f"exact.{layer}.{kind}", WEIGHT_STEPS if kind == "weight" else SUM_STEPS
            else:
                key, steps = f"network.{name}", 1
            if key not in model_file.tensors or model_file.tensors[key].shape != tuple(parameter.shape):
                raise ValueError(f"the base model lacks the tensor {key!r}, or has it in another shape")
            parameter.copy_(torch.from_numpy(model_file.tensors[key].astype("float64") / steps))
    return network
