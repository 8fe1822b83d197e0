"""The lossless codec: it tries the coders that suit a block, and the first byte of a payload names the smallest."""

from __future__ import annotations

import math
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nncodec.plugin.engine import BrowserPart, Loader
from nncodec.plugin.lossless import LosslessModel, LosslessTraits, Samples
from nncodec.plugin.model_file import ModelFile, Tensors
from nncodec_lossless import copies, copy_search, filtered, indexed, insets, repeats
from nncodec_lossless.natural.layers import check_tensors
from nncodec_lossless.natural.neighbours import suits
from nncodec_lossless.recording import browser_part
from nncodec_lossless.repetition import is_drawn
from nncodec_lossless.synthetic import block as synthetic

if TYPE_CHECKING:
    from nncodec_lossless.natural.network import Networks

# A block that simpler coders bring below this share of its plain size gains nothing from the networks worth their time.
_SMALL_SHARE = 1 / 64
# Zstandard's slow level brings photographs to 0.85 of the estimate at best; beyond this it cannot win.
_SLOW_LEVEL_GAIN = 1.2
# So few samples of a drawing are tried even where the slow level would have to bring them to a fifth of the estimate,
# as it does with patterns that repeat far away.
_TRIED_SAMPLES, _TRIED_GAIN = 1 << 18, 5
# A part of a block may be so much worse than the whole.
_SAMPLING_ERROR = 1.1
# The networks bring pictures to a third of the estimate at best; where another coder does better, they are not tried.
_NATURAL_GAIN = 3
# A page that is a smaller share of the estimate is the plain border of a photograph.
_LEAST_PAGE_SHARE = 1 / 50
# Samples of a block that is worth coding with and without its repeats.
_SMALL = 1 << 14

Shape = tuple[int, int, int, int]


class BlockCoder(IntEnum):
    """The first byte of a payload."""

    RAW = 0
    NATURAL = 1
    SYNTHETIC = 2
    FILTERED = 3
    INSETS = 4
    INDEXED = 5
    REPEATS = 6
    COPIES = 7


