"""The EXIF of an image: found wherever Pillow leaves it, with edits, and with the size that the image has."""

from __future__ import annotations

import contextlib
import re
import struct
import warnings
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from PIL import ExifTags, Image

PREFIX = b"Exif\0\0"
"""What some formats put before the TIFF stream that EXIF is."""
UPRIGHT = 1
"""The orientation of a picture that is not turned."""
XMP_KEYS = ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp")
"""Where Pillow leaves XMP in `info`."""

_RAW_PROFILES = ("exif", "APP1")
_XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
# TIFF tags that describe the image; the others describe the layout of the file.
_TIFF_TAGS = (
    ExifTags.Base.Orientation,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.DocumentName,
    ExifTags.Base.PageName,
    ExifTags.Base.HostComputer,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
    ExifTags.Base.Rating,
    ExifTags.Base.RatingPercent,
)
_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_SHORT, _LONG = 3, 4
_FORMS = {_SHORT: "H", _LONG: "I"}
_WIDTHS = (ExifTags.Base.ImageWidth, ExifTags.Base.ExifImageWidth)
_HEIGHTS = (ExifTags.Base.ImageLength, ExifTags.Base.ExifImageHeight)
_TURNED = range(2, 9)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))[0-9]')

# Where the thumbnail lies, and of how many bytes: as JPEG, and as strips of samples.
_THUMBNAIL_TAGS = (
    (ExifTags.Base.JpegIFOffset, ExifTags.Base.JpegIFByteCount),
    (ExifTags.Base.StripOffsets, ExifTags.Base.StripByteCounts),
)


def exif_of(image: Image.Image) -> bytes | None:
    """Return the EXIF of an image without `PREFIX`: what its file holds, and edits of `getexif()`; None if it has none.

    The bytes of a file stay as they are unless they were edited: what Pillow writes anew may lose what only the
    camera's maker can read. `info` counts where `getexif()` was not edited.
    """
    if hasattr(image, "tag_v2"):
        return _of_tiff(image)
    stored = _stored(image.info)
    try:
        current = image.getexif()
        edited = current.tobytes().removeprefix(PREFIX) if current else None  # comparing adds empty directories
        if _contents(current) != _contents(_unedited(current, image.info)):
            return edited
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        return stored
    return stored


