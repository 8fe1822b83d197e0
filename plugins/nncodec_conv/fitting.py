"""Fit the context tables of `contexts.py` to latents of training pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nncodec.nn.frequencies import integer_frequencies
from nncodec.plugin.entropy import Tables
from nncodec.plugin.latents import IntArray
from nncodec_conv.contexts import LEVELS, QUALITIES, ContextEntropy, ContextTables, neighbours, smooth_stages

TABLE_COUNT = 64
SYMBOL_RANGE = 127
PRECISION = 16

# Each cell counts this many extra symbols of its channel's mean size, which steadies cells with few symbols.
_SHRINKAGE = 40.0
_SCALE_RANGE = (1e-3, 100.0)


def fit_contexts(
    latents_at: Callable[[int], Sequence[IntArray]],
    groups: tuple[int, ...],
    on_progress: Callable[[str], None] = lambda _: None,
) -> ContextTables:
    """Fit thresholds, choices and tables.

    Args:
        latents_at: maps a quality to quantized latents in coding order, one (1, C, h, w) array per picture.
        groups: see `ContextTables`.
        on_progress: receives a line of text for each quality.

    Returns:
        The tables to store.
    """
    channels = sum(groups)
    thresholds = np.zeros((len(QUALITIES), len(groups), LEVELS - 1), np.int32)
    mean_size = np.zeros((len(QUALITIES), channels, LEVELS + 1))
    edges = np.geomspace(*_SCALE_RANGE, TABLE_COUNT - 1)
    histograms = np.zeros((TABLE_COUNT, 2 * SYMBOL_RANGE + 2))
    choice = np.zeros(mean_size.shape, np.uint8)
    for index, quality in enumerate(QUALITIES):
        pictures = latents_at(quality)
        probe = _probe(groups, thresholds[index], quality)
        thresholds[index] = _fit_thresholds(probe, pictures, len(groups))
        probe = _probe(groups, thresholds[index], quality)
        cells = [_cells(probe, latents, groups) for latents in pictures]
        total, count = (np.sum([cell[part] for cell in cells], axis=0) for part in (0, 1))
        channel_mean = total.sum(1, keepdims=True) / np.maximum(count.sum(1, keepdims=True), 1)
        mean_size[index] = (total + _SHRINKAGE * channel_mean) / (count + _SHRINKAGE)
        choice[index] = np.searchsorted(edges, mean_size[index])
        for latents in pictures:
            _count_symbols(probe, latents, groups, choice[index], histograms)
        on_progress(f"quality {quality}: mean |symbol| {total.sum() / count.sum():.4f}")
    return ContextTables(groups, thresholds, choice, _tables(histograms, edges))


def _probe(groups: tuple[int, ...], thresholds: NDArray[np.int32], quality: int) -> ContextEntropy:
    """Return an entropy model with these thresholds and placeholder tables."""
    repeated = np.repeat(thresholds[None], len(QUALITIES), axis=0)
    choice = np.zeros((len(QUALITIES), sum(groups), LEVELS + 1), np.uint8)
    flat = Tables(np.full((1, 2), 1 << (PRECISION - 1), np.uint32), 0, PRECISION)
    return ContextEntropy(ContextTables(groups, repeated, choice, flat), quality, "y")


def _fit_thresholds(probe: ContextEntropy, pictures: Sequence[IntArray], groups: int) -> NDArray[np.int32]:
    quantiles = np.arange(1, LEVELS) / LEVELS
    spreads = [_smooth_spreads(latents, probe) for latents in pictures]
    rows = [np.quantile(np.concatenate(spreads), quantiles)]
    for group in range(1, groups):
        activity = np.concatenate([probe.activity(group, latents).ravel() for latents in pictures])
        rows.append(np.quantile(activity, quantiles))
    return np.ceil(np.stack(rows)).astype(np.int32)


def _smooth_spreads(latents: IntArray, probe: ContextEntropy) -> NDArray[np.int32]:
    smooth = latents[:, : probe.stages({"y": latents.shape})[0].where[1].stop]
    return np.concatenate([neighbours(smooth, *stage)[1].ravel() for stage in smooth_stages() if stage[2]])


def _visit(
    probe: ContextEntropy, latents: IntArray, groups: tuple[int, ...]
) -> list[tuple[slice, NDArray[np.intp], IntArray]]:
    """Return, for each stage, its channels, the level of each symbol and the symbols after prediction."""
    visits = []
    bounds = np.cumsum([0, *groups])
    for number, stage in enumerate(probe.stages({"y": latents.shape})):
        symbols = latents[stage.where]
        if number < len(smooth_stages()):
            prediction, level = probe.smooth_context(number, latents)
            visits.append((slice(0, groups[0]), level, symbols - prediction))
        else:
            group = number - len(smooth_stages()) + 1
            level = probe.level(group, latents)[:, None]
            visits.append((slice(bounds[group], bounds[group + 1]), np.broadcast_to(level, symbols.shape), symbols))
    return visits


def _cells(
    probe: ContextEntropy, latents: IntArray, groups: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of magnitudes and the count of symbols for each (channel, level)."""
    shape = (sum(groups), LEVELS + 1)
    total, count = np.zeros(shape), np.zeros(shape)
    for channels, level, symbols in _visit(probe, latents, groups):
        channel = np.broadcast_to(np.arange(channels.start, channels.stop)[None, :, None, None], symbols.shape)
        cell = (channel * shape[1] + level).ravel()
        total += np.bincount(cell, np.abs(symbols).ravel(), total.size).reshape(shape)
        count += np.bincount(cell, minlength=total.size).reshape(shape)
    return total, count


def _count_symbols(
    probe: ContextEntropy,
    latents: IntArray,
    groups: tuple[int, ...],
    choice: NDArray[np.uint8],
    histograms: NDArray[np.float64],
) -> None:
    width = histograms.shape[1]
    for channels, level, symbols in _visit(probe, latents, groups):
        channel = np.arange(channels.start, channels.stop)[None, :, None, None]
        table = choice[channel, level].astype(np.int64)
        column = np.where(np.abs(symbols) <= SYMBOL_RANGE, symbols + SYMBOL_RANGE, width - 1)
        histograms += np.bincount((table * width + column).ravel(), minlength=histograms.size).reshape(histograms.shape)


def _tables(histograms: NDArray[np.float64], edges: NDArray[np.float64]) -> Tables:
    """Blend each histogram with a Laplace distribution of its scale and round to integer frequencies."""
    scales = np.concatenate([edges[:1], np.sqrt(edges[1:] * edges[:-1]), edges[-1:]])
    size = np.abs(np.arange(-SYMBOL_RANGE, SYMBOL_RANGE + 1))
    frequencies = np.zeros(histograms.shape, np.uint32)
    for row, (histogram, scale) in enumerate(zip(histograms, scales, strict=True)):
        decay = scale / (1 + scale)  # a two-sided geometric distribution with about this mean magnitude
        laplace = np.append(decay**size, decay ** (SYMBOL_RANGE + 1))
        blended = histogram + 200 * laplace / laplace.sum()
        frequencies[row] = integer_frequencies(blended / blended.sum(), PRECISION)
    return Tables(frequencies, -SYMBOL_RANGE, PRECISION)
