"""The longest edge that other formats can hold, checked before work is done for nothing."""

from __future__ import annotations

from nncodec.errors import UnsupportedImage

# Pixels. Of AVIF, what readers take: libavif writes up to 65,536 and then does not open the file.
_LONGEST_EDGE = {
    "AVIF": 32_768,
    "GIF": 65_535,
    "JPEG": 65_500,
    "MPO": 65_500,
    "MSP": 65_535,
    "PCX": 65_534,
    "SGI": 65_535,
    "TGA": 65_535,
    "WEBP": 16_383,
}


def is_jpeg_in_pdf(kind: str, mode: str) -> bool:
    """Return whether a picture of this mode goes into a PDF as a JPEG: black and white is a fax, alpha JPEG 2000."""
    return kind == "PDF" and mode not in ("1", "LA", "RGBA")


def check_size(kind: str, width: int, height: int, mode: str) -> None:
    """Raise UnsupportedImage if a format cannot hold images of this size.

    Args:
        kind: Pillow's name of the format.
        width, height: pixels.
        mode: of the images.
    """
    limit = _LONGEST_EDGE.get("JPEG" if is_jpeg_in_pdf(kind, mode) else kind)
    if limit is not None and max(width, height) > limit:
        raise UnsupportedImage(
            detail=f"{kind} holds at most {limit:,} pixels along an edge, and the picture has {width:,} x {height:,}; "
            "write .png or .tif, or a part of it"
        )
