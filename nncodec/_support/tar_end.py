"""The end of a tar file, which a cut one does not have: `tarfile` takes that for a whole one with fewer files."""

from __future__ import annotations

import tarfile
from typing import Self

_BLOCK_BYTES = 512


class StrictTarInfo(tarfile.TarInfo):
    """Headers of members, for `tarfile.open(tarinfo=...)`: anything but a member or the end marker is a ReadError."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        """Return the next header."""
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # as old as HeaderError, which is documented
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"{error}; it has no end marker, as if it was cut") from error


def is_cut(tar: tarfile.TarFile) -> bool:
    """Return whether a tar file whose headers were all read has no end marker; its stream can seek."""
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    return tar.fileobj.read(_BLOCK_BYTES) != bytes(_BLOCK_BYTES)
