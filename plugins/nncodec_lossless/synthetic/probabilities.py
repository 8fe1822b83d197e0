"""Adaptive probabilities of binary decisions, blended over a chain of ever larger contexts, and their range coder.

A decision is coded with the probability that its largest context has seen, as far as that has seen anything, and with
that of the next smaller context otherwise. Many decisions are coded at once: all of them see the counts from before,
and the counts do not depend on their order. Everything is integer arithmetic, exact on every machine.

References:
    Cleary and Witten, "Data compression using adaptive coding and partial string matching", IEEE Trans. Comm. 32, 1984.
    MacKay and Bauman Peto, "A hierarchical Dirichlet language model", Natural Language Engineering 1(3), 1995.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from constriction import stream
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Keys = NDArray[np.uint64]
"""Hashes of contexts, uint64 (levels, decisions), from the smallest to the largest contexts."""

# Probabilities are multiples of 2^-PRECISION.
PRECISION = 22
_ONE = float(1 << PRECISION)
# Observations for which the probability of the next smaller context counts.
_WEIGHT = 4
# A slot holds the number of decisions in its upper 32 bits, and of those that came true in its lower.
_DECISION = 1 << 32
_TRUE = _DECISION - 1
# The range coder's state in the beginning, and in the decoder's end.
_SEAL = 1 << 24
_WORD_BYTES = 4
_BERNOULLI: Any = stream.model.Bernoulli(perfect=False)


class Contexts:
    """Counts of decisions in each context: a table of 2^slot_bits slots for each of the levels, found by hash."""

    def __init__(self, levels: int, slot_bits: int) -> None:
        self._counts = np.zeros(levels << slot_bits, np.int64)
        self._starts = np.arange(levels, dtype=np.int64)[:, None] << slot_bits
        self._shift = np.uint64(64 - slot_bits)

    def slots(self, keys: Keys) -> Ints:
        """Return the slots of contexts, int64 (levels, decisions), by the upper bits of their hashes."""
        slots = (keys >> self._shift).view(np.int64)
        slots += self._starts
        return slots

    def probabilities(self, slots: Ints) -> NDArray[np.float64]:
        """Return the probability that each decision is true: a multiple of 2^-22, below 1."""
        seen = self._counts[slots]
        true = seen & _TRUE
        true <<= PRECISION
        seen >>= 32
        seen += _WEIGHT
        blended: Ints | int = 1 << PRECISION - 1
        for level_true, level_seen in zip(true, seen, strict=True):
            blended = (level_true + blended * _WEIGHT) // level_seen
        return np.asarray(blended / _ONE)

    def learn(self, slots: Ints, decisions: Bools) -> None:
        """Count decisions in the slots of their contexts."""
        # Not broadcast by `add.at`: NumPy 2.4 adds garbage then.
        steps = np.empty_like(slots)
        steps[:] = decisions + _DECISION
        np.add.at(self._counts, slots, steps)


class BitWriter:
    """Collects decisions, and codes them in the end: the range coder is last in, first out."""

    def __init__(self) -> None:
        self._decisions: list[Bools] = []
        self._probabilities: list[NDArray[np.float64]] = []

    def code(self, contexts: Contexts, keys: Keys, decisions: Bools) -> Bools:
        """Code decisions in their contexts, and return them."""
        slots = contexts.slots(keys)
        self._probabilities.append(contexts.probabilities(slots))
        self._decisions.append(decisions)
        contexts.learn(slots, decisions)
        return decisions

    def finish(self) -> bytes:
        """Return the bytes, at least one."""
        stack = stream.stack.AnsCoder(np.array([_SEAL], np.uint32))
        if self._decisions:
            bits = np.concatenate(self._decisions).astype(np.int32)
            stack.encode_reverse(bits, _BERNOULLI, np.concatenate(self._probabilities))
        return bytes(stack.get_compressed().astype("<u4").tobytes().rstrip(b"\0"))


class BitReader:
    """Returns the decisions that a `BitWriter` coded."""

    def __init__(self, payload: bytes) -> None:
        """Open a payload; raises ValueError if it is malformed."""
        if not payload or not payload[-1]:
            raise ValueError("a synthetic block is not range-coded")
        words = np.frombuffer(payload + bytes(-len(payload) % _WORD_BYTES), "<u4")
        self._stack = stream.stack.AnsCoder(words.astype(np.uint32))

    def code(self, contexts: Contexts, keys: Keys, decisions: Bools) -> Bools:
        """Return the next decisions; `decisions` only gives their number.

        Raises:
            ValueError: the payload holds fewer.
        """
        slots = contexts.slots(keys)
        bits = self._stack.decode(_BERNOULLI, contexts.probabilities(slots)) == 1
        words, state = self._stack.pos()
        if not words and state < _SEAL:
            raise ValueError("a synthetic block has fewer decisions than its samples need")
        contexts.learn(slots, bits)
        return np.asarray(bits)

    def finish(self) -> None:
        """Raise ValueError if some of the payload is left over."""
        if self._stack.pos() != (0, _SEAL):
            raise ValueError("a synthetic block has more decisions than its samples need")


BitCoder = BitWriter | BitReader
