"""The options of `encode` and `encode_batch`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

from PIL import Image

from nncodec.errors import InvalidOption

if TYPE_CHECKING:
    from nncodec.plugin.device import Device

OnProgress = Callable[[int, int], None]
"""Called with the blocks done and their total; an exception that it raises ends the work and reaches the caller."""


def check_progress(on_progress: object) -> None:
    """Raise InvalidOption unless an `on_progress` can be called, or is None."""
    if on_progress is not None and not callable(on_progress):
        reason = f"expected a function of two numbers, got {type(on_progress).__name__}"
        raise InvalidOption(option="on_progress", reason=reason)


class EncodeOptions(TypedDict, total=False):
    """Options of `encode` and `encode_batch` beyond model and quality.

    Attributes:
        effort: 0..9, higher is smaller and slower; the model uses the nearest lower level it has. Default 0.
        lossless: True to store the picture exactly; False never to; "auto", the default, to store it exactly where that
            takes fewer bytes than the quality, and nearly so (`max_error` 2) at quality 100 of a model with qualities.
            Both need the default lossless model, and neither is done with `coder`, `downscale` or `enhancer`.
        max_error: store the picture so that no sample differs by more than this (0: exactly), 0..65535. Alpha is exact.
            `lossless=True` allows no more than 0.
        coder: "zstd", "rans" for models with probability tables, "stored" for those without. Default: the model's own,
            or stored if that is smaller.
        exif: bytes or `Image.Exif`; None for none, and pixels that are turned as it said. Default: that of the image's
            `info`, with edits of `getexif()`.
        icc_profile: bytes; None for none. Default as for exif.
        xmp: bytes or str; None for none. Default as for exif.
        dpi: (horizontal, vertical) dots per inch, or one number for both; None for none. Default as for exif.
        duration: milliseconds that each frame is shown, one number for all or one for each; None for none. Default:
            those of the frames' `info`. A single image has none.
        loop: how often the frames are shown, 0 for ever; None for once. Default as for duration.
        preview: True (128), or the longest edge in pixels (16..256), to embed a small preview.
        downscale: store the image reduced by this factor (2..8); decoders return the original size.
        frames_per_block: frames coded together; fewer give faster random access, more give smaller files.
        exact: keep the colours under alpha 0 as well as those that are seen. By default they are replaced by a smooth
            filling, or black in a file that turns out exact: that takes fewer bytes and does not bleed into what is
            seen. With `downscale`, hidden colours next to seen ones are filled nevertheless. `lossless=True` and
            `max_error` always keep them.
        record_settings: record in the file how it was made.
        enhancer: name or alias of an installed enhancer to recommend; decoders may use it or not. One that enlarges
            needs `downscale`. Default: none.
        enhancer_strength: the strength to recommend, 0 (faithful, the default) to 1, in hundredths; an enhancer without
            strengths ignores it.
        verify: True to decode every block again and compare. A file that is not exact then holds checksums of its
            latents, 4 bytes a block, by which decoders tell damage from a machine that computes otherwise.
        precision: "auto" lets transforms compute in bfloat16 where the processor multiplies it; "float32" gives files
            that differ less from one machine to another. Default: that of `nncodec.precision`, which is "auto".
        device: where transforms compute, "cpu", "cuda", "cuda:1" and so on; see `nncodec.device`, whose "cpu" is the
            default. Latents are rounded and coded on the processor.
    """

    effort: int
    lossless: bool | Literal["auto"]
    max_error: int | None
    coder: str
    exif: bytes | Image.Exif | None
    icc_profile: bytes | None
    xmp: bytes | str | None
    dpi: tuple[float, float] | float | None
    duration: float | Sequence[float] | None
    loop: int | None
    preview: bool | int
    downscale: int
    frames_per_block: int
    exact: bool
    record_settings: bool
    enhancer: str | None
    enhancer_strength: float | None
    verify: bool
    precision: Literal["auto", "float32"] | None
    device: Device | None
