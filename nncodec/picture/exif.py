"""The EXIF of an image: found wherever Pillow leaves it, with edits."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from nncodec._support.filtered_warnings import filtered_warnings

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
# Tags of the directory of EXIF: scanners, and Pillow itself, write them into the first one of a TIFF file.
_PHOTOSHOP_LAYERS, _TIFF_EP_VERSION, _INTEROPERABILITY = 37724, 37398, 40965
_EXIF_TAGS = tuple(
    tag
    for tag in sorted(ExifTags.Base)
    if (tag in (ExifTags.Base.ExposureTime, ExifTags.Base.FNumber) or tag >= ExifTags.Base.ExposureProgram)
    and tag not in (*_TIFF_TAGS, *_DIRECTORIES, _PHOTOSHOP_LAYERS, _TIFF_EP_VERSION, _INTEROPERABILITY)
)
TIFF_TAGS_KEPT = frozenset((*_TIFF_TAGS, *_DIRECTORIES, *_EXIF_TAGS))
"""Tags in the first directory of a TIFF file that become EXIF."""
_TURNED = range(2, 9)
_INCH, _CENTIMETRE = 2, 3
_UNSAID = ((72.0, 72.0), (1.0, 1.0))  # what cameras write because the tags are mandatory


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
        if _contents(current) != _contents(_unedited(current, image.info)):
            return exif_bytes(current)
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        return stored
    return stored


def exif_bytes(exif: Image.Exif) -> bytes | None:
    """Return EXIF as it is stored, without `PREFIX` and directories that hold nothing; None if nothing is left."""
    directories = _directories(exif)
    written = copy.copy(exif)
    written._data = {tag: value for tag, value in exif.items() if directories.get(tag) != {}}
    written._ifds = {tag: values for tag, values in exif._ifds.items() if directories.get(tag) != {}}
    return written.tobytes().removeprefix(PREFIX) if written or any(directories.values()) else None


def orientation_of(image: Image.Image) -> int:
    """Return how a picture is to be turned, as EXIF and otherwise XMP say: 1 to 8, where 1 is not at all."""
    if is_turned_by_decoder(image):
        return UPRIGHT
    try:
        with filtered_warnings("ignore"):  # of Pillow's parser
            orientation: object = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        return UPRIGHT
    return orientation if isinstance(orientation, int) and orientation in _TURNED else UPRIGHT


def is_turned_by_decoder(image: Image.Image) -> bool:
    """Return whether the pixels of an image stand upright whatever EXIF and XMP say.

    Those of JPEG XL do (ISO/IEC 18181-2), unless the plugin reads them from the JPEG that the file was made of.
    """
    return image.format == "JXL" and not getattr(image, "jpeg", False)


def resolution_of(image: Image.Image) -> tuple[float, float] | None:
    """Return the dots per inch that EXIF says, None if it does not: Pillow looks for them in EXIF of JPEG only."""
    try:
        with filtered_warnings("ignore"):  # of Pillow's parser
            exif = image.getexif()
        across, down = (float(exif[tag]) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution))
        unit = exif.get(ExifTags.Base.ResolutionUnit, _INCH)
    except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
        return None
    scale = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(unit)
    return None if scale is None or (across, down) in _UNSAID else (across * scale, down * scale)


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


def is_sound(exif: bytes) -> bool:
    """Return whether Pillow can read EXIF and write all of it anew, as its writers of some formats do."""
    parsed = Image.Exif()
    with filtered_warnings("error"):  # Pillow warns of what it leaves out
        try:
            parsed.load(exif)
            parsed.tobytes()
        except Exception:  # cameras write anything as EXIF, and Pillow's parser may raise anything
            return False
    return isinstance(parsed.get(ExifTags.Base.Orientation, UPRIGHT), int)


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
    return dict(exif) | _directories(exif)


def _directories(exif: Image.Exif) -> dict[int, dict[int, Any]]:
    """Return what the directories of EXIF hold, nothing where there is none."""
    # Pillow keeps each directory that it looks for, an empty one where there is none, and would write that, too.
    read = copy.copy(exif)
    read._ifds = dict(exif._ifds)
    found = {directory: read.get(directory) for directory in _DIRECTORIES}
    return {tag: dict(value if isinstance(value, dict) else read.get_ifd(tag)) for tag, value in found.items()}


def _of_tiff(image: Image.Image) -> bytes | None:
    own, kept = image.getexif(), Image.Exif()
    directories = _directories(own)
    for tag in _TIFF_TAGS:
        if tag in own:
            kept[tag] = own[tag]
    for directory in _DIRECTORIES:
        values = directories[directory]
        if directory == ExifTags.IFD.Exif:
            values = {tag: own[tag] for tag in _EXIF_TAGS if tag in own} | values
        if values:
            kept[directory] = values
    return kept.tobytes().removeprefix(PREFIX) if kept else None
