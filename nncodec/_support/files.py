"""Atomic writes: a file is complete under its name, or not there. Pipes are read whole. What a path leads to."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# What writing to an open file may end with; such errors carry no name.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_OPEN_FILES = ("/dev/fd", "/proc/self/fd")
_MOST_LINKS = 40


@contextlib.contextmanager
def replacing(
    target: Path, *, fsync: bool = False, previous: Path | None = None, folder: Path | None = None
) -> Iterator[Path]:
    """Yield a new, empty temporary file beside a target; at the end of the block it takes the target's name.

    If the block or the renaming fails, the temporary file is removed. Missing folders are made. A file that is replaced
    passes its mode on.

    Args:
        target: the file to write; a link is replaced itself, unless `written_to` finds what it leads to.
        fsync: wait until the new file is on the disk before it takes the name, so that a power failure leaves one or
            the other.
        previous: path under which to keep the file that is replaced; by default it is lost.
        folder: of the temporary file, instead of the target's; on the same file system.

    Raises:
        OSError: the file cannot be written.
    """
    make_folder(target.parent)
    if folder is not None:
        make_folder(folder)
    temporary = (folder or target.parent) / f".nncodec-{secrets.token_hex(8)}.part"
    with naming(target, temporary):
        temporary.touch(exist_ok=False)
    try:
        with naming(target, temporary):
            yield temporary
            if fsync:
                with temporary.open("rb+") as stream:
                    os.fsync(stream.fileno())
        with contextlib.suppress(OSError):  # a new file, or a file system without modes
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        if previous is not None and target.exists():
            target.replace(previous)
        with naming(target, temporary):
            temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def creating(target: Path) -> Iterator[Path]:
    """Yield a new, empty temporary file beside a target; at the end of the block it takes the target's name.

    Unlike `replacing`, it never replaces a file, also if several processes create one name at once.

    Args:
        target: the file to create. Missing folders are made.

    Raises:
        FileExistsError: the target exists; it is not changed.
        OSError: the file cannot be written.
    """
    make_folder(target.parent)
    temporary = target.parent / f".nncodec-{secrets.token_hex(8)}.part"
    with naming(target, temporary):
        temporary.touch(exist_ok=False)
    try:
        with naming(target, temporary):
            yield temporary
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: the name is taken first
            target.touch(exist_ok=False)
            temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(target: Path, temporary: Path | None = None) -> Iterator[None]:
    """Let an error within the block name the file that the user knows, not a temporary one, and none on a full disk."""
    try:
        yield
    except OSError as error:
        is_nameless = error.filename is None and error.errno in _NO_ROOM
        if not is_nameless and (temporary is None or not str(error.filename).startswith(str(temporary))):
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def written_to(path: Path) -> Path:
    """Return the file that is written under a path: what a link leads to; a link to nothing is replaced itself."""
    return path.resolve() if is_link(path) and is_there(path) else path


def require_writable(path: Path) -> None:
    """Raise the error that writing a file would end with, as far as that can be seen; nothing is left behind.

    Raises:
        NotADirectoryError: see `make_folder`.
        OSError: the name or the folder takes no file.
    """
    if descriptor_of(path) is not None or is_special(path):
        return
    target = written_to(path)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        target.lstat()  # a name may be too long
    folder = next(parent for parent in target.parents if os.path.lexists(parent))
    if is_there(folder) and not is_folder(folder):
        raise _no_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, if they are not there.

    Raises:
        NotADirectoryError: a file is in its place or in that of one that it lies in; it says which.
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        for path in (folder, *folder.parents):
            if is_there(path) and not path.is_dir():
                raise _no_folder(path) from None
        raise


def _no_folder(path: Path) -> NotADirectoryError:
    return NotADirectoryError(errno.ENOTDIR, f"{path} is a file, not a folder", str(path))


def write_file(target: Path, data: bytes) -> None:
    """Write a file by way of a temporary one beside it; a device, a pipe or an open file is written to directly.

    A link to a file stays, and the file that it leads to is written. A link that leads nowhere is replaced.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = descriptor_of(target)
    if descriptor is not None:
        with naming(target), os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(data)
        return
    if target.exists() and not target.is_file():
        with naming(target):
            target.write_bytes(data)
        return
    with replacing(written_to(target)) as temporary:
        temporary.write_bytes(data)


# `Path` has methods for these, which raise where a folder on the way is closed or a name is too long. What is wrong is
# told when the path is opened, which stops nothing else.


def is_there(path: Path) -> bool:
    """Return whether a path leads to anything, as far as that can be seen."""
    return os.path.exists(path)  # noqa: PTH110


def is_folder(path: Path) -> bool:
    """Return whether a path leads to a folder, as far as that can be seen."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: Path) -> bool:
    """Return whether a path leads to a file, as far as that can be seen."""
    return os.path.isfile(path)  # noqa: PTH113


def is_link(path: Path) -> bool:
    """Return whether a path is a link, as far as that can be seen."""
    return os.path.islink(path)  # noqa: PTH114


def is_special(path: Path) -> bool:
    """Return whether a path leads to a pipe, a socket or a device, which may wait for ever when it is read."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def descriptor_of(path: Path) -> int | None:
    """Return the number of the open file of this process that a path names, such as /dev/stdout or /dev/fd/3, if any.

    On Linux such a path leads to the file itself, which may have a name elsewhere. It must not be replaced: who has
    opened it holds on to it, and would never see what is written.
    """
    folders = {os.path.realpath(folder) for folder in _OPEN_FILES}
    for _ in range(_MOST_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in folders:
            return int(path.name)
        if not is_link(path):
            break
        path = path.parent / path.readlink()
    return None


def seekable(stream: BinaryIO) -> BinaryIO:
    """Return a stream that can seek: one that cannot, such as a pipe, is read whole."""
    can_seek = getattr(stream, "seekable", None)
    is_text = isinstance(stream, io.TextIOBase)
    return stream if is_text or can_seek is None or can_seek() else io.BytesIO(stream.read())


def path_of(source: str | os.PathLike[str]) -> Path:
    """Return a path that a caller gave; raises FileNotFoundError for a name that no file can have."""
    name = os.fspath(source)
    if not name or "\0" in name:  # the path of an empty name would be the working folder
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return Path(name)


def stream_of(data: bytes | bytearray | memoryview) -> BinaryIO:
    """Return a stream of bytes in memory, also of a view that leaves some out."""
    return io.BytesIO(bytes(data))


def end_of(stream: BinaryIO) -> int:
    """Go to the end of a stream and return where that is; many streams, such as `mmap`, return nothing from `seek`."""
    stream.seek(0, io.SEEK_END)
    return stream.tell()
