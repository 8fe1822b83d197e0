"""`.nnc` files in Pillow; importing this package registers the format.

Example:
    >>> import nncodec_pillow
    >>> from PIL import Image
    >>> Image.open("cat.jpg").save("cat.nnc", quality=40)
    >>> Image.open("cat.nnc").convert("L")
"""

from __future__ import annotations

from typing import Unpack

from PIL import Image

from nncodec.format.header import MIME
from nncodec_pillow.opening import NncImageFile, accept
from nncodec_pillow.options import OpenerOptions, set_options
from nncodec_pillow.saving import save, save_all

__all__ = ["NncImageFile", "OpenerOptions", "register_nnc_opener"]


def register_nnc_opener(**options: Unpack[OpenerOptions]) -> None:
    """Make Pillow open and save .nnc files, and set options; can be called any number of times.

    Args:
        **options: see `OpenerOptions`. Other options stay as they are; None restores the default.

    Raises:
        InvalidOption: an option is unknown, has a wrong type or is out of range, or contradicts another.
        ModelError: the model or the enhancer is not installed, or is of another kind.
    """
    set_options(options)
    Image.register_open(NncImageFile.format, NncImageFile, accept)
    Image.register_save(NncImageFile.format, save)
    Image.register_save_all(NncImageFile.format, save_all)
    Image.register_extension(NncImageFile.format, ".nnc")
    Image.register_mime(NncImageFile.format, MIME)


register_nnc_opener()
