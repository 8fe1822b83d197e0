"""Fit the probability tables of a trained network to latents of training pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.nn.frequencies import integer_frequencies
from nncodec.plugin.entropy import Tables, shapes_of
from nncodec.plugin.latents import Latents
from nncodec_hyperprior.block import TorchContexts
from nncodec_hyperprior.config import HYPER, LATENT, SCALE_LOW, SCALE_STEP, SCALES
from nncodec_hyperprior.entropy import HYPER_QUALITIES, HyperpriorEntropy, PriorTables
from nncodec_hyperprior.prior_network import Prior

SYMBOL_RANGE = 127
PRECISION = 22
# A normal density of the right scale counts as this many extra symbols.
_PRIOR_COUNT = 300.0
# Latents less likely than this to be nonzero are not coded: setting them all to 0 costs less.
_CERTAIN = 2e-4
# The least probability of a symbol, so that an unusual picture costs bits instead of escapes.
_FLOOR = 1e-8


def normal_tables(hyper_channels: int) -> PriorTables:
    """Return tables of normal densities, to start fitting from; under them every latent is coded."""
    rows = [integer_frequencies(_normal(index), PRECISION) for index in range(SCALES)]
    shape = (HYPER_QUALITIES, hyper_channels)
    return PriorTables(
        Tables(np.stack(rows), -SYMBOL_RANGE, PRECISION),
        hyper_choice=np.full(shape, SCALES // 2, np.uint8),
        hyper_offset=np.zeros(shape, np.int8),
        certain=0,
    )


def fit_tables(
    prior: Prior,
    latents_at: Callable[[int], Sequence[Latents]],
    qualities: Sequence[int],
    on_progress: Callable[[str], None] = lambda _: None,
) -> PriorTables:
    """Fit tables to quantized latents.

    Args:
        prior: the trained network, exact.
        latents_at: maps a quality to the latents of pictures.
        qualities: to fit at, multiples of 5; models that ship use all of 0, 5, ... 100.
        on_progress: receives a line of text for each quality.

    Returns:
        The tables to store.
    """
    probe = normal_tables(prior.config.hyper_channels)
    histograms = np.zeros((SCALES, 2 * SYMBOL_RANGE + 2))
    hyper: dict[int, NDArray[np.int32]] = {}
    for quality in qualities:
        pictures = latents_at(quality)
        entropy = HyperpriorEntropy(TorchContexts(prior), probe, quality)
        for latents in pictures:
            _count(entropy, latents, histograms)
        flat = [latents[HYPER].swapaxes(0, 1).reshape(prior.config.hyper_channels, -1) for latents in pictures]
        hyper[quality] = np.concatenate(flat, axis=1)
        on_progress(f"quality {quality}: {histograms.sum() / 1e6:.1f} million symbols")
    rows = [_blend(histograms[index], _normal(index)) for index in range(SCALES)]
    tables = Tables(np.stack(rows), -SYMBOL_RANGE, PRECISION)
    nonzero = 1 - tables.frequencies[:, SYMBOL_RANGE] / (1 << PRECISION)
    certain = int(np.searchsorted(np.maximum.accumulate(nonzero), _CERTAIN))
    fitted = replace(probe, tables=tables, certain=certain)
    choice, offset = fitted.hyper_choice.copy(), fitted.hyper_offset.copy()
    for anchor in range(HYPER_QUALITIES):
        nearest = min(qualities, key=lambda q: abs(q - anchor * 100 // (HYPER_QUALITIES - 1)))
        for channel, values in enumerate(hyper[nearest]):
            choice[anchor, channel], offset[anchor, channel] = _best_table(values, tables)
    return replace(fitted, hyper_choice=choice, hyper_offset=offset)


def _count(entropy: HyperpriorEntropy, latents: Latents, histograms: NDArray[np.float64]) -> None:
    width = histograms.shape[1]
    block = entropy.begin_block(shapes_of(latents))
    for number, stage in enumerate(block.stages):
        if stage.latent != LATENT:
            continue
        context = block.context(number, latents)
        if (np.asarray(context.tables) < 0).all():
            continue
        symbols = (latents[LATENT][stage.where] - context.offsets) // ACTIVATION_STEPS
        column = np.where(np.abs(symbols) <= SYMBOL_RANGE, symbols + SYMBOL_RANGE, width - 1)
        cell = context.tables.astype(np.int64) * width + column
        histograms += np.bincount(cell.ravel(), minlength=histograms.size).reshape(histograms.shape)


def _normal(index: int) -> NDArray[np.float64]:
    """Return the probabilities of -127..127 and of an escape at a scale index."""
    scale = SCALE_LOW * math.exp(SCALE_STEP * index)
    edges = [math.erf((k - 0.5) / scale / math.sqrt(2)) for k in range(-SYMBOL_RANGE, SYMBOL_RANGE + 2)]
    inside = np.diff(edges) / 2
    chances = np.append(inside, max(0.0, 1 - inside.sum())) + _FLOOR
    return np.asarray(chances / chances.sum())


def _blend(histogram: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return the frequencies of one scale: the symmetric histogram blended with a normal density."""
    seen = histogram.copy()
    seen[:-1] = (seen[:-1] + seen[-2::-1]) / 2
    blended = (seen + _PRIOR_COUNT * normal) / (seen.sum() + _PRIOR_COUNT) + _FLOOR
    return integer_frequencies(blended / blended.sum(), PRECISION)


def _best_table(values: NDArray[np.int32], tables: Tables) -> tuple[int, int]:
    """Return the table and the offset that code the values of a channel in the fewest bits."""
    bits = -np.log2(tables.frequencies / (1 << tables.precision))
    best = (math.inf, 0, 0)
    middle = round(float(np.median(values)))
    for offset in {middle - 1, middle, middle + 1, round(float(values.mean()))}:
        if not -SYMBOL_RANGE <= offset <= SYMBOL_RANGE:
            continue
        column = np.clip(values - offset, -SYMBOL_RANGE, SYMBOL_RANGE) + SYMBOL_RANGE
        counts = np.bincount(column, minlength=bits.shape[1])
        totals = bits @ counts
        index = int(np.argmin(totals))
        best = min(best, (float(totals[index]), index, offset))
    return best[1], best[2]
