"""The folder of a report: written all or nothing, and never over other files."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from nncodec._support.files import make_folder, naming, require_writable
from nncodec.errors import NncError

PAGE = "report.html"
"""The file to open; the others are for other programs."""

_OWN = re.compile(r"report\.html|plots/[a-z0-9_]+\.png|data/[a-z0-9_]+\.csv")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check cheaply that a report may be written to a folder; call it before a long comparison.

    Raises:
        NncError: it exists; with `overwrite`, it is not a folder.
        OSError: it cannot be written.
    """
    if (folder.exists() or folder.is_symlink()) and not (overwrite and folder.is_dir()):
        advice = "choose another name" if overwrite or not folder.is_dir() else "choose another, or allow overwriting"
        raise NncError(detail=f"{folder} is already there; {advice}")
    page = folder / PAGE
    with naming(folder, page):
        require_writable(page if folder.is_dir() else folder)


def write_folder(folder: Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write a report's files.

    A new folder appears complete under its name. In an existing folder the files are replaced one by one, the page
    last, and the remaining files of an earlier report are removed; other files stay.

    Args:
        files: contents by name: `report.html`, `plots/....png` or `data/....csv`.

    Raises:
        NncError: see `check_folder`.
        OSError: it cannot be written; no half-written file is left.
    """
    check_folder(folder, overwrite=overwrite)
    if foreign := [name for name in files if not _OWN.fullmatch(name)]:
        raise ValueError(f"not a report's files: {foreign}")
    make_folder(folder.parent)
    # Beside the folder, since a rename cannot cross file systems.
    temporary = folder.parent / f".nncodec-{secrets.token_hex(8)}.part"
    try:
        with naming(folder, temporary):
            temporary.mkdir()
            for name, content in files.items():
                path = temporary / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        with naming(folder, temporary):
            if folder.is_dir():
                _replace(folder, temporary, files)
            else:
                temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(folder: Path, new: Path, files: Mapping[str, bytes]) -> None:
    for name in sorted(files, key=lambda name: name == PAGE):
        (folder / name).parent.mkdir(exist_ok=True)
        (new / name).replace(folder / name)
    for path in [*folder.glob("plots/*"), *folder.glob("data/*")]:
        name = path.relative_to(folder).as_posix()
        if path.is_file() and _OWN.fullmatch(name) and name not in files:
            path.unlink()
