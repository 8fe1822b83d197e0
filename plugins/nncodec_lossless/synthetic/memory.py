"""Remembers which colour came last in each of the surroundings seen so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nncodec_lossless.synthetic.probabilities import Bools, Ints, Keys

_SLOT_BITS = 18
# An entry holds the colour in its lower 16 bits, and above it what tells surroundings apart that share a slot; its
# highest bit but 8 is set, so that an empty slot fits none.
_COLOUR = 0xFFFF
_SHIFT = np.uint64(64 - _SLOT_BITS)
_TAG_SHIFT = np.uint64(8)
_USED = np.uint64(1 << 55)


class Recall(NamedTuple):
    """What is remembered for the pixels of a step, each array int64 or bool (2, pixels)."""

    slots: Ints
    tags: Ints
    colours: Ints
    known: Bools

    def colour(self, level: int, otherwise: Ints) -> Ints:
        """Return the colour that came last, or another one where none did."""
        return np.where(self.known[level], self.colours[level], otherwise)


class Memory:
    """A table for each of the two largest levels of contexts."""

    def __init__(self) -> None:
        self._entries = np.zeros(2 << _SLOT_BITS, np.int64)
        self._starts = np.array([[0], [1 << _SLOT_BITS]])

    def recall(self, keys: Keys) -> Recall:
        """Look up pixels by the hashes of their contexts, uint64 (levels, pixels)."""
        largest = keys[-2:]
        slots = (largest >> _SHIFT).view(np.int64)
        slots += self._starts
        tags = (largest >> _TAG_SHIFT | _USED).view(np.int64) & ~_COLOUR
        entries = self._entries[slots]
        return Recall(slots, tags, entries & _COLOUR, entries & ~_COLOUR == tags)

    def learn(self, recall: Recall, colours: Ints) -> None:
        """Remember the colours of pixels that were looked up; of several in a slot the one with the largest entry."""
        self._entries[recall.slots] = 0
        np.maximum.at(self._entries, recall.slots, recall.tags | colours)
