"""Places of files: a folder of this machine, or anything that fsspec opens by a URL (s3, gs, http, zip, tar ...)."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tarfile import TarFile
from typing import Any, BinaryIO, Protocol

from nncodec._support.extras import require
from nncodec._support.files import naming, replacing
from nncodec._support.tar_end import is_cut
from nncodec._support.text import describe
from nncodec.batch.transport import retried
from nncodec.errors import InvalidOption, NncError

try:
    import fcntl
except ImportError:  # Windows, where two runs of one shard may do the same work twice
    fcntl = None  # type: ignore[assignment]

STATE_FOLDER = ".nncodec-batch"
"""Folder in a destination that holds what batches note about themselves; hidden, so that no batch takes files of it."""

_ARCHIVES_OF_FSSPEC = {"tar", "zip"}
_PROTOCOL = r"[A-Za-z][A-Za-z0-9+.-]+"
# A name of a file may hold "::", too, so that alone makes no URL.
_URL = re.compile(rf"({_PROTOCOL}::)*{_PROTOCOL}://")
_LOCAL = "file://"
_ARCHIVES = {".zip": "zip", ".tar": "tar", ".tgz": "tar", ".gz": "tar"}
# Stores in which an object is either complete under its name or not there.
_OBJECT_STORES = {"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "oci", "oss", "s3", "s3a"}
_READ_ONLY = {"data", "git", "github", "http", "https", "libarchive", "reference", "tar", "zip"}
# Parts of a log in a store: what is lost of it by a crash is done again.
_LINES_AN_OBJECT, _SECONDS_AN_OBJECT = 1000, 5.0
# What stores call the version of a file; the first that a store has is used.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated", "date_time")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a store.

    Args:
        name: path below the root, with "/".
        size: in bytes; None if the store does not say it.
        version: what changes when the file changes: an ETag, or the time of modification; empty if neither is known.
    """

    name: str
    size: int | None
    version: str


