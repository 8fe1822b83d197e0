"""Where files of a training set are, and parts of them as streams, in whichever process reads them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from nncodec._support.text import describe
from nncodec.batch.run import Place
from nncodec.batch.stores import Entry, Store, open_store, url_of
from nncodec.errors import InvalidOption, NncError

Source = Place | Sequence[Place]
"""A folder, a file or a URL of one, or several of them."""

_T = TypeVar("_T")

NNC, TAR = ".nnc", ".tar"
_BUFFER_BYTES = 1 << 22  # what is read at once of a file that is read from front to end


class Part(NamedTuple):
    """Bytes of a file.

    Args:
        store: URL of the folder.
        name: of the file below it.
        start, size: of the bytes; None for all of the file.
    """

    store: str
    name: str
    start: int
    size: int | None


class Stores:
    """Opens stores when they are needed, again in each process: no connection survives a fork. It can be pickled."""

    def __init__(self) -> None:
        self._open: PerProcess[dict[str, Store]] = PerProcess(dict)

    def __getitem__(self, url: str) -> Store:
        """Return the store at a URL; raises NncError."""
        stores = self._open.value
        if url not in stores:
            stores[url] = open_store(url)
        return stores[url]

    def read(self, part: Part) -> bytes:
        """Return bytes of a file.

        Raises:
            NncError: they cannot be read.
        """
        try:
            return self[part.store].read(part.name, part.start, part.size) if part.size != 0 else b""
        except NncError:
            raise
        except Exception as error:  # the stores of fsspec may raise anything
            raise NncError(detail=f"cannot read {part.name} in {part.store}: {describe(error)}") from error

    def stream(self, part: Part, buffer_bytes: int = _BUFFER_BYTES) -> io.BufferedReader:
        """Return a stream of a file whose size is known; closing it is not necessary.

        Args:
            part: all of a file.
            buffer_bytes: read at once.
        """
        return io.BufferedReader(_PartStream(self, part), buffer_bytes)


class PerProcess(Generic[_T]):
    """A value that each process makes for itself; pickles and forks leave it behind.

    Args:
        make: returns the value.
    """

    def __init__(self, make: Callable[[], _T]) -> None:
        self._make = make
        self._made: tuple[int, _T] | None = None

    @property
    def value(self) -> _T:
        """The value of this process."""
        if self._made is None or self._made[0] != os.getpid():
            self._made = os.getpid(), self._make()
        return self._made[1]

    def __getstate__(self) -> dict[str, Any]:
        """Return what is copied: how to make the value."""
        return {"_make": self._make, "_made": None}


class _PartStream(io.RawIOBase):
    """Reads a file in ranges, each of them again if the way to the store fails."""

    def __init__(self, stores: Stores, part: Part) -> None:
        if part.size is None:
            raise NncError(detail=f"{part.store} does not say how large {part.name} is; copy it to a folder")
        self._stores, self._part, self._size, self._place = stores, part, part.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        size = max(0, min(len(buffer), self._size - self._place))
        data = self._stores.read(self._part._replace(start=self._part.start + self._place, size=size))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def places_of(source: Source) -> list[str]:
    """Return the paths and URLs that a source is; raises InvalidOption if it is something else."""
    if isinstance(source, str | os.PathLike):
        return [url_of("source", source)]
    if isinstance(source, bytes | bytearray) or not isinstance(source, Iterable):
        reason = f"expected a path or a URL, or a list of these, got {type(source).__name__}"
        raise InvalidOption(option="source", reason=reason)
    return [url_of("source", place) for place in source]


def find_files(url: str, extensions: Collection[str], stores: Stores) -> Iterator[tuple[str, Entry]]:
    """Yield the files of a place that have certain extensions, each with the URL of the folder that its name is of.

    Args:
        url: of a file, if it ends in `.nnc` or `.tar`; else of a folder, whose files come in the order of their names.
        extensions: such as ".nnc", in small letters.
        stores: open the folders.

    Raises:
        NncError: a folder or a file is not there.
    """
    try:
        for folder, entry in _found_at(url, stores):
            if extension_of(entry.name) in extensions:
                yield folder, entry
    except NncError:
        raise
    except Exception as error:  # the stores of fsspec may raise anything
        raise NncError(detail=f"cannot read {url}: {describe(error)}") from error


def _found_at(url: str, stores: Stores) -> Iterator[tuple[str, Entry]]:
    if extension_of(url) in (NNC, TAR):
        folder, name = os.path.split(url)
        store = stores[folder or "."]
        yield store.url, store.find(name)
        return
    store, folders = stores[url], [""]
    while folders:
        files, inner = store.listing(folders.pop())
        folders += reversed(inner)
        yield from ((store.url, entry) for entry in files)


def extension_of(name: str) -> str:
    """Return the extension of a name in small letters, with its dot."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (it may be a URL)
