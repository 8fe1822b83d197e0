"""What a worker does, on whatever engine: reads files of a group, codes them, and publishes the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nncodec._support.text import describe
from nncodec.batch.coding import CodedFile
from nncodec.batch.manifest import TRANSPORT, Item, Outcome
from nncodec.batch.operations import Checking, Encoding, Operation, open_models
from nncodec.batch.stores import open_store
from nncodec.batch.transport import is_transport_error
from nncodec.coding.grid import PIXELS_AT_ONCE
from nncodec.errors import NncError
from nncodec.plugin import registry

FREE_PIXELS = PIXELS_AT_ONCE
"""Files of up to so many pixels need no permission: they count as what every worker takes."""


@dataclass(frozen=True)
class Assignment:
    """What every worker of a run must know. It can be pickled.

    Args:
        operation: what is done with each file.
        source, dest: URLs of the stores.
        scratch: folder of the state folder for files that are not complete.
        models: files of models that need not be installed; workers of this machine read them.
        publishes: whether results are written, or only counted.
    """

    operation: Operation
    source: str
    dest: str
    scratch: str
    models: tuple[Path, ...] = ()
    publishes: bool = True


class Worker:
    """Does groups of files, one after another, in the process that made it.

    Raises:
        NncError: a model or a store cannot be opened.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._operation, self._publishes = assignment.operation, assignment.publishes
        for path in assignment.models:
            registry.use_model(path)
        self._dest = open_store(assignment.dest, assignment.scratch)
        is_check = isinstance(self._operation, Checking)
        self._source = self._dest if is_check else open_store(assignment.source)
        open_models(self._operation)

    def run(self, items: Sequence[Item], admit: Callable[[int], None]) -> Iterator[tuple[Item, Outcome]]:
        """Yield every item with its outcome, in any order, as soon as it is there.

        Args:
            items: a group.
            admit: called with the number of pixels of a file before they are read; returns when there is memory.
        """
        if len(items) > 1 and isinstance(self._operation, Encoding) and self._operation.settings.shares_passes:
            yield from self._run_together(items, admit)
            return
        for item in items:
            yield item, self._attempt(item, admit)

    def _run_together(self, items: Sequence[Item], admit: Callable[[int], None]) -> Iterator[tuple[Item, Outcome]]:
        operation, read, start = self._operation, dict[Item, bytes](), time.perf_counter()
        for item in items:
            try:
                read[item] = self._read(item)
            except Exception as error:
                yield item, _failure(error)
        small = {item: data for item, data in read.items() if operation.pixels(data) <= FREE_PIXELS}
        coded = operation.together([*small.values()]) if isinstance(operation, Encoding) else []
        results = dict(zip(small, coded, strict=True))
        shared = sum(result is not None for result in results.values())
        seconds = (time.perf_counter() - start) / max(1, shared)
        for item, data in read.items():
            yield item, self._attempt(item, admit, data, results.get(item), seconds)

    def _attempt(
        self,
        item: Item,
        admit: Callable[[int], None],
        data: bytes | None = None,
        coded: CodedFile | None = None,
        seconds: float = 0,
    ) -> Outcome:
        """Do one file, as far as it is not read and coded yet, and return what became of it."""
        start = time.perf_counter() - (seconds if coded else 0)
        try:
            data = self._read(item) if data is None else data
            pixels = self._operation.pixels(data)
            if coded is None:
                if pixels > FREE_PIXELS:
                    admit(pixels)
                coded = self._operation.code(data)
            if self._publishes:
                self._publish(item, coded)
        except Exception as error:  # one file must not stop the others, whatever is wrong with it
            return _failure(error, time.perf_counter() - start)
        sizes = [len(part) for _, part in coded.parts]
        elapsed = time.perf_counter() - start
        return Outcome(len(sizes), sum(sizes), pixels, elapsed, notes=coded.notes + coded.run_notes)

    def _read(self, item: Item) -> bytes:
        return self._source.read(item.result if isinstance(self._operation, Checking) else item.source)

    def _publish(self, item: Item, coded: CodedFile) -> None:
        stem, dot, suffix = item.result.rpartition(".")
        parts = {f"{stem}{infix}{dot}{suffix}": data for infix, data in coded.parts}
        if taken := next((name for name in item.taken if name in parts), None):
            reason = "which is the result of another file; rename one, or use --keep-extension"
            raise NncError(detail=f"a frame of it would be written to {taken}, {reason}")
        for name, data in parts.items():
            self._dest.publish(name, data)


def _failure(error: Exception, seconds: float = 0) -> Outcome:
    return Outcome(error=describe(error), kind=TRANSPORT if is_transport_error(error) else "", seconds=seconds)
