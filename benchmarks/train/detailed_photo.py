"""Give `hyperprior/photo` detail channels and a deblocking filter: what its training for high qualities starts from.

    python -m benchmarks.train.detailed_photo "$NNCODEC_DATA/photos" second.safetensors start.safetensors

The new channels start as the principal components of what the model gets wrong at quality 100, measured on reduced
photographs; the edges of pictures are replicated instead of padded with zeros. Everything else keeps its weights. The
contexts of the new channels start from small random weights, so the model needs training before it is smaller.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measuring.data import HELD_BACK
from nncodec.nn.transforms import STRIDE
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelInfo, read_model, write_model
from nncodec.training.data import list_pictures, load_pictures, split_by_name
from nncodec.training.sampling import CropSampler
from nncodec_hyperprior.config import NetworkConfig, model_config
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import fresh_network, network_from
from nncodec_hyperprior.training import HyperpriorTask

NAME = "start/detailed"
CHANNELS = 128
FIRST_QUALITY = 55
_PICTURES = 40
_BATCHES = 24
_CROP = 256
_CONTEXT_HIDDEN = 64


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of photographs; those held back are not used")
    parser.add_argument("base", type=Path, help="model file without detail channels, such as that of photo-psnr")
    parser.add_argument("output", type=Path, help="model file to write, .safetensors")
    options = parser.parse_args()
    training, _ = split_by_name(list_pictures(options.photographs), HELD_BACK)
    chosen = np.random.default_rng(0).permutation(len(training))[:_PICTURES]
    written = write_start(
        network_from(read_model(options.base)), load_pictures([training[index] for index in chosen]), options.output
    )
    print(f"{written.path}: {written.name}, digest {written.digest[:16]}")


def write_start(base: HyperpriorNetwork, pictures: list[Pixels], output: Path) -> ModelInfo:
    """Write the model, with tables fitted on the pictures."""
    torch.manual_seed(0)
    network = fresh_network(detailed(base.config))
    copy_weights(base, network)
    sampler = CropSampler(pictures, batch_size=4, crop=_CROP, seed=1, reduce_share=1.0)
    start_detail(base, network, [_as_tensor(sampler.batch(step)) for step in range(_BATCHES)])
    return write_model(
        output,
        architecture="hyperprior",
        config=model_config(network.config),
        name=NAME,
        card={"summary": "a photo model with detail channels that are not trained yet"},
        tensors=packed_tensors(network.eval(), pictures, print),
    )


@torch.no_grad()
def copy_weights(base: HyperpriorNetwork, network: HyperpriorNetwork) -> None:
    """Copy the weights of a network without detail channels into one with them, in place."""
    narrow = base.config.transforms.latent_channels
    wide = network.config.transforms.latent_channels
    old = dict(base.named_parameters())
    for name, target in network.named_parameters():
        if name not in old:
            continue
        value = old[name]
        if name == "prior.hyper_analysis.layers.0.weight":  # its inputs: latents, their magnitudes, the quality
            parts = torch.split(value, [narrow, narrow, value.shape[1] - 2 * narrow], 1)
            target.zero_()
            for start, part in zip((0, wide, 2 * wide), parts, strict=True):
                target[:, start : start + part.shape[1]] = part
            continue
        if name.startswith("prior.hyper_decoder.mean"):
            target.zero_()
        target[tuple(slice(size) for size in value.shape)] = value


@torch.no_grad()
def start_detail(base: HyperpriorNetwork, network: HyperpriorNetwork, batches: list[Tensor]) -> None:
    """Start the detail layers from the principal components of the base network's error at quality 100, in place.

    A least-squares fit gives each component from pixels and features together.
    """
    task = HyperpriorTask(base)
    errors, inputs = [], []
    for pixels in batches:
        error = pixels - task.reconstruct(pixels, quality=100.0)
        errors.append(_positions(F.pixel_unshuffle(error, STRIDE)))
        linear = _positions(F.pixel_unshuffle(pixels - 0.5, STRIDE))
        features = base.transforms.features(pixels)  # (N, 192, H/8, W/8)
        inputs.append(torch.cat([linear, _positions(F.pixel_unshuffle(features, 2))], 1))
    error, known = torch.cat(errors).double(), torch.cat(inputs).double()
    _, vectors = torch.linalg.eigh(error.T @ error)  # ascending
    components = vectors[:, -network.config.transforms.detail_channels :].flip(1)
    scatter = known.T @ known
    ridge = 1e-4 * torch.diag(scatter.diagonal())
    fit = torch.linalg.solve(scatter + ridge, known.T @ (error @ components)).T.float()  # (channels, 768 + 768)
    transforms = network.transforms
    block = error.shape[1]
    transforms.detail_in.weight.copy_(fit[:, :block, None, None])
    transforms.detail_features.weight.copy_(fit[:, block:].reshape(transforms.detail_features.weight.shape))
    transforms.detail_out.weight.copy_(components[:, :, None, None])


def detailed(config: NetworkConfig) -> NetworkConfig:
    """Return the config with detail channels."""
    transforms, prior = config.transforms, config.prior
    return replace(
        config,
        transforms=replace(
            transforms,
            latent_channels=transforms.latent_channels + CHANNELS,
            detail_channels=CHANNELS,
            detail_quality=FIRST_QUALITY,
            deblocking=True,
            padding="replicate",
        ),
        prior=replace(
            prior,
            groups=(*prior.groups, CHANNELS),
            context_hidden=(prior.hidden,) * len(prior.groups) + (_CONTEXT_HIDDEN,),
            detail_quality=FIRST_QUALITY,
        ),
    )


def _positions(values: Tensor) -> Tensor:
    """Return (N, C, h, w) as (N h w, C)."""
    return values.permute(0, 2, 3, 1).reshape(-1, values.shape[1])


def _as_tensor(batch: Pixels) -> Tensor:
    return torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255


if __name__ == "__main__":
    main()
