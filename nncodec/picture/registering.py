"""Format packages: they teach other libraries, such as Pillow, to read and write .nnc files."""

from __future__ import annotations

import importlib.metadata
import mimetypes
from typing import Any

from nncodec.errors import NncError, PluginError, first_line
from nncodec.format.header import MIME

FORMATS_GROUP = "nncodec.formats"
"""Entry-point group; each entry is a function that takes options and registers its format."""

mimetypes.add_type(MIME, ".nnc")  # what web servers ask for the type of a file


def register(**options: Any) -> None:
    """Let every library with an installed format package open and save .nnc files: Pillow, with the bundled one.

    `import nncodec_pillow` does the same without options. Can be called any number of times.

    Args:
        **options: defaults for opening and saving, see `nncodec_pillow.OpenerOptions`.

    Raises:
        InvalidOption: an option is unknown, has a wrong type or is out of range.
        ModelError: a model is not installed.
        PluginError: a format package cannot be imported.

    Example:
        >>> nncodec.register(quality=40)
        >>> Image.open("cat.jpg").save("cat.nnc")
    """
    for entry_point in importlib.metadata.entry_points(group=FORMATS_GROUP):
        try:
            entry_point.load()(**options)
        except NncError:
            raise
        except (Exception, SystemExit) as error:  # third-party code: anything can happen
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise PluginError(plugin=entry_point.name, reason=reason) from error
