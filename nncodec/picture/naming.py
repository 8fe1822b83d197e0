"""Names of files: what an .nnc file is called after its picture, and a picture after its .nnc file."""

from __future__ import annotations

from pathlib import PurePath

from nncodec.picture.reading import is_picture


def is_nnc(path: PurePath) -> bool:
    """Return whether a file has the extension .nnc."""
    return path.suffix.lower() == ".nnc"


def nnc_name(name: str, *, keep_extension: bool) -> str:
    """Return the name of the .nnc file of a picture: `a.png` gives `a.nnc`, or `a.png.nnc` with `keep_extension`."""
    path = PurePath(name)
    return f"{path.stem}.nnc" if (is_picture(path) or is_nnc(path)) and not keep_extension else f"{name}.nnc"


def picture_name(name: str, extension: str, *, keep_extension: bool) -> str:
    """Return the name of the picture of an .nnc file: `a.nnc` gives `a.png`, or `a.nnc.png` with `keep_extension`."""
    path = PurePath(name)
    return f"{path.stem if is_nnc(path) and not keep_extension else name}.{extension}"
