"""Turn a trained photo network into a model file's contents; fit centres, order and contexts to pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray

from nncodec.nn.tensors import to_tensor
from nncodec.plugin.latents import IntArray, Pixels
from nncodec.training.recipe import TrainedModel
from nncodec.training.sampling import padded_to_multiple
from nncodec_conv.fitting import fit_contexts
from nncodec_conv.photo import photo_tensors
from nncodec_conv.photo_network import STRIDE, PhotoNetwork

GROUPS = (3, 5, 8, 16, 32, 48, 80)
"""Latent channels of each group of contexts, 192 in all."""
DEAD_ZONE = 0.06
_RANKING_QUALITY = 40


def packed_photo(
    network: PhotoNetwork,
    pictures: Sequence[Pixels],
    on_progress: Callable[[str], None],
    groups: tuple[int, ...] = GROUPS,
    dead_zone: float = DEAD_ZONE,
) -> TrainedModel:
    """Fit centres, order and contexts of a trained network.

    Args:
        network: with weights rounded as in a model file; stays unchanged.
        pictures: uint8 (H, W, 3) of any size.
        on_progress: receives a line of text for each quality.
        groups: see `ContextTables`; their sum is the number of latent channels.
        dead_zone: see `PhotoFile`.
    """
    latents = [_analysis(network, padded_to_multiple(picture, STRIDE)) for picture in pictures]
    flat = np.concatenate([values.reshape(values.shape[1], -1) for values in latents], axis=1)
    centre = np.median(flat, axis=1).astype(np.float32)
    size = np.abs(np.round((flat - centre[:, None]) * _gain(network, _RANKING_QUALITY)[:, None])).mean(axis=1)
    order = np.argsort(-size)
    del flat

    def at_quality(quality: int) -> list[IntArray]:
        gain = _gain(network, quality)[:, None, None]
        scaled = [((values[0] - centre[:, None, None]) * gain)[order][None] for values in latents]
        return [(np.sign(x) * np.floor(np.abs(x) + 0.5 - dead_zone)).astype(np.int32) for x in scaled]

    contexts = fit_contexts(at_quality, groups, on_progress)
    config = {**asdict(network.config), "groups": list(groups), "dead_zone": dead_zone}
    return TrainedModel("conv-photo", config, photo_tensors(network, order, centre, contexts))


@torch.inference_mode()
def _analysis(network: PhotoNetwork, picture: Pixels) -> NDArray[np.float32]:
    latents: NDArray[np.float32] = network.analysis(to_tensor(picture[None])).numpy()
    return latents


@torch.inference_mode()
def _gain(network: PhotoNetwork, quality: int) -> NDArray[np.float32]:
    gain: NDArray[np.float32] = network.gain(torch.tensor([float(quality)]))[0, :, 0, 0].numpy()
    return gain
