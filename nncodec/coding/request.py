"""What is asked of an encoding, checked before there is a picture: what is wrong is so with every one."""

from __future__ import annotations

from typing import Literal, cast

from PIL import Image

from nncodec.coding.choice import exactness_of
from nncodec.coding.envelope import check_options, require_range
from nncodec.coding.exact_encoder import check_exact_options
from nncodec.coding.targets import refuse_rate, target_of
from nncodec.picture.metadata import metadata_of
from nncodec.picture.options import EncodeOptions
from nncodec.plugin import registry
from nncodec.plugin.hooks import CODEC, LOSSLESS

# A list of durations belongs to as many frames, and can only be checked with them.
_OF_METADATA = ("exif", "icc_profile", "xmp", "dpi", "loop")


def check_request(
    model: str | None,
    quality: int | Literal["keep"] | None,
    target_size: int | None,
    target_bpp: float | None,
    target_psnr: float | None,
    options: EncodeOptions,
) -> None:
    """Check the arguments of `nncodec.encode` as far as that needs neither a picture nor an open model.

    Raises:
        InvalidOption: one is unknown, out of range, or contradicts another.
        ModelError: the model is not installed, or is of another kind.
    """
    check_options(options)
    number = None if quality == "keep" else quality
    if number is not None:
        require_range("quality", number, 0, 100)
    target = target_of(number, target_size, target_bpp, target_psnr)
    is_exact = exactness_of(model, options) is not None
    if is_exact:
        refuse_rate(number, target)
        check_exact_options(options)
    if model is not None:
        registry.catalog().find(model, LOSSLESS if is_exact else CODEC)
    own = {name: value for name, value in options.items() if name in _OF_METADATA}
    metadata_of([Image.new("L", (1, 1))], cast("EncodeOptions", own)).chunks()
