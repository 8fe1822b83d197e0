"""Finds what is due: the files of the source that have no result yet, or whose result is out of date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nncodec._support.text import describe
from nncodec.batch.manifest import KILLED, Item, Manifest, Outcome, Shard
from nncodec.batch.operations import Checking, Decoding, Operation
from nncodec.batch.stores import Entry, Store
from nncodec.errors import NncError
from nncodec.picture.naming import is_nnc

_GROUP_BYTES, _GROUP_FILES = 1 << 20, 32
"""The most that a worker gets at once, unless a file alone is larger."""
_FRAME = re.compile(r"(.+)-\d{4,}(\.[^./]*)")
UNKNOWN_BYTES = 1 << 17
"""Size that a file is taken to have if its store does not say it."""


@dataclass
class Plan:
    """Walks through a source, folder by folder, and yields what is due.

    Args:
        source, dest: where files are, and where results go.
        operation: what is done.
        shard: the part of the files to take.
        manifest: of earlier runs.
        retry_killed: whether to try files again that killed their worker.

    Attributes:
        skipped: files so far that need not be done.
        extra: .nnc files so far that `check` found in the destination without a picture in the source.
    """

    source: Store
    dest: Store
    operation: Operation
    shard: Shard
    manifest: Manifest
    retry_killed: bool = False
    skipped: int = 0
    extra: int = 0

    def due(self) -> Iterator[tuple[Item, Outcome | None]]:
        """Yield every item that is due, and those that fail before any work with their outcome.

        Raises:
            NncError: the source is not there.
        """
        if self.source.is_cut:
            archive = PurePosixPath(self.source.url).name
            yield Item(archive, archive), Outcome(error="it is cut: it has no end marker, so files may be missing")
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                files, inner = self.source.listing(folder)
            except Exception as error:  # the stores of fsspec may raise anything
                if not folder:
                    raise cannot_list(self.source, error) from error
                yield Item(folder, folder), Outcome(error=f"cannot list it: {describe(error)}")
                continue
            folders += reversed([name for name in inner if not self._is_dest(name)])
            yield from self._due_in(folder, files)

    def _is_dest(self, folder: str) -> bool:
        """Whether a folder of the source is the destination: a repeated run must not take its own results."""
        return f"{self.source.url.rstrip('/')}/{folder}" == self.dest.url.rstrip("/")

    def _due_in(self, folder: str, files: list[Entry]) -> Iterator[tuple[Item, Outcome | None]]:
        found = self._found(folder)
        results: dict[str, list[Entry]] = {}
        for entry in files:
            base = entry.name.rpartition("/")[2]
            if self.operation.takes(base):
                name = self.operation.result_name(base)
                results.setdefault(f"{folder}/{name}" if folder else name, []).append(entry)
        if isinstance(self.operation, Checking):
            results = _those_encoded(results, found)
        frames = _names_like_frames(results) if isinstance(self.operation, Decoding) else {}
        for result, entries in results.items():
            for entry in entries:
                if self.shard.holds(entry.name):
                    yield from self._checked(entry, result, entries, found, tuple(frames.get(result, ())))
        if isinstance(self.operation, Checking):
            strays = (
                name for name in found if is_nnc(PurePosixPath(name)) and name not in results and self.shard.holds(name)
            )
            self.extra += sum(1 for _ in strays)

    def _checked(
        self, entry: Entry, result: str, rivals: list[Entry], found: dict[str, Entry], taken: tuple[str, ...]
    ) -> Iterator[tuple[Item, Outcome | None]]:
        item = Item(entry.name, result, entry.size, entry.version, taken)
        if len(rivals) > 1:
            names = " and ".join(rival.name for rival in rivals)
            both = "both" if len(rivals) == 2 else "all"
            reason = f"{names} would {both} be written to {result}; rename one, or use --keep-extension"
            yield item, Outcome(error=reason)
            return
        if isinstance(self.operation, Checking):
            there = found.get(result)
            if there is None:
                yield item, Outcome(error=f"it has no result: {result} is missing")
                return
            item = Item(entry.name, result, there.size, there.version)
        if self.manifest.killed(item) and not self.retry_killed:
            reason = "it killed its worker in an earlier run; --retry-killed tries it again"
            yield item, Outcome(error=reason, kind=KILLED)
        elif self.manifest.is_done(item, found):
            self.skipped += 1
        else:
            yield item, None

    def _found(self, folder: str) -> dict[str, Entry]:
        """Return the files in a folder of the destination, if they matter."""
        if not isinstance(self.operation, Checking) and not self.manifest.knows_anything:
            return {}
        try:
            return {entry.name: entry for entry in self.dest.listing(folder)[0]}
        except FileNotFoundError:
            return {}


def cannot_list(store: Store, error: Exception) -> NncError:
    """Return the error for a source that is not there, or cannot be read."""
    return NncError(detail=f"cannot list {store.url}: {describe(error)}")


def _those_encoded(results: dict[str, list[Entry]], found: dict[str, Entry]) -> dict[str, list[Entry]]:
    """Leave .nnc files out unless one of them has a result: only `-q keep` encodes these."""
    files = {
        result: [entry for entry in entries if is_nnc(PurePosixPath(entry.name))] for result, entries in results.items()
    }
    if any(entries and result in found for result, entries in files.items()):
        return results
    pictures = {result: [entry for entry in results[result] if entry not in files[result]] for result in results}
    return {result: entries for result, entries in pictures.items() if entries}


def _names_like_frames(results: Iterable[str]) -> dict[str, list[str]]:
    """Return, for each result, the other results that are called like one of its frames: `a-0001.png` for `a.png`."""
    names = set(results)
    found: dict[str, list[str]] = {}
    for name in names:
        if (match := _FRAME.fullmatch(name)) and (whole := match[1] + match[2]) in names:
            found.setdefault(whole, []).append(name)
    return found


def grouped(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield items in groups of at most a megabyte, or one file, so that small files cost one message together."""
    group: list[Item] = []
    size = 0
    for item in items:
        own = UNKNOWN_BYTES if item.size is None else item.size
        if group and (size + own > _GROUP_BYTES or len(group) >= _GROUP_FILES):
            yield group
            group, size = [], 0
        group.append(item)
        size += own
    if group:
        yield group


def evenly(items: Iterable[Item], count: int) -> tuple[list[Item], int, int]:
    """Return items spread evenly over all, and the number and bytes of all, in one pass and bounded memory."""
    kept: list[Item] = []
    step, number, size = 1, 0, 0
    for number, item in enumerate(items, 1):
        size += item.size or 0
        if (number - 1) % step == 0:
            kept.append(item)
            if len(kept) == 2 * count:
                kept, step = kept[::2], 2 * step
    chosen = min(count, len(kept))
    return [kept[place * len(kept) // chosen] for place in range(chosen)], number, size
