"""The lossless codec: it tries the coders that suit a block, and the first byte of a payload names the smallest."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from nncodec.nn.fixed_point import ExactConv2d, FixedPointConv2d, steps_of
from nncodec.plugin.lossless import LosslessModel, LosslessTraits, Samples
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_lossless import filtered
from nncodec_lossless.natural import block as natural
from nncodec_lossless.natural.network import Networks
from nncodec_lossless.synthetic import block as synthetic

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
    """The model: networks for natural pictures; the other coders need none.

    Args:
        networks: exact.
    """

    traits = LosslessTraits()

    def __init__(self, networks: Networks) -> None:
        self.networks = networks

    @classmethod
    def from_file(cls, model_file: ModelFile) -> LosslessCodec:
        """See `LosslessModel.from_file`."""
        if model_file.config:
            raise ValueError(f"the config has {min(model_file.config)!r:.80}, which is not part of this architecture")
        networks = Networks(ExactConv2d)
        tensors = dict(model_file.tensors)
        for name, layer in networks.named_modules():
            if isinstance(layer, ExactConv2d):
                parts = [tensors.pop(f"{name}.{part}", None) for part in ("weight", "bias")]
                if parts[0] is None or parts[1] is None:
                    raise ValueError(f"the weight or bias of {name!r} is missing")
                layer.set_steps(parts[0], parts[1])
        if tensors:
            raise ValueError(f"tensor {min(tensors)!r} is not part of this architecture")
        return cls(networks.fixed())

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
        if worth and natural.suits(samples.shape):
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
            return natural.decode(self.networks, content, shape, bits)
        if coder == bytes([BlockCoder.SYNTHETIC]):
            return synthetic.decode(content, shape, bits)
        if coder == bytes([BlockCoder.FILTERED]):
            return filtered.decode(content, shape, bits)
        raise ValueError("a block names no coder that this version has")


def model_tensors(networks: Networks) -> Tensors:
    """Return trained networks as the tensors of a model file, for `LosslessCodec.from_file`."""
    tensors: Tensors = {}
    for name, layer in networks.named_modules():
        if isinstance(layer, FixedPointConv2d):
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = steps_of(layer)
    return tensors
