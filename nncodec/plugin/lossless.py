"""What a lossless plugin implements: it codes blocks of samples exactly, and nothing else.

Core handles files, blocks, colour modes, palettes, alpha, metadata and near-lossless coding: a model never knows of a
permitted error. This module needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.engine import BrowserPart, Loader
from nncodec.plugin.latents import kind_of_array
from nncodec.plugin.model_file import ModelFile

Samples = NDArray[np.uint16]
"""Images of up to 16 bits a sample, uint16 (N, H, W, C), all samples below 2^bits."""


@dataclass(frozen=True)
class LosslessTraits:
    """What core needs to know about a lossless model.

    Args:
        max_bits: the most bits a sample that it takes, 1..16.
        max_planes: the most planes that it takes, 1..32.
        efforts: the effort levels that differ, ascending, out of 0..9.
        seconds_per_megapixel: roughly what one processor core takes to encode RGB at each of the efforts, for
            estimates; empty if nobody measured it.
    """

    max_bits: int = 16
    max_planes: int = 32
    efforts: tuple[int, ...] = (0,)
    seconds_per_megapixel: tuple[float, ...] = ()


class LosslessModel(ABC):
    """A lossless model with its weights loaded. Core calls `encode` and `decode` from several threads at once."""

    traits: LosslessTraits

    @classmethod
    @abstractmethod
    def from_file(cls, model_file: ModelFile) -> LosslessModel:
        """Build the model from an opened model file.

        Raises:
            ValueError: config or tensors do not fit the architecture. Both are untrusted: validate, then build.
        """

    @abstractmethod
    def encode(self, samples: Samples, bits: int, effort: int) -> bytes:
        """Return the payload of one block, at least one byte and at most a few more than the raw samples.

        Args:
            samples: uint16 (N, H, W, C), no axis empty.
            bits: of each sample, 1..`traits.max_bits`.
            effort: one of `traits.efforts`.
        """

    @abstractmethod
    def decode(self, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
        """Return the samples of a payload, which is untrusted.

        Time and memory must be bounded by `shape`, whatever the payload holds.

        Args:
            payload: as `encode` returned it, or damaged, or forged.
            shape: (N, H, W, C) of the samples.
            bits: of each sample.

        Raises:
            ValueError: the payload is damaged; the message says in one line how.
        """

    def browser_part(self, loader: Loader) -> BrowserPart | None:
        """Return what the model needs to decode in a browser; None if it cannot.

        Args:
            loader: records the networks that decoding needs.
        """
        return None


def problem_with_samples(samples: object, shape: tuple[int, ...], bits: int) -> str | None:
    """Return what is wrong with what a model decoded, uint16 of this shape below 2^bits, or None."""
    found, expected = kind_of_array(samples), f"uint16 {tuple(shape)}"
    if found != expected:
        return f"it decoded {found} instead of {expected} of {bits} bits"
    top = int(cast(Samples, samples).max())
    return f"it decoded {found} up to {top} instead of {expected} of {bits} bits" if top >> bits else None
