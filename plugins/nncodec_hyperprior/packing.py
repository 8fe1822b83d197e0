"""Turn a trained network into the contents of a model file: round weights, fit tables to pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nncodec.plugin.latents import Latents, Pixels
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec.training.sampling import padded_to_multiple
from nncodec_hyperprior.codec import HyperpriorCodec, model_tensors
from nncodec_hyperprior.config import HYPER_STRIDE, model_config
from nncodec_hyperprior.entropy import PriorTables
from nncodec_hyperprior.fitting import normal_tables
from nncodec_hyperprior.network import HyperpriorNetwork

QUALITIES = tuple(range(0, 101, 10))
_FIRST_QUALITIES = (0, 30, 60, 100)
# Pictures of one size go through the network together, up to about this many pixels.
_PIXELS_AT_ONCE = 1 << 19


def packed_tensors(
    network: HyperpriorNetwork,
    pictures: Sequence[Pixels],
    on_progress: Callable[[str], None],
    qualities: Sequence[int] = QUALITIES,
) -> Tensors:
    """Fit the tables of a trained network and return the tensors of its model file.

    Args:
        network: trained; stays unchanged.
        pictures: uint8 (H, W, 3) of any size, padded here as core pads them.
        on_progress: receives a line of text for each quality.
        qualities: to fit the tables at; see `fit_tables`.
    """
    tables = normal_tables(network.config.prior.hyper_channels)
    codec = _codec(network, tables)
    # Latents before the gain depend neither on the tables nor on quality.
    batches = [(pixels, codec.unscaled(pixels)) for pixels in _batches(pictures)]
    # A second pass, because rounding to zero depends on the densities of the first.
    for wanted in ([quality for quality in _FIRST_QUALITIES if quality in qualities] or qualities[:1], qualities):

        def latents_at(quality: int, codec: HyperpriorCodec = codec) -> list[Latents]:
            return [
                codec.quantize(codec.scaled(latents, quality), pixels, quality, effort=0) for pixels, latents in batches
            ]

        tables = codec.fitted(latents_at, wanted, on_progress)
        codec = _codec(network, tables)
    return model_tensors(network, tables)


def _codec(network: HyperpriorNetwork, tables: PriorTables) -> HyperpriorCodec:
    config = model_config(network.config)
    return HyperpriorCodec.from_file(
        ModelFile("hyperprior", config, "model", {}, "", tensors=model_tensors(network, tables))
    )


def _batches(pictures: Sequence[Pixels]) -> Iterator[Pixels]:
    """Yield stacks (N, H, W, 3) of pictures that have one size after padding."""
    waiting: dict[tuple[int, ...], list[Pixels]] = {}
    for picture in pictures:
        whole = padded_to_multiple(picture, HYPER_STRIDE)
        stack = waiting.setdefault(whole.shape, [])
        stack.append(whole)
        if len(stack) * whole.shape[0] * whole.shape[1] >= _PIXELS_AT_ONCE:
            yield np.stack(waiting.pop(whole.shape))
    yield from (np.stack(stack) for stack in waiting.values())
