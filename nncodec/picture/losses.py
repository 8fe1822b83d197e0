"""Notes on what a picture file has and an .nnc file does not keep, as far as Pillow tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, TiffTags

from nncodec._support.text import count_of
from nncodec.picture.conversion import MODES, mode_with_alpha
from nncodec.picture.depth import bits_of
from nncodec.picture.exif import TIFF_TAGS_KEPT, orientation_of
from nncodec.picture.in_file import found_by_opening, is_file_gone
from nncodec.picture.openers import STACKS, frame_count, own_frames
from nncodec.picture.xmp import xmp_of

# Marks of a gain map, which makes an HDR picture of a JPEG: in XMP (Adobe, Apple), and before its own segment (ISO).
_GAIN_MAPS_IN_XMP = (b"hdrgm", b"HDRGainMap")
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
_VIDEO_IN_XMP = re.compile(rb"""(?:MotionPhoto|MicroVideo)\s*(?:=\s*["']|>\s*)1["'<\s]""")
_C2PA, _C2PA_SEGMENTS = b"c2pa", ("APP11", b"caBX")
_PHOTOSHOP_IPTC = 0x0404
# What tags of a TIFF file say that is not kept.
_TIFF_IPTC, _TIFF_PHOTOSHOP, _GEO_KEYS = 33723, 34377, 34735
# Tags that say how the pixels are stored, that are read elsewhere, or that nobody misses.
_TIFF_UNTOLD = TIFF_TAGS_KEPT | {
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289),  # layout
    *(292, 293, 297, 317, 320, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333, 334, 336, 338, 339, 340, 341, 347),
    *(512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 32995, 32996, 32997),  # JPEG, and old ones
    *(301, 318, 319, 700, 34675),  # colours and XMP
    *(_TIFF_IPTC, _TIFF_PHOTOSHOP, _GEO_KEYS, 33550, 33922, 34264, 34736, 34737),  # told by name
    *(37398, 40965, 59932, 59933),  # versions, a directory, and the padding of Windows
}
_SAMPLES_PER_PIXEL, _SAMPLE_FORMAT, _SIGNED = 277, 339, 2
# Text in `info` that is kept, or that describes the file.
_NOT_TEXT = {"XML:com.adobe.xmp", "comment", "compression", "mode", "model", "xmp"} | {
    f"Raw profile type {name}" for name in ("APP1", "exif", "icc", "icm", "xmp")
}
# Text that programs write of their own accord: about themselves, or a second time what is kept elsewhere.
_TECHNICAL = {"Software", "encoder"}
_TECHNICAL_PREFIXES = ("date:", "exif:", "icc:", "jpeg:", "png:", "signature", "Thumb::", "tiff:", "xmp:")
_TECHNICAL_COMMENT = b"Created by OpenJPEG"  # of Pillow's JPEG 2000 files
_NAMED_TEXTS = 5
# Formats with further pictures that are no frames.
_ALBUMS = ("HEIF", "MPO")
_ICONS = ("ICNS", "ICO")
_SHALLOW_MODES = (*MODES, "CMYK")
# What only the files of some formats tell: of their colours, and of the bits of their samples.
_TOLD_BY_FILE = {
    **dict.fromkeys(("AVIF", "PNG"), "colours"),
    **dict.fromkeys(("BMP", "GIF"), "ICC profile"),
    "JPEG2000": "ICC profile, XMP",
}
_BITS_TOLD_BY_FILE = ("AVIF", "JPEG2000", "PNG", "PPM", "SGI")
# Formats that do not say the number of their frames at the beginning: counting them would drop the pixels of an image.
_COUNTED_BY_READING = ("GIF", "TIFF")


def texts_not_kept(image: Image.Image) -> Iterator[str]:
    """Yield notes on what is said of a picture beside EXIF, ICC profile and XMP."""
    info = image.info
    comment = info.get("comment") or info.get("id_section")  # the latter of TGA
    if comment and not (isinstance(comment, bytes) and comment.startswith(_TECHNICAL_COMMENT)):
        yield "its comment is not kept"
    texts = [key for key, value in info.items() if isinstance(key, str) and isinstance(value, str)]
    names = [name for name in texts if name not in _NOT_TEXT | _TECHNICAL and not name.startswith(_TECHNICAL_PREFIXES)]
    if names:
        yield f"its text is not kept: {_some_of(names)}"
    photoshop, tags = info.get("photoshop"), getattr(image, "tag_v2", {})
    in_tags = _TIFF_IPTC in tags or _PHOTOSHOP_IPTC.to_bytes(2) in _photoshop_kinds(tags.get(_TIFF_PHOTOSHOP))
    if in_tags or (isinstance(photoshop, Mapping) and _PHOTOSHOP_IPTC in photoshop):
        yield "its IPTC record is not kept"
    if _GEO_KEYS in tags:
        yield "its place on the map (GeoTIFF) is not kept"
    if others := sorted(set(tags) - _TIFF_UNTOLD):
        known = {tag: TiffTags.lookup(tag).name for tag in others}
        names = [str(tag) if known[tag] == "unknown" else known[tag] for tag in others]
        verb = "is" if len(names) == 1 else "are"
        yield f"{count_of(len(names), 'tag')} of the TIFF file {verb} not kept: {_some_of(names)}"
    if any(name in _C2PA_SEGMENTS and _C2PA in content for name, content in _segments(image)):
        yield "its Content Credentials (C2PA) are not kept"


def _some_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_TEXTS} more" if len(names) > _NAMED_TEXTS else ""
    return f"{', '.join(names[:_NAMED_TEXTS])}{more}"