class Store(Protocol):
    """Files below a root."""

    @property
    def url(self) -> str:
        """Where the root is, for `open_store` and messages."""

    def listing(self, folder: str) -> tuple[list[Entry], list[str]]:
        """Return the files and the subfolders of a folder, in order of their names, without hidden ones.

        Raises:
            FileNotFoundError: there is no such folder.
        """

    @property
    def links(self) -> int:
        """How many links to folders listings have left out, since these are not followed."""

    @property
    def outside(self) -> int:
        """How many names such as `/a.png` and `../a` listings of an archive have left out, since they lead outside."""

    @property
    def is_cut(self) -> bool:
        """Whether it is an archive that ends early, so that files may be missing."""

    def find(self, name: str) -> Entry:
        """Return what the store says about a file; raises FileNotFoundError."""

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        """Return the bytes of a file, or `size` of them from `start` on, 1 or more, all within the file."""

    def publish(self, name: str, data: bytes) -> None:
        """Write a file so that nobody ever sees a part of it; replaces one that is there."""

    def publishing(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """Open a file to write that need not fit into memory; it is published at the end of the block."""

    def append(self, name: str) -> Log:
        """Return what adds lines to a file of the state folder, or to a new part of it."""

    def logs(self, folder: str, name: str, wanted: Callable[[str], bool]) -> Iterator[bytes]:
        """Yield the contents of the files that `append` made under a name in the wanted folders of a folder."""

    def is_empty(self) -> bool:
        """Return whether it holds no file or folder, hidden ones apart, or does not exist."""

    def has_state(self) -> bool:
        """Return whether a batch was run with this destination."""

    def locked(self, folder: str) -> contextlib.AbstractContextManager[None]:
        """Keep other processes of this machine from a folder of the state folder until the end of the block.

        Raises:
            NncError: another process has it.
        """

    def clean(self, folder: str) -> None:
        """Remove the temporary files that processes have left in a folder of the state folder."""


class Log(Protocol):
    """A file to which lines are added."""

    def add(self, line: bytes) -> None:
        """Add a line; after a crash it is there, or missing with those that came later."""

    def close(self) -> None:
        """Write what is not written yet."""


def url_of(option: str, place: object) -> str:
    """Return the path or URL that an argument is, as text.

    Raises:
        InvalidOption: it is something else; `option` is its name.
    """
    text = os.fspath(place) if isinstance(place, str | os.PathLike) else None
    if not isinstance(text, str):
        raise InvalidOption(option=option, reason=f"expected a path or a URL, got {type(place).__name__}")
    return text


def open_store(url: str, scratch: str = "") -> Store:
    """Return the store at a path or URL.

    Args:
        url: a path of a folder, or of a zip or tar file; or a URL that fsspec understands. A URL begins with a protocol
            and "://", as s3://bucket does, also behind others with "::", as simplecache::s3://bucket. All else is a
            path, and so is what follows file://. A path that begins like a URL needs ./ before it.
        scratch: folder of the state folder where files lie until they are complete.

    Raises:
        NncError: fsspec, or a package that it needs for such URLs, is missing; or it does not know them.
    """
    if not url:
        raise NncError(detail="the path or URL of a folder is empty")
    if _URL.match(url) and not url.startswith(_LOCAL):
        return UrlStore(url, scratch)
    path = Path(url.removeprefix(_LOCAL))
    if path.is_file() and path.suffix.lower() in _ARCHIVES:
        return UrlStore(str(path.absolute()), scratch)
    return LocalStore(path, scratch)


class LocalStore:
    """A folder of this machine; see `Store`."""

    outside = 0
    is_cut = False

    def __init__(self, root: Path, scratch: str) -> None:
        self._root, self._scratch = root, root / STATE_FOLDER / scratch
        self.url = str(root.absolute())
        self._links: set[str] = set()

    @property
    def links(self) -> int:
        return len(self._links)

    def listing(self, folder: str) -> tuple[list[Entry], list[str]]:
        files, folders = [], []
        with os.scandir(self._root / folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = f"{folder}/{entry.name}" if folder else entry.name
                try:
                    status = entry.stat()
                except OSError:  # a link to nothing, to itself or into a closed folder: reading the file says so
                    if os.path.lexists(entry.path):  # not removed since
                        files.append(Entry(name, None, ""))
                    continue
                if stat.S_ISREG(status.st_mode):  # a pipe would wait for ever
                    files.append(Entry(name, status.st_size, f"mtime {status.st_mtime_ns}"))
                elif not stat.S_ISDIR(status.st_mode):
                    continue
                elif entry.is_symlink():
                    self._links.add(name)
                else:
                    folders.append(name)
        return sorted(files, key=lambda file: file.name), sorted(folders)

    def find(self, name: str) -> Entry:
        status = (self._root / name).stat()
        return Entry(name, status.st_size, f"mtime {status.st_mtime_ns}")

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        def read() -> bytes:
            with (self._root / name).open("rb") as stream:
                stream.seek(start)
                return stream.read(-1 if size is None else size)

        return retried(read)

    def publish(self, name: str, data: bytes) -> None:
        def write() -> None:
            with replacing(self._root / name, fsync=True, folder=self._scratch) as temporary:
                temporary.write_bytes(data)

        retried(write)

    @contextlib.contextmanager
    def publishing(self, name: str) -> Iterator[BinaryIO]:
        with (
            replacing(self._root / name, fsync=True, folder=self._scratch) as temporary,
            temporary.open("wb") as stream,
        ):
            yield stream

    def append(self, name: str) -> Log:
        return _LocalLog(self._root / STATE_FOLDER / f"{name}.jsonl")

    def logs(self, folder: str, name: str, wanted: Callable[[str], bool]) -> Iterator[bytes]:
        for path in sorted((self._root / STATE_FOLDER / folder).glob(f"*/{name}*.jsonl")):
            if wanted(path.parent.name):
                yield path.read_bytes()

    def is_empty(self) -> bool:
        return _is_empty(self)

    def has_state(self) -> bool:
        return (self._root / STATE_FOLDER).is_dir()

    @contextlib.contextmanager
    def locked(self, folder: str) -> Iterator[None]:
        path = self._root / STATE_FOLDER / folder / "lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as stream:
            if fcntl is not None:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise NncError(
                        detail=f"another run writes to {self.url}; wait for its end, or use --shard"
                    ) from None
            yield

    def clean(self, folder: str) -> None:
        shutil.rmtree(self._root / STATE_FOLDER / folder, ignore_errors=True)


class UrlStore:
    """A store of fsspec, or an archive of this machine by its path; see `Store`.

    In object stores a file is published by one PUT, or by completing a multipart upload. Elsewhere it gets a temporary
    name first.
    """

    links = 0  # such stores hold none, or follow them

    def __init__(self, url: str, scratch: str) -> None:
        fsspec = require("fsspec", "batch", f"opening {url}")
        try:
            self._files, root = _file_system(fsspec, url)
            tar = getattr(self._files, "tar", None)
            self.is_cut = isinstance(tar, TarFile) and is_cut(tar)
        except ImportError as error:
            raise NncError(detail=f"opening {url} needs another package: {error}") from None
        except Exception as error:  # such as those of the packages that read archives
            raise NncError(detail=f"cannot open {url}: {describe(error)}") from error
        protocol = self._files.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._root, self.url = root.rstrip("/"), url
        self._scratch = f"{STATE_FOLDER}/{scratch}"
        self._is_archive = bool(self._protocols & _ARCHIVES_OF_FSSPEC)
        self._outside: set[str] = set()

    @property
    def outside(self) -> int:
        return len(self._outside)

    def listing(self, folder: str) -> tuple[list[Entry], list[str]]:
        files, folders = dict[str, Entry](), set[str]()
        for place in self._places(folder):
            found: list[Mapping[str, Any]] = retried(functools.partial(self._files.ls, place, detail=True))
            for info in found:
                full = str(info["name"]).rstrip("/")
                base = full.rpartition("/")[2]
                if self._is_archive and (base == ".." or full.startswith("/") or not full):
                    self._outside.add(full)
                    continue
                if full == place or base.startswith(".") or not base:
                    continue  # the object that some programs make for a folder, and hidden ones
                name = f"{folder}/{base}" if folder else base
                if info["type"] == "directory":
                    folders.add(name)
                else:
                    size = info.get("size")
                    files.setdefault(name, Entry(name, None if size is None else int(size), _version(info)))
        return [files[name] for name in sorted(files)], sorted(folders)

    def find(self, name: str) -> Entry:
        info = retried(lambda: self._files.info(self._places(name)[0]))
        size = info.get("size")
        return Entry(name, None if size is None else int(size), _version(info))

    def read(self, name: str, start: int = 0, size: int | None = None) -> bytes:
        end = None if size is None else start + size
        data = bytes(retried(lambda: self._files.cat_file(self._places(name)[0], start=start or None, end=end)))
        if size is not None and len(data) > size:
            raise NncError(detail=f"{self.url} does not send parts of files; copy its files to a folder")
        return data

    def publish(self, name: str, data: bytes) -> None:
        self._put(name, lambda path: self._files.pipe_file(path, data))

    @contextlib.contextmanager
    def publishing(self, name: str) -> Iterator[BinaryIO]:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, "file")
            with local.open("wb") as stream:
                yield stream
            self._put(name, lambda path: self._files.put_file(str(local), path))

    def _put(self, name: str, write: Callable[[str], None]) -> None:
        """Write a file by a function that gets its path, and that may be called again."""
        if self._protocols & _READ_ONLY:
            raise NncError(detail=f"{self.url} can only be read; write to a folder, or to a store such as s3")
        if self._protocols & _OBJECT_STORES:
            retried(lambda: write(self._path(name)))
            return
        retried(lambda: self._put_renamed(name, write))

    def _put_renamed(self, name: str, write: Callable[[str], None]) -> None:
        temporary = self._path(f"{self._scratch}/{secrets.token_hex(8)}.part")
        for path in (temporary, self._path(name)):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        write(temporary)
        self._files.mv(temporary, self._path(name))

    def append(self, name: str) -> Log:
        return _ObjectLog(self, f"{STATE_FOLDER}/{name}")

    def logs(self, folder: str, name: str, wanted: Callable[[str], bool]) -> Iterator[bytes]:
        # Not `glob`, which leaves out what it could not list.
        for place in self._names_in(f"{STATE_FOLDER}/{folder}"):
            if wanted(place):
                for base in self._names_in(f"{STATE_FOLDER}/{folder}/{place}"):
                    if base.startswith(name) and base.endswith(".jsonl"):
                        yield self.read(f"{STATE_FOLDER}/{folder}/{place}/{base}")

    def _names_in(self, folder: str) -> list[str]:
        """Return the names in a folder, none if it does not exist."""
        try:
            found = retried(lambda: self._files.ls(self._path(folder), detail=False))
        except FileNotFoundError:
            return []
        return sorted(str(name).rstrip("/").rpartition("/")[2] for name in found)

    def is_empty(self) -> bool:
        return _is_empty(self)

    def has_state(self) -> bool:
        return bool(self._names_in(STATE_FOLDER))  # not `exists`, which takes an error for a no

    def locked(self, folder: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # stores have no locks; two runs of one shard do the same work twice

    def clean(self, folder: str) -> None:
        if not self._protocols & _OBJECT_STORES:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm(self._path(f"{STATE_FOLDER}/{folder}"), recursive=True)

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self._root, name) if part)

    def _places(self, name: str) -> list[str]:
        """Return the paths of a file or folder, one or more: `tar -C photos .` calls a.png `./a.png`."""
        path = self._path(name)
        if not self._is_archive:
            return [path]
        dotted = f"./{path}" if path else "."
        return [place for place in (path, dotted) if self._files.exists(place)] or [path]


