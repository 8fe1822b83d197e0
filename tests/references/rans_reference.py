"""A second decoder of range ANS payloads, written from docs/format.md with Python integers."""

from __future__ import annotations

from collections.abc import Callable

from nncodec.plugin.entropy import Tables


class AnsReader:
    """The state of a decoder, and what it takes from a payload."""

    def __init__(self, payload: bytes) -> None:
        assert payload[-1]
        padded = payload + bytes(-len(payload) % 4)
        self.words = [int.from_bytes(padded[i : i + 4], "little") for i in range(0, len(padded), 4)]
        self.x = self.words.pop()
        if self.words:
            self.x = self.x << 32 | self.words.pop()
        self.states = [self.x]

    def symbols(
        self, tables: list[int], frequencies: Callable[[int], list[int]], first: int, columns: int
    ) -> list[int]:
        """Return a stage's symbols: `first` is that of column 0, and the last of the columns stands for escapes."""
        order = sorted(range(len(tables)), key=tables.__getitem__)
        symbols = [0] * len(tables)
        escapes = []
        for place in order:
            column = self.column(frequencies(tables[place]))
            symbols[place] = first + column
            if column == columns - 1:
                escapes.append(place)
        heads = [self.digit(64) for _ in escapes]
        widths = [head // 2 for head in heads]
        low = [self.digit(2 ** min(b, 16)) if b >= 1 else 0 for b in widths]
        high = [self.digit(2 ** (b - 16)) if b >= 17 else 0 for b in widths]
        for i, place in enumerate(escapes):
            distance = 2 ** widths[i] + low[i] + 2**16 * high[i]
            symbols[place] = first - distance if heads[i] % 2 else first + columns - 2 + distance
        return symbols

    def digit(self, size: int) -> int:
        return self.column([2**24 // size] * size)

    def column(self, frequencies: list[int]) -> int:
        q, start, i = self.x % 2**24, 0, 0
        while q >= start + frequencies[i]:
            start += frequencies[i]
            i += 1
        self.x = self.x // 2**24 * frequencies[i] + q - start
        if self.x < 2**32 and self.words:
            self.x = self.x << 32 | self.words.pop()
        self.states.append(self.x)
        return i

    @property
    def at_end(self) -> bool:
        return self.x == 2**24 and not self.words


class PageDecoder(AnsReader):
    """Decodes a payload stage by stage with a model's tables."""

    def __init__(self, payload: bytes, tables: Tables) -> None:
        super().__init__(payload)
        self.first = tables.minimum
        self.columns = tables.frequencies.shape[1]
        self.scaled = [[f << 24 - tables.precision for f in row] for row in tables.frequencies.tolist()]

    def stage(self, tables: list[int]) -> list[int]:
        return self.symbols(tables, self.scaled.__getitem__, self.first, self.columns)
