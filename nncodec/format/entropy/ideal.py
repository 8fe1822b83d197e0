"""The ideal code length of a block: the information content of its symbols under their tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncodec.errors import InvalidOption
from nncodec.format.entropy.base import block_symbols
from nncodec.format.entropy.escapes import escape_bits
from nncodec.plugin.entropy import EntropyModel
from nncodec.plugin.latents import Latents, LatentSpec


def ideal_bits(latents: Latents, entropy: EntropyModel, specs: Sequence[LatentSpec]) -> float:
    """Return the information content of a block under its tables, in bits, escapes as the coder "rans" writes them.

    Args:
        latents: the block's arrays.
        entropy: stages and probability tables.
        specs: specs of the arrays.

    Raises:
        InvalidOption: the model has no probability tables.
        PluginError: as for `encode_block`.

    References:
        Shannon, "A mathematical theory of communication", 1948, section 7.
    """
    return sum(stage_bits(latents, entropy, specs))


def stage_bits(latents: Latents, entropy: EntropyModel, specs: Sequence[LatentSpec]) -> list[float]:
    """Return the information content of each stage, in coding order. Arguments, errors: see `ideal_bits`."""
    stages, alphabet = block_symbols(latents, entropy, specs)
    tables = alphabet.tables
    if tables is None:
        raise InvalidOption(option="model", reason="without probability tables there is no ideal code length")
    columns = tables.frequencies.shape[1]
    costs = tables.precision - np.log2(tables.frequencies.astype(np.float64))  # (tables, columns)
    bits_of_stages = []
    for stage in stages:
        places = stage.symbols.astype(np.int64) - tables.minimum
        escaped = (places < 0) | (places >= columns - 1)
        bits = float(costs[stage.tables, np.where(escaped, columns - 1, places)].sum())
        bits_of_stages.append(bits + escape_bits(stage.symbols[escaped], tables.minimum, columns))
    return bits_of_stages
