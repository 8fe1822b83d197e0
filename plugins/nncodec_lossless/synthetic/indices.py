"""Indices of colours, coded pixel by pixel of a wavefront.

A picture of two colours is a decision per pixel, in contexts of up to 25 pixels as in JBIG2. With more colours, a pixel
is guessed twice, and only what was guessed wrongly is spelled out bit by bit. The first guess is the colour that came
last in the same surroundings, wherever that was, so a letter or a pattern costs next to nothing when it comes again.

References:
    ITU-T T.88 (JBIG2), 6.2: templates of bilevel contexts.
    Wu and Memon, "Context-based, adaptive, lossless image coding", IEEE Trans. Comm. 45(4), 1997.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncodec_lossless.synthetic.memory import Memory
from nncodec_lossless.synthetic.probabilities import BitCoder, Contexts, Ints, Keys
from nncodec_lossless.synthetic.wavefront import Neighbours, Template, Wavefront

_NONE = (0, 0)
_TWO_COLOURS: tuple[Template, ...] = (
    ((0, 2), (0, 3), (3, 4), _NONE),
    ((0, 3), (0, 4), (2, 5), _NONE),
    ((0, 4), (0, 5), (1, 6), _NONE),
    ((0, 6), (0, 7), (0, 7), (3, 8)),
)
_MANY_COLOURS: tuple[Template, ...] = (
    ((0, 1), (1, 2), _NONE, _NONE),
    ((0, 1), (0, 3), _NONE, _NONE),
    ((0, 2), (0, 3), (3, 4), _NONE),
    ((0, 3), (0, 4), (2, 5), _NONE),
    ((0, 4), (0, 5), (1, 6), _NONE),
)
_SLOT_BITS = 18
_SPELLING_SLOT_BITS = 20
# Contexts of a spelled bit: none, the pixel to the left, the one above, both, all four, these and the wrong guesses.
_SPELLING_LEVELS = 6
_FOLD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.array([0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


def code_indices(indices: NDArray[np.uint16], colours: int, coder: BitCoder) -> None:
    """Write frames of indices, or read them.

    Args:
        indices: uint16 (frames, height, width), each below `colours`; when reading, they are replaced, by values below
            the next power of two.
        colours: at least 2.
        coder: writes or reads.
    """
    bits = (colours - 1).bit_length()
    pixel_bits = min(8, 1 << (bits - 1).bit_length())
    front = Wavefront(indices.shape, pixel_bits, _TWO_COLOURS if bits == 1 else _MANY_COLOURS)
    pixels = _TwoColours(coder) if bits == 1 else _ManyColours(coder, bits)
    flat = indices.reshape(-1)
    for places in front.steps():
        coded = pixels.code(front, flat[places].astype(np.int64))
        flat[places] = coded
        front.advance(coded)


class _TwoColours:
    def __init__(self, coder: BitCoder) -> None:
        self._coder = coder
        self._contexts = Contexts(len(_TWO_COLOURS), _SLOT_BITS)

    def code(self, front: Wavefront, indices: Ints) -> Ints:
        return self._coder.code(self._contexts, front.keys(), indices == 1).astype(np.int64)


class _ManyColours:
    """Guesses, then spells.

    Contexts of a guess hold the colour guessed, so that they learn how often it follows in these surroundings.
    """

    def __init__(self, coder: BitCoder, bits: int) -> None:
        self._coder = coder
        self._bits = bits
        self._first = Contexts(len(_MANY_COLOURS), _SLOT_BITS)
        self._second = Contexts(len(_MANY_COLOURS), _SLOT_BITS)
        self._spelling = Contexts(_SPELLING_LEVELS, _SPELLING_SLOT_BITS)
        self._memory = Memory()

    def code(self, front: Wavefront, indices: Ints) -> Ints:
        keys, beside = front.keys(), front.neighbours()
        recall = self._memory.recall(keys)
        # Two equal pixels to the left say that an edge, if any, lies above.
        plain = np.where(beside.west == beside.north_west, beside.north, beside.west)
        near = recall.colour(0, plain)
        guess = recall.colour(1, near)
        keys += guess.view(np.uint64) * _MIX[1]
        right = self._coder.code(self._first, keys * _MIX[0], indices == guess)
        wrong = np.flatnonzero(~right)
        coded = guess.copy()
        if wrong.size:
            others = np.stack([near, plain, *beside])[:, wrong]
            coded[wrong] = self._wrong(keys[:, wrong], guess[wrong], others, indices[wrong])
        self._memory.learn(recall, coded)
        return coded

    def _wrong(self, keys: Keys, guess: Ints, others: Ints, indices: Ints) -> Ints:
        """Code indices of which the first guess was wrong; the second is the first of `others` that differs from it."""
        coded: Ints = others[(others != guess).argmax(0), np.arange(guess.size)]
        keys = keys + coded.view(np.uint64) * _MIX[2]
        right = self._coder.code(self._second, keys * _MIX[0], indices == coded)
        left = np.flatnonzero(~right)
        if left.size:
            guesses = np.stack([guess, coded])[:, left]
            coded[left] = self._spell(Neighbours(*others[2:, left]), guesses, indices[left])
        return coded

    def _spell(self, beside: Neighbours, guesses: Ints, indices: Ints) -> Ints:
        """Code indices bit by bit, from the highest, in contexts of the pixels around and the guesses (2, pixels)."""
        surroundings = np.zeros((_SPELLING_LEVELS, indices.size), np.uint64)
        surroundings[1], surroundings[2] = _hashes(beside.west, beside.north)
        surroundings[3:] = surroundings[1] + surroundings[2]
        for level, pair in ((4, (beside.north_west, beside.north_east)), (5, guesses)):
            first, second = _hashes(*pair)
            surroundings[level:] *= _FOLD
            surroundings[level:] += first + second
        node = np.ones(indices.size, np.int64)
        for place in range(self._bits - 1, -1, -1):
            keys = (surroundings + node.view(np.uint64) * _MIX[1]) * _MIX[0]
            node = 2 * node + self._coder.code(self._spelling, keys, (indices >> place & 1) == 1)
        return node - (1 << self._bits)


def _hashes(first: Ints, second: Ints) -> tuple[Keys, Keys]:
    """Return what two neighbours of pixels add to the hash of a context."""
    return (first + 1).view(np.uint64) * _MIX[0], (second + 1).view(np.uint64) * _MIX[2]
