"""The folder that the user gave to `nncodec ui`: the page reads and writes nothing outside of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from nncodec._support.files import creating
from nncodec.errors import NncError
from nncodec.picture.reading import is_picture

MOST_PICTURES = 2000
"""Most pictures of a folder that are taken at once."""

_MOST_LISTED = 500


class UserFolder:
    """A folder and what is below it, by relative names with slashes; "" is the folder itself.

    Args:
        root: an existing folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def find(self, name: object) -> Path:
        """Return the path of a name below the folder, which need not exist.

        Raises:
            NncError: the name is absolute, has a part that is hidden or "..", or leads outside through a link.
        """
        if not isinstance(name, str):
            raise NncError(detail="a folder is named by a text")
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if any(part.startswith((".", "/")) or ":" in part or not part.isprintable() for part in parts):
            raise NncError(detail=f"give a folder below {self.root}, such as 'photos/summer'")
        path = self.root.joinpath(*parts)
        if not self._is_inside(path):
            raise NncError(detail=f"{name!r} leads out of {self.root}; start 'nncodec ui' with another folder")
        return path

    def existing(self, name: object) -> Path:
        """Return the path of a folder; raises NncError if there is none, see also `find`."""
        path = self.find(name)
        if not path.is_dir():
            raise NncError(detail=f"there is no folder {name!r} in {self.root}")
        return path

    def below(self, name: object) -> list[str]:
        """Return the names of the folders in a folder, without hidden ones."""
        path = self.existing(name)
        found = (entry for entry in sorted(path.iterdir()) if not entry.name.startswith("."))
        inside = (entry for entry in found if entry.is_dir() and self._is_inside(entry))
        names = (entry.relative_to(self.root).as_posix() for entry in inside)
        return [folder for folder in itertools.islice(names, _MOST_LISTED) if folder.isprintable()]

    def pictures(self, name: object) -> list[Path]:
        """Return the pictures and .nnc files in a folder and its subfolders, in order, without hidden ones.

        Raises:
            NncError: there are none, or more than `MOST_PICTURES`; see also `find`.
        """
        path = self.existing(name)
        found = list(itertools.islice(self._walk(path), MOST_PICTURES + 1))
        if not found:
            raise NncError(detail=f"there is no picture in {name or self.root}")
        if len(found) > MOST_PICTURES:
            raise NncError(detail=f"{name or self.root} holds more than {MOST_PICTURES:,} pictures; use nncodec encode")
        return found

    def write(self, name: object, file_name: str, data: bytes) -> Path:
        """Write a new file into a folder, which is made if need be; an existing file is never replaced.

        Raises:
            NncError: the file exists, or its name has folders; see also `find`.
            OSError: it cannot be written.
        """
        folder = self.find(name)
        target = folder / file_name
        if target.name != file_name or file_name.startswith("."):
            raise NncError(detail=f"{file_name!r} cannot name a file here")
        try:
            with creating(target) as temporary:
                temporary.write_bytes(data)
        except FileExistsError:
            raise NncError(detail=f"{target.name} is already in {folder}; choose another folder") from None
        return target

    def _walk(self, folder: Path) -> Iterator[Path]:
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(place, name)
                wanted = not name.startswith(".") and (path.suffix.lower() == ".nnc" or is_picture(path))
                if wanted and path.is_file() and self._is_inside(path):
                    yield path

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.root)