def orientation_of(image: Image.Image) -> int:
    """Return how a picture is to be turned, as EXIF and otherwise XMP say: 1 to 8, where 1 is not at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's parser
            orientation: object = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        return UPRIGHT
    return orientation if isinstance(orientation, int) and orientation in _TURNED else UPRIGHT


def orientation_in(info: Mapping[Any, Any]) -> int:
    """Return how a picture with this `info` is to be turned; see `orientation_of`."""
    blank = Image.new("1", (1, 1))
    blank.info = dict(info)
    return orientation_of(blank)


def raw_profile(info: Mapping[Any, Any], *names: str) -> bytes | None:
    """Return the bytes of the first text chunk `Raw profile type NAME` (ImageMagick's PNGs), or None."""
    for name in names:
        text = info.get(f"Raw profile type {name}")
        if not isinstance(text, str):
            continue
        try:
            return bytes.fromhex("".join(text.strip().split("\n")[2:]))
        except ValueError:  # not hexadecimal
            continue
    return None


def raw_xmp(info: Mapping[Any, Any]) -> bytes | None:
    """Return the XMP of a raw profile, or None."""
    xmp = raw_profile(info, "xmp")
    segment = raw_profile(info, "APP1")
    if xmp is None and segment is not None and segment.startswith(_XMP_SEGMENT):
        xmp = segment
    return None if xmp is None else xmp.removeprefix(_XMP_SEGMENT)


def with_size(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return EXIF whose tags of width and height, where it has them, say the size of the image.

    Unless they said it before, the image may have been cut, and the thumbnail would show what was cut off: it goes. The
    bytes are changed in place, so nothing else moves.
    """
    tiff = exif.removeprefix(PREFIX)
    order = _byte_order(tiff)
    if order is None:
        return exif
    out = bytearray(tiff)
    entries = list(_entries_of(tiff, order, (*_WIDTHS, *_HEIGHTS)))
    for entry in entries:
        value = size[0] if entry.tag in _WIDTHS else size[1]
        if entry.form == _SHORT and value > 0xFFFF:
            struct.pack_into(f"{order}HII", out, entry.place + 2, _LONG, 1, value)  # the field has room for 4 bytes
        else:
            struct.pack_into(f"{order}{_FORMS[entry.form]}", out, entry.place + 8, value)
    if out != tiff or not entries:
        with contextlib.suppress(struct.error):  # malformed
            _drop_thumbnail(out, order)
    return exif[: len(exif) - len(tiff)] + out


def said_upright(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata whose EXIF and XMP, where they give an orientation, say that the picture is upright."""
    said = dict(metadata)
    if exif := said.get("exif"):
        tiff = exif.removeprefix(PREFIX)
        out = bytearray(tiff)
        if order := _byte_order(tiff):
            for entry in _entries_of(tiff, order, (ExifTags.Base.Orientation,)):
                struct.pack_into(f"{order}{_FORMS[entry.form]}", out, entry.place + 8, UPRIGHT)
        said["exif"] = exif[: len(exif) - len(tiff)] + out
    if xmp := said.get("xmp"):
        said["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    return said


def is_sound(exif: bytes) -> bool:
    """Return whether Pillow can read EXIF and write all of it anew, as its writers of some formats do."""
    parsed = Image.Exif()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow warns of what it leaves out
        try:
            parsed.load(exif)
            parsed.tobytes()
        except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
            return False
    return isinstance(parsed.get(ExifTags.Base.Orientation, UPRIGHT), int)


class _Entry(NamedTuple):
    tag: int
    form: int
    values: int
    place: int


def _byte_order(tiff: bytes) -> str | None:
    return {b"II": "<", b"MM": ">"}.get(tiff[:2])


def _entries(tiff: bytes | bytearray, order: str, offset: int) -> Iterator[_Entry]:
    """Yield the entries of a directory; raises struct.error where it is malformed."""
    (count,) = struct.unpack_from(f"{order}H", tiff, offset)
    for place in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, form, values, _ = struct.unpack_from(f"{order}HHII", tiff, place)
        yield _Entry(tag, form, values, place)


def _numbers(tiff: bytes | bytearray, order: str, entry: _Entry) -> tuple[int, ...]:
    """Return the numbers of an entry, none if it has others than SHORT or LONG."""
    if entry.form not in _FORMS:
        return ()
    numbers, place = f"{order}{entry.values}{_FORMS[entry.form]}", entry.place + 8
    if struct.calcsize(numbers) > 4:
        (place,) = struct.unpack_from(f"{order}I", tiff, place)
    return struct.unpack_from(numbers, tiff, place)


def _entries_of(tiff: bytes, order: str, tags: Container[int]) -> Iterator[_Entry]:
    """Yield entries of one number in the first directory and in that of EXIF; none from where it is malformed."""
    try:
        waiting = [*struct.unpack_from(f"{order}I", tiff, 4)]
        for offset in waiting:
            for entry in _entries(tiff, order, offset):
                if entry.tag == ExifTags.IFD.Exif and len(waiting) == 1:
                    waiting += _numbers(tiff, order, entry)[:1]
                elif entry.tag in tags and entry.form in _FORMS and entry.values == 1:
                    yield entry
    except struct.error:
        return


def _drop_thumbnail(tiff: bytearray, order: str) -> None:
    """Blank the thumbnail and unlink the second directory, which describes it; raises struct.error if malformed."""
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, first)
    link = first + 2 + 12 * count
    (second,) = struct.unpack_from(f"{order}I", tiff, link)
    if not second:
        return
    struct.pack_into(f"{order}I", tiff, link, 0)
    numbers = {entry.tag: _numbers(tiff, order, entry) for entry in _entries(tiff, order, second)}
    for places, sizes in _THUMBNAIL_TAGS:
        for place, size in zip(numbers.get(places, ()), numbers.get(sizes, ()), strict=False):
            tiff[place : place + size] = bytes(len(tiff[place : place + size]))
            if place + size >= len(tiff):
                del tiff[place:]


def _stored(info: Mapping[Any, Any]) -> bytes | None:
    exif = info.get("exif")
    if exif is None:
        exif = raw_profile(info, *_RAW_PROFILES)
        if exif is not None and exif.startswith(_XMP_SEGMENT):
            exif = None
    return bytes(exif).removeprefix(PREFIX) or None if isinstance(exif, bytes | bytearray) else None


def _unedited(exif: Image.Exif, info: Mapping[Any, Any]) -> Image.Exif:
    """Return what EXIF held when Pillow read it, which `info` may no longer hold."""
    blank = Image.new("1", (1, 1))
    blank.info = {key: info[key] for key in XMP_KEYS if key in info}  # Pillow takes the orientation from there, too
    blank.info["exif"] = exif._loaded_exif
    return blank.getexif()


def _contents(exif: Image.Exif) -> dict[int, Any]:
    contents = dict(exif)
    for directory in _DIRECTORIES:
        value = contents.get(directory)
        contents[directory] = dict(value if isinstance(value, dict) else exif.get_ifd(directory))
    return contents


def _of_tiff(image: Image.Image) -> bytes | None:
    own, kept = image.getexif(), Image.Exif()
    for tag in _TIFF_TAGS:
        if tag in own:
            kept[tag] = own[tag]
    for directory in _DIRECTORIES:
        if values := own.get_ifd(directory):
            kept[directory] = values
    return kept.tobytes().removeprefix(PREFIX) if kept else None
