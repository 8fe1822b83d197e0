"""The options of `encode` and `encode_batch`."""

from __future__ import annotations

from typing import TypedDict

from PIL import Image


class EncodeOptions(TypedDict, total=False):
    """Options of `encode` and `encode_batch` beyond model and quality.

    Attributes:
        effort: 0..9, higher is smaller and slower; mapped onto the levels the model has. Default 0.
        coder: "zstd", "rans" for models with probability tables, "stored" for those without. Default: the model's own,
            and stored where that is smaller.
        exif: bytes or `Image.Exif`; None for none. Default: what the picture's `info` holds.
        icc_profile: bytes; None for none. Default as for exif.
        xmp: bytes or str; None for none. Default as for exif.
        preview: True, or the longest edge in pixels (16..256), to embed a small preview.
        downscale: store the picture reduced by this factor (2..8); decoders return the original size.
        frames_per_block: frames coded together; fewer give faster random access, more give smaller files.
        record_settings: record in the file how it was made.
        enhancer: name or alias of an installed enhancer to recommend; decoders may use it or not. One that enlarges
            needs `downscale`. Default: none.
        enhancer_strength: the strength to recommend, 0 (faithful, the default) to 1, in hundredths; an enhancer without
            strengths ignores it.
    """

    effort: int
    coder: str
    exif: bytes | Image.Exif | None
    icc_profile: bytes | None
    xmp: bytes | str | None
    preview: bool | int
    downscale: int
    frames_per_block: int
    record_settings: bool
    enhancer: str | None
    enhancer_strength: float | None