def companions_of(image: Image.Image) -> list[str]:
    """Return notes on what XMP describes and stands behind the picture, so that the XMP no longer holds."""
    xmp = xmp_of(image.info) or b""
    notes = []
    is_iso = any(content.startswith(_ISO_GAIN_MAP) for _, content in _segments(image))
    if is_iso or any(mark in xmp for mark in _GAIN_MAPS_IN_XMP):
        notes.append(
            "its HDR gain map is not kept, nor the XMP that describes it; what remains is the picture for other screens"
        )
    if _VIDEO_IN_XMP.search(xmp):
        notes.append("the video of this motion photo is not kept, nor the XMP that describes it")
    return notes


def shape_not_kept(image: Image.Image) -> list[str]:
    """Return a note if the pixels are not square but have no resolution, as JPEG and PNG files say."""
    info = image.info
    ratio = info.get("aspect") or (info.get("jfif_density") if info.get("jfif_unit") == 0 else None)
    if ratio is None or ratio[0] == ratio[1]:
        return []
    return ["the shape of its pixels (density {}:{}) is not kept; they are taken for square".format(*ratio)]


def pictures_not_kept(image: Image.Image) -> list[str]:
    """Return a note if a file holds further pictures or frames, and the first was opened."""
    is_first = image.format in (*_ALBUMS, *STACKS) and (image.tell() == 0 or bool(image.info.get("primary")))
    if not is_first:
        return []
    by_reading = image.format in _COUNTED_BY_READING
    count = (found_by_opening(image, frame_count) or 1) if by_reading else frame_count(image)
    kind = "pictures" if image.format in _ALBUMS else "frames"
    return [f"of {count} {kind} in this {image.format} file, the first is used"] if count > 1 else []


def companions_not_used(image: Image.Image) -> list[str]:
    """Return a note if pages of a TIFF file are smaller copies or masks of others, so that they are no frames."""
    count, own = frame_count(image), own_frames(image)
    if len(own) == count:
        return []
    used = "the first is" if [*own] == [0] else f"{len(own)} are"
    return [f"of {count} pictures in this {image.format} file, {used} used; the others are smaller copies or masks"]


def sizes_not_kept(image: Image.Image) -> list[str]:
    """Return a note if an icon has several sizes."""
    sizes = image.info.get("sizes", ()) if image.format in _ICONS else ()
    if len(sizes) < 2:
        return []
    return [f"of {len(sizes)} sizes in this {image.format} file, one is used: {image.width} x {image.height}"]


def samples_not_kept(images: Sequence[Image.Image]) -> list[str]:
    """Return notes if the file has more bits, planes or signs of samples than Pillow passes on."""
    return [*_bits_not_kept(images), *dict.fromkeys(note for image in images for note in _planes_not_kept(image))]


def _bits_not_kept(images: Sequence[Image.Image]) -> list[str]:
    shallow = [(image, bits_of(image)) for image in images if image.mode in _SHALLOW_MODES]
    bits = max((bits for _, bits in shallow), default=8)
    if bits <= 8:
        return []
    has_key = any(bits > 8 and mode_with_alpha(image) != image.mode for image, bits in shallow)
    near = "; colours near the transparent one become transparent, too" if has_key else ""
    return [f"{bits} bits a sample are reduced to 8{near}"]


def _planes_not_kept(image: Image.Image) -> Iterator[str]:
    tags, kept = getattr(image, "tag_v2", {}), len(image.getbands())
    planes = tags.get(_SAMPLES_PER_PIXEL, kept)
    if isinstance(planes, int) and planes > kept:
        yield f"of {planes} planes of the TIFF file, {kept} {'is' if kept == 1 else 'are'} kept"
    if image.mode in _SHALLOW_MODES and _SIGNED in np.ravel(tags.get(_SAMPLE_FORMAT, ())):
        yield "its samples are signed, and stored as if they were not: -1 becomes 255"


def not_looked_up(image: Image.Image, options: Mapping[str, Any], *, is_exact: bool) -> list[str]:
    """Return a note if the file of an image is gone and what Pillow did not read of it may be lost.

    Args:
        image: as it was opened.
        options: an `icc_profile` there stands for the colours of the file.
        is_exact: whether its samples are to be stored without loss, so that bits count that Pillow did not read.
    """
    has_colours = "icc_profile" in options or bool(image.info.get("icc_profile"))
    told = [] if has_colours else [_TOLD_BY_FILE.get(image.format or "")]
    if is_exact and image.format in _BITS_TOLD_BY_FILE and image.mode in _SHALLOW_MODES:
        told.append("bits a sample")
    names = ", ".join(filter(None, told))
    if not names or not is_file_gone(image):
        return []
    return [
        f"its {names} could not be looked up: Pillow has let go of the {image.format} file; open it by its path, or "
        "pass the file itself to nncodec.encode"
    ]


def unlike_first(images: Sequence[Image.Image], options: Mapping[str, Any]) -> list[str]:
    """Return notes on metadata of frames that differs from that of the first, unless the options override it."""
    notes, profile = [], images[0].info.get("icc_profile")
    if "icc_profile" not in options and any(image.info.get("icc_profile") != profile for image in images):
        notes.append("its frames have different ICC profiles; that of the first is taken for all")
    if "exif" not in options and len({orientation_of(image) for image in images}) > 1:
        notes.append("its frames are turned differently; all are shown as the first")
    return notes


def _segments(image: Image.Image) -> list[tuple[str | bytes, bytes]]:
    """Return name and content of the segments of a JPEG, and of the chunks of a PNG that Pillow does not know."""
    return [part[:2] for part in (*getattr(image, "applist", ()), *getattr(image, "private_chunks", ()))]


def _photoshop_kinds(blocks: object) -> set[bytes]:
    """Return the kinds of the blocks that Photoshop puts into a TIFF file."""
    return {part[:2] for part in blocks.split(b"8BIM")[1:]} if isinstance(blocks, bytes) else set()