class _LocalLog:
    """Adds lines to a file; what a crash left of a last line stays a line of its own."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._stream = path, path.open("ab+", buffering=0)
        if self._stream.seek(0, os.SEEK_END):
            self._stream.seek(-1, os.SEEK_END)
            if self._stream.read(1) != b"\n":
                self._stream.write(b"\n")

    def add(self, line: bytes) -> None:
        with naming(self._path):
            self._stream.write(line)

    def close(self) -> None:
        with naming(self._path), self._stream:
            os.fsync(self._stream.fileno())


class _ObjectLog:
    """Adds lines to a store whose objects cannot grow: every so many lines, or seconds, make an object."""

    def __init__(self, store: UrlStore, name: str) -> None:
        self._store, self._name, self._lines = store, f"{name}-{time.time_ns():020}", list[bytes]()
        self._objects, self._written_s = 0, time.monotonic()

    def add(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) >= _LINES_AN_OBJECT or time.monotonic() - self._written_s >= _SECONDS_AN_OBJECT:
            self.close()

    def close(self) -> None:
        if self._lines:
            self._store.publish(f"{self._name}-{self._objects:08}.jsonl", b"".join(self._lines))
            self._objects += 1
            self._lines.clear()
        self._written_s = time.monotonic()


def _file_system(fsspec: Any, url: str) -> tuple[Any, str]:
    """Return the file system of fsspec for a URL, or for the path of an archive, and where its root is."""
    own = {"use_listings_cache": False, "skip_instance_cache": True}
    # What fsspec does not see in the name of a file.
    gzip = {"compression": "gzip"} if url.lower().endswith(".tgz") else {}
    if _URL.match(url):
        found: tuple[Any, str] = fsspec.core.url_to_fs(
            url, **own, **({"tar": gzip} if url.startswith("tar://") else {})
        )
        return found
    # The open file, not its path in a URL, which would end at "::".
    file = fsspec.filesystem("file").open(url, "rb")
    return fsspec.filesystem(_ARCHIVES[Path(url).suffix.lower()], fo=file, **own, **gzip), ""


def _is_empty(store: Store) -> bool:
    try:
        files, folders = store.listing("")
    except FileNotFoundError:
        return True
    return not files and not folders


def _version(info: Mapping[str, Any]) -> str:
    """Return the version of a file from what its store says about it."""
    key = next((key for key in _VERSIONS if info.get(key) is not None), None)
    return "" if key is None else f"{key} {info[key]}".replace('"', "")