class _Page(NamedTuple):
    """A page with photographs in it.

    Args:
        payload: of the block.
        is_clear: whether the networks cannot code the page around them in fewer bytes.
    """

    payload: bytes
    is_clear: bool


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
        found = repeats.find(samples)
        if found is None:
            return self._with_copies(samples, bits)
        payload = bytes([BlockCoder.REPEATS]) + repeats.pack(found, self._with_copies(found.without(samples), bits))
        # What is said of the repeats may cost more than they do.
        return min(payload, self._with_copies(samples, bits), key=len) if samples.size < _SMALL else payload

    def _with_copies(self, samples: Samples, bits: int) -> bytes:
        """Return the payload of contiguous samples without repeats, with what is copied within them or as a whole."""
        whole = self._whole(samples, bits)
        found = copy_search.find(samples)
        if found is None:
            return whole
        payload = bytes([BlockCoder.COPIES]) + copies.pack(found, self._whole(found.without(samples), bits))
        return min(payload, whole, key=len)

    def _whole(self, samples: Samples, bits: int) -> bytes:
        """Return the payload of contiguous samples, none of which are left out."""
        page = self._with_insets(samples, bits)
        if page and page.is_clear:
            return page.payload
        whole = self._smallest(samples, bits)
        return min(page.payload, whole, key=len) if page else whole

    def _smallest(self, samples: Samples, bits: int) -> bytes:
        """Return the smallest payload of contiguous samples."""
        plain_bytes = (samples.size * bits + 7) // 8
        estimate = filtered.estimate_bytes(samples, bits)
        found = []
        few_colours = synthetic.encode(samples, bits)
        if few_colours is not None:
            found.append(bytes([BlockCoder.SYNTHETIC]) + few_colours)
        simplest = min([estimate, *map(len, found)])
        if simplest > max(_SMALL_SHARE * plain_bytes, estimate / _NATURAL_GAIN) and suits(samples.shape):
            found.append(self._natural(samples, bits))
        least = min(map(len, found), default=math.inf)
        drawn = is_drawn(samples)
        gain = _TRIED_GAIN if drawn and samples.size <= _TRIED_SAMPLES else _SLOW_LEVEL_GAIN
        if estimate < least or (
            estimate < gain * least
            # Some rows of a drawing do not show what repeats further away.
            and (drawn or filtered.sampled_bytes(samples, bits) < _SAMPLING_ERROR * least)
        ):
            found.append(bytes([BlockCoder.FILTERED]) + filtered.encode(samples, bits))
        best = min(found, key=len)
        if len(best) > plain_bytes:
            return bytes([BlockCoder.RAW]) + filtered.encode_raw(samples, bits)
        return best

    def _natural(self, samples: Samples, bits: int) -> bytes:
        """Return what the networks make of samples, or of their numbers in tables."""
        numbered = indexed.find(samples, bits)
        if numbered is None:
            return bytes([BlockCoder.NATURAL]) + self._encode_natural(samples, bits)
        return bytes([BlockCoder.INDEXED]) + indexed.encode(numbered, bits, self._encode_natural)

    def _encode_natural(self, samples: Samples, bits: int) -> bytes:
        from nncodec_lossless.natural import block as natural

        return natural.encode(self.networks, samples, bits)

    def _decode_natural(self, content: bytes, shape: Shape, bits: int) -> Samples:
        from nncodec_lossless.natural import block as natural

        return natural.decode(self.networks, content, shape, bits)

    def _with_insets(self, samples: Samples, bits: int) -> _Page | None:
        """Return a page with photographs in it, or None for any other block."""
        found = insets.find(samples)
        if not found:
            return None
        page = insets.without(samples, found)
        page_estimate = filtered.estimate_bytes(page, bits)
        if page_estimate < _LEAST_PAGE_SHARE * filtered.estimate_bytes(samples, bits):
            return None
        drawn = synthetic.encode(page, bits)
        if drawn is None:
            return None
        payloads = [self._smallest(np.ascontiguousarray(samples[inset.place]), bits) for inset in found]
        payload = insets.pack(found, payloads, bytes([BlockCoder.SYNTHETIC]) + drawn)
        return _Page(bytes([BlockCoder.INSETS]) + payload, len(drawn) <= page_estimate / _NATURAL_GAIN)

    def decode(self, payload: bytes, shape: Shape, bits: int) -> Samples:
        """See `LosslessModel.decode`."""
        if payload[:1] == bytes([BlockCoder.REPEATS]):
            return repeats.decode(payload[1:], shape, lambda part, size: self._decode_with_copies(part, size, bits))
        return self._decode_with_copies(payload, shape, bits)

    def _decode_with_copies(self, payload: bytes, shape: Shape, bits: int) -> Samples:
        """Return the samples of a payload of any coder but repeats."""
        if payload[:1] == bytes([BlockCoder.COPIES]):
            return copies.decode(payload[1:], shape, lambda part, size: self._decode_whole(part, size, bits))
        return self._decode_whole(payload, shape, bits)

    def _decode_whole(self, payload: bytes, shape: Shape, bits: int) -> Samples:
        """Return the samples of a payload of any coder but repeats and copies."""
        if payload[:1] == bytes([BlockCoder.INSETS]):
            return insets.decode(payload[1:], shape, lambda part, size: self._decode_part(part, size, bits))
        return self._decode_part(payload, shape, bits)

    def _decode_part(self, payload: bytes, shape: Shape, bits: int) -> Samples:
        """Return the samples of a payload of any coder but repeats, copies and insets."""
        coder, content = payload[:1], payload[1:]
        if coder == bytes([BlockCoder.RAW]):
            return filtered.decode_raw(content, shape, bits)
        if coder == bytes([BlockCoder.NATURAL]):
            return self._decode_natural(content, shape, bits)
        if coder == bytes([BlockCoder.SYNTHETIC]):
            return synthetic.decode(content, shape, bits)
        if coder == bytes([BlockCoder.FILTERED]):
            return filtered.decode(content, shape, bits)
        if coder == bytes([BlockCoder.INDEXED]):
            return indexed.decode(content, shape, bits, self._decode_natural)
        raise ValueError("a block names no coder that this version has")
