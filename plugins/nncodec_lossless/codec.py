"""The lossless codec: it tries the coders that suit a block, and the first byte of a payload names the smallest."""

from __future__ import annotations

from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nncodec.plugin.engine import BrowserPart, Loader
from nncodec.plugin.lossless import LosslessModel, LosslessTraits, Samples
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_lossless import filtered
from nncodec_lossless.natural.layers import check_tensors
from nncodec_lossless.natural.neighbours import suits
from nncodec_lossless.recording import browser_part
from nncodec_lossless.synthetic import block as synthetic

if TYPE_CHECKING:
    from nncodec_lossless.natural.network import Networks

# A block that simpler coders bring below this share of its plain size gains nothing from the networks worth their time.
_SMALL_SHARE = 1 / 64
# Zstandard's slow level brings photographs to 0.85 of the estimate at best; beyond this it cannot win.
_SLOW_LEVEL_GAIN = 1.2
# A part of a block may be so much worse than the whole.
_SAMPLING_ERROR = 1.1


class BlockCoder(IntEnum):
    """The first byte of a payload."""

    RAW = 0
    NATURAL = 1
    SYNTHETIC = 2
    FILTERED = 3


class LosslessCodec(LosslessModel):
    """The model: networks for natural pictures; the other coders need none, and no torch.

    Args:
        tensors: of a model file, checked.
    """

    traits = LosslessTraits()

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors

    @classmethod
    def from_file(cls, model_file: ModelFile) -> LosslessCodec:
        """See `LosslessModel.from_file`."""
        if model_file.config:
            raise ValueError(f"the config has {min(model_file.config)!r:.80}, which is not part of this architecture")
        check_tensors(model_file.tensors)
        return cls(dict(model_file.tensors))

    @cached_property
    def networks(self) -> Networks:
        """The networks, exact; the first use imports torch."""
        from nncodec_lossless.natural.network import exact_networks

        return exact_networks(self._tensors)

    def browser_part(self, loader: Loader) -> BrowserPart:
        """See `LosslessModel.browser_part`."""
        return browser_part(self._tensors, loader)

    def encode(self, samples: Samples, bits: int, effort: int) -> bytes:
        """See `LosslessModel.encode`."""
        samples = np.ascontiguousarray(samples)
        plain_bytes = (samples.size * bits + 7) // 8
        found: dict[BlockCoder, bytes] = {}
        few_colours = synthetic.encode(samples, bits)
        if few_colours is not None:
            found[BlockCoder.SYNTHETIC] = few_colours
        estimate = filtered.estimate_bytes(samples, bits)
        worth = min([estimate, *map(len, found.values())]) > _SMALL_SHARE * plain_bytes
        if worth and suits(samples.shape):
            from nncodec_lossless.natural import block as natural

            found[BlockCoder.NATURAL] = natural.encode(self.networks, samples, bits)
        least = min(map(len, found.values()), default=estimate + 1)
        if estimate < _SLOW_LEVEL_GAIN * least and filtered.sampled_bytes(samples, bits) < _SAMPLING_ERROR * least:
            found[BlockCoder.FILTERED] = filtered.encode(samples, bits)
        best = min(found, key=lambda coder: len(found[coder]))
        if len(found[best]) >= plain_bytes:
            return bytes([BlockCoder.RAW]) + filtered.encode_raw(samples, bits)
        return bytes([best]) + found[best]

    def decode(self, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
        """See `LosslessModel.decode`."""
        coder, content = payload[:1], payload[1:]
        if coder == bytes([BlockCoder.RAW]):
            return filtered.decode_raw(content, shape, bits)
        if coder == bytes([BlockCoder.NATURAL]):
            from nncodec_lossless.natural import block as natural

            return natural.decode(self.networks, content, shape, bits)
        if coder == bytes([BlockCoder.SYNTHETIC]):
            return synthetic.decode(content, shape, bits)
        if coder == bytes([BlockCoder.FILTERED]):
            return filtered.decode(content, shape, bits)
        raise ValueError("a block names no coder that this version has")
