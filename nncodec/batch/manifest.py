"""The manifest of a batch: one line of JSON for each file that was done or failed, only ever appended to.

    {"source": "a/b.png", "size": 51234, "version": "mtime 1764130000000000000", "options": "9f3c...", "result":
     "a/b.nnc", "files": 1, "bytes": 8123, "pixels": 393216, "seconds": 0.41, "error": "", "kind": "", "at": 1764130001}

Lines that cannot be read, such as one that a crash has cut, are left out: their files are done again.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nncodec.batch.stores import Entry, Log, Store

KILLED = "killed"
"""Kind of the error of a file that killed its worker; it is not tried again without being asked for."""
TRANSPORT = "transport"
"""Kind of the error of a file that could not be read from its store, or its result not written."""

MANIFEST = "manifest"
"""Of the file, without its ending."""
_SHARD = re.compile(r"(\d+)/(\d+)")
# Check value, files, bytes, time, whether it killed its worker.
_ENTRY = struct.Struct("<QIQd?")


@dataclass(frozen=True, slots=True)
class Item:
    """A file that a batch is to do.

    Args:
        source: its name in the store that is read.
        result: name of its result.
        size: in bytes, if the store says it.
        version: see `stores.Entry`.
        taken: names of other files' results that a frame of this one might get, too.
    """

    source: str
    result: str
    size: int | None = None
    version: str = ""
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file.

    Args:
        files, bytes: number of the results and their size together.
        pixels: of the picture, over all frames.
        seconds: from reading to publishing.
        error: why it failed; empty if it did not.
        kind: of the error: "transport", "killed", or empty for what is wrong with the file.
        notes: for the user.
    """

    files: int = 0
    bytes: int = 0
    pixels: int = 0
    seconds: float = 0.0
    error: str = ""
    kind: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of all files, chosen by a hash of their names: number 1 to `count`."""

    number: int = 1
    count: int = 1

    @classmethod
    def of_text(cls, text: str) -> Shard:
        """Return the shard `i/N`; raises ValueError if that is none."""
        match = _SHARD.fullmatch(text) if isinstance(text, str) else None
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"{text!r} is not a shard such as 1/4, from 1/4 to 4/4")
        return cls(int(match[1]), int(match[2]))

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return f"{self.number}-of-{self.count}"

    def holds(self, name: str) -> bool:
        """Return whether a file belongs to it."""
        return self.count == 1 or _hash(name) % self.count == self.number - 1


class Manifest:
    """What earlier runs of an operation have done, by the manifests of all their shards, and a line for each file more.

    Of several lines on one file the latest counts. An entry takes about 200 bytes of memory.

    Args:
        store: the destination.
        operation: "encode", "decode" or "check".
        shard: that runs now. Other shards of the same count hold other files, so theirs are not read.
        options: digest of what decides the results.
    """

    def __init__(self, store: Store, operation: str, shard: Shard, options: str) -> None:
        self._store, self._operation, self._shard, self._options = store, operation, shard, options
        self._entries: dict[int, bytes] = {}
        self._log: Log | None = None
        self.unreadable = 0

    def read(self) -> None:
        """Read what earlier runs have done."""
        for data in self._store.logs(self._operation, MANIFEST, self._concerns):
            self._take(data.split(b"\n"))

    @property
    def knows_anything(self) -> bool:
        """Whether an earlier run has noted anything."""
        return bool(self._entries)

    def is_done(self, item: Item, found: Mapping[str, Entry]) -> bool:
        """Return whether an item need not be done: it was, with these options, and its results are there as they were.

        Args:
            found: the files in the folder of its result, by name.
        """
        entry = self._entry(item)
        if entry is None or entry[4]:
            return False
        files, size = entry[1], entry[2]
        there = [found[name] for name in result_names(item.result, files) if name in found]
        return len(there) == files and sum(entry.size or 0 for entry in there) == size

    def killed(self, item: Item) -> bool:
        """Return whether an item killed its worker, with these options."""
        entry = self._entry(item)
        return entry is not None and entry[4]

    def add(self, item: Item, outcome: Outcome) -> None:
        """Note what became of an item."""
        if self._log is None:
            self._log = self._store.append(f"{self._operation}/{self._shard.folder}/{MANIFEST}")
        line = {
            "source": item.source,
            "size": item.size,
            "version": item.version,
            "options": self._options,
            "result": item.result,
            "files": outcome.files,
            "bytes": outcome.bytes,
            "pixels": outcome.pixels,
            "seconds": round(outcome.seconds, 4),
            "error": outcome.error,
            "kind": outcome.kind,
            "at": round(time.time(), 3),
        }
        self._log.add(
            json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        )

    def close(self) -> None:
        """Write what is not written yet."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _concerns(self, folder: str) -> bool:
        """Return whether the manifest in a folder may hold files of this shard."""
        match = re.fullmatch(r"(\d+)-of-(\d+)", folder)
        return match is None or int(match[2]) != self._shard.count or folder == self._shard.folder

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            if not line.strip():
                continue
            try:
                entry = json.loads(line.decode("utf-8", "surrogatepass"))
                item = Item(entry["source"], entry["result"], entry["size"], entry["version"])
                if not self._shard.holds(item.source):
                    continue
                at, killed = float(entry["at"]), entry["kind"] == KILLED
                check, done = _check(item, entry["options"]), not entry["error"] or killed
                packed = _ENTRY.pack(check if done else 0, entry["files"], entry["bytes"], at, killed)
            except (ValueError, TypeError, KeyError, struct.error):
                self.unreadable += 1
                continue
            known = self._entries.get(_hash(item.source))
            if known is None or _ENTRY.unpack(known)[3] <= at:
                self._entries[_hash(item.source)] = packed

    def _entry(self, item: Item) -> tuple[int, int, int, float, bool] | None:
        packed = self._entries.get(_hash(item.source))
        if packed is None:
            return None
        entry = _ENTRY.unpack(packed)
        return entry if entry[0] == _check(item, self._options) else None


def result_names(result: str, files: int) -> list[str]:
    """Return the names of the files of a result: its own, or one for each frame as `nncodec decode` names them."""
    if files == 1:
        return [result]
    stem, dot, suffix = result.rpartition(".")
    digits = max(4, len(str(files - 1)))
    return [f"{stem}-{number:0{digits}}{dot}{suffix}" for number in range(files)]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _check(item: Item, options: str) -> int:
    return _hash(json.dumps([item.source, item.size, item.version, item.result, options]))
