"""Keeps the files that the page uploads and makes, in a folder that is removed at the end.

The page names a file by a random id, never by a path. Pictures of a folder that the user chose are referred to where
they are.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nncodec._support.text import plain, size_of
from nncodec.errors import NncError
from nncodec.limits import DEFAULT_LIMITS

MOST_UPLOAD_BYTES = DEFAULT_LIMITS.pixels
"""Largest file that is taken: one byte for each pixel that a picture may have."""

MOST_TOTAL_BYTES = 16 * MOST_UPLOAD_BYTES
"""Most bytes that are kept at once, uploads and results together."""

MOST_FILES = 10_000
_MOST_NAME = 200


@dataclass(frozen=True)
class KeptFile:
    """A file that the page knows by its id.

    Args:
        name: as the user calls it, without folders.
        path: where it is.
        owned: whether it lies in the server's own folder.
        source: id of the file that it was made from; empty for an input.
    """

    id: str
    name: str
    path: Path
    owned: bool = True
    source: str = ""


class Files:
    """The files of one server. Safe to use from several threads."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="nncodec-ui-"))
        self._files: dict[str, KeptFile] = {}
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, file_id: object) -> KeptFile:
        """Return a file; raises NncError if there is none with this id."""
        with self._lock:
            found = self._files.get(file_id) if isinstance(file_id, str) else None
        if found is None:
            raise NncError(detail="this file is no longer here; add it again")
        return found

    def add(self, name: str, data: bytes, source: str = "") -> KeptFile:
        """Keep a result; raises NncError if there is no room for it."""
        file = self._new(name, source)
        self._take_room(file.id, len(data))
        file.path.write_bytes(data)
        return self._keep(file)

    def refer(self, path: Path) -> KeptFile:
        """Give an id to a file of the user's folder."""
        return self._keep(KeptFile(secrets.token_hex(8), _clean(path.name), path, owned=False))

    async def receive(self, name: str, parts: AsyncIterator[bytes]) -> KeptFile:
        """Keep an upload; raises NncError if it is too large."""
        file = self._new(name)
        try:
            with file.path.open("wb") as stream:
                async for part in parts:
                    self._take_room(file.id, len(part), MOST_UPLOAD_BYTES)
                    stream.write(part)
        except BaseException:
            self._drop(file)
            raise
        return self._keep(file)

    def remove(self, file_id: str) -> None:
        """Forget a file and what was made from it; files of the user's folder stay where they are."""
        with self._lock:
            gone = [file for file in self._files.values() if file_id in (file.id, file.source)]
            made = {file.id for file in gone}
            gone += [file for file in self._files.values() if file.source in made and file not in gone]
        for file in gone:
            self._drop(file)

    def _new(self, name: str, source: str = "") -> KeptFile:
        file_id = secrets.token_hex(8)
        return KeptFile(file_id, _clean(name), self._folder / file_id, source=source)

    def _take_room(self, file_id: str, size_bytes: int, most: int = MOST_TOTAL_BYTES) -> None:
        with self._lock:
            size = self._sizes.get(file_id, 0) + size_bytes
            if size > most:
                raise NncError(detail=f"the file is larger than {size_of(most)}")
            if sum(self._sizes.values()) + size_bytes > MOST_TOTAL_BYTES:
                raise NncError(detail=f"all files together take more than {size_of(MOST_TOTAL_BYTES)}; remove some")
            self._sizes[file_id] = size

    def _keep(self, file: KeptFile) -> KeptFile:
        with self._lock:
            if len(self._files) >= MOST_FILES:
                raise NncError(detail=f"there are {MOST_FILES:,} files already; remove some")
            self._files[file.id] = file
        return file

    def _drop(self, file: KeptFile) -> None:
        with self._lock:
            self._files.pop(file.id, None)
            self._sizes.pop(file.id, None)
        if file.owned:
            file.path.unlink(missing_ok=True)


def _clean(name: str) -> str:
    """Return the last part of a name, printable and not too long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return plain(last)[-_MOST_NAME:] or "picture"
