"""Opens picture files: registers optional packages with Pillow, and says what a file is that cannot be read."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Sequence
from pathlib import PurePath
from typing import BinaryIO, NamedTuple

from PIL import EpsImagePlugin, Image, UnidentifiedImageError

from nncodec._support.extras import is_installed
from nncodec.errors import UnsupportedImage, first_line
from nncodec.picture.in_file import found_in_file
from nncodec.picture.tiff_pages import is_companion, tags_of_pages

_HEAD_BYTES = 4096
# TIFF tags.
_NEWSUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706
_BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL, _SAMPLE_FORMAT = 258, 277, 339
_FLOATS = 3  # as format of samples
_MOST_PILLOW_PLANES = 4


class _Package(NamedTuple):
    """A package that adds formats to Pillow.

    Args:
        module: its import name.
        name: what pip installs.
        register: its function that registers the formats; empty if the import does.
        kind: what it reads.
        suffixes: extensions of that.
    """

    module: str
    name: str
    register: str
    kind: str
    suffixes: tuple[str, ...]


PACKAGES = (
    _Package("pillow_heif", "pillow-heif", "register_heif_opener", "a HEIC/HEIF picture", (".heic", ".heif", ".hif")),
    _Package("pillow_jxl", "pillow-jxl-plugin", "", "a JPEG XL picture", (".jxl",)),
)
"""Packages that are registered with Pillow on demand, where they are installed."""

STUBS = ("BUFR", "GRIB", "HDF5", "MPEG", "NNC", "WMF")
"""Formats that Pillow recognises but cannot read or write by itself, and this package's own format."""

STACKS = ("AVIF", "FLI", "GIF", "PNG", "TIFF", "WEBP")
"""Formats whose frames are separate images, rather than layers, sizes or depth maps of one image."""

_HEIF, _JXL = PACKAGES
_NOT_READ = {".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2", ".svg", ".svgz"}
_DEVELOP = "a camera raw file; develop it to TIFF or PNG first, with darktable or RawTherapee for example"
_CONVERT = "convert it to PNG or TIFF first, with ImageMagick for example"
_TOO_SHORT = "damaged or incomplete; download or copy it again"
_ODD = "damaged, or of a kind that Pillow does not read; copy it again, or save it as PNG with another program"
_IS_ODD = f"that is {_ODD}"
_TIFF = "a TIFF file "
_LONG_TEXT = (
    "a PNG file whose text, XMP or colour profile is longer than Pillow reads; remove it first, with exiftool -all= "
    "for example"
)
_METAFILE = "a drawing of Windows (WMF or EMF); export it as PNG first, with LibreOffice for example"
# What files begin with. Pillow knows some of these formats, so they matter only if it could not open the file.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "a PDF document; export its pages as pictures first, with pdftoppm -png for example"),
    (0, b"FUJIFILMCCD-RAW", _DEVELOP),
    (0, b"II*\0\x10\0\0\0CR", _DEVELOP),
    (0, b"IIU\0", _DEVELOP),
    (0, b"IIRO", _DEVELOP),
    (0, b"IIRS", _DEVELOP),
    (0, b"MMOR", _DEVELOP),
    (0, b"FOVb", _DEVELOP),
    (0, b"\0MRM", _DEVELOP),
    (4, b"ftypcrx ", _DEVELOP),
    (0, b"PK\3\4", "a ZIP archive, not a picture"),
    (0, b"\x1f\x8b", "a gzip archive, not a picture"),
    (0, b"BZh", "a bzip2 archive, not a picture"),
    (0, b"\xfd7zXZ\0", "an xz archive, not a picture"),
    (0, b"7z\xbc\xaf", "a 7z archive, not a picture"),
    (0, b"Rar!", "a RAR archive, not a picture"),
    (0, b"\x1a\x45\xdf\xa3", "a video, not a picture"),
    (8, b"AVI LIST", "a video, not a picture"),
    (0, b"\x7fELF", "a program, not a picture"),
    (0, b"\0\5\x16\7", "what macOS stores beside a file, not a picture; the picture has the same name without '._'"),
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer instead of the file; get it with 'git lfs pull'",
    ),
    (0, b"\x93NUMPY", "a NumPy array, not a picture; encode the array in Python"),
    (0, b"P7\n", f"a PAM picture; {_CONVERT}"),
    (0, b"#?RADIANCE", f"an HDR picture (Radiance); {_CONVERT}"),
    (0, b"#?RGBE", f"an HDR picture (Radiance); {_CONVERT}"),
    (0, b"v/1\1", f"an HDR picture (OpenEXR); {_CONVERT}"),
    (0, b"FLIF", f"a FLIF picture; {_CONVERT}"),
    (0, b"II\xbc\1", f"a JPEG XR picture; {_CONVERT}"),
    (128, b"DICM", f"a DICOM picture; {_CONVERT}"),
    (0, b"gimp xcf", "a picture of GIMP; export it as PNG first"),
    (0, b"8BPS\0\2", "a large document of Photoshop (PSB); save it as TIFF or PNG first"),
    (0, b"AT&TFORM", "a DjVu document; export its pages as pictures first, with ddjvu for example"),
    (0, b"\xd7\xcd\xc6\x9a", _METAFILE),
    (40, b" EMF", _METAFILE),
    # Formats that Pillow reads, whole files of any kind,
    (0, b"\x89PNG\r\n\x1a\n", f"a PNG file that is {_TOO_SHORT}"),
    (0, b"\xff\xd8\xff", f"a JPEG file that is {_TOO_SHORT}"),
    (0, b"GIF8", f"a GIF file that is {_TOO_SHORT}"),
    (8, b"WEBPVP8", f"a WebP file that is {_TOO_SHORT}"),
    (0, b"qoif", f"a QOI file that is {_TOO_SHORT}"),
    *((0, b"P%d" % kind + end, f"a PNM file that is {_TOO_SHORT}") for kind in range(1, 7) for end in (b"\n", b" ")),
    # or of some kinds.
    (0, b"II*\0", _TIFF + _IS_ODD),
    (0, b"MM\0*", _TIFF + _IS_ODD),
    (0, b"II+\0", _TIFF + _IS_ODD),
    (0, b"MM\0+", _TIFF + _IS_ODD),
    (0, b"\0\0\1\0", f"an ICO file that is {_ODD}"),
    (0, b"icns", f"an ICNS file that is {_ODD}"),
    (0, b"8BPS\0\1", f"a Photoshop document that is {_ODD}"),
    (0, b"\0\0\0\x0cjP  ", f"a JPEG 2000 file that is {_ODD}"),
    (0, b"\xff\x4f\xff\x51", f"a JPEG 2000 file that is {_ODD}"),
    (0, b"DDS ", f"a DDS file that is {_ODD}"),
    (0, b"\x01\xda", f"an SGI file that is {_ODD}"),
    (0, b"/* XPM */", f"an XPM file that is {_ODD}"),
    *((0, b"\x0a" + version, f"a PCX file that is {_ODD}") for version in (b"\0\1", b"\2\1", b"\3\1", b"\5\1")),
)
_EPS = (b"%!PS-Adobe", b"\xc5\xd0\xd3\xc6")
_UNKNOWN = "not a picture that Pillow can read"
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@functools.cache
def register_packages() -> None:
    """Register the packages of `PACKAGES` that are installed with Pillow, once."""
    Image.init()
    for package in PACKAGES:
        if not is_installed(package.module):
            continue
        with contextlib.suppress(Exception):  # a broken package must not keep other formats from being read
            module = importlib.import_module(package.module)
            if package.register:
                getattr(module, package.register)()


def package_for(suffix: str) -> str | None:
    """Return the package to install for an extension such as `.heic`; None if there is none or it is registered."""
    register_packages()
    for package in PACKAGES:
        if suffix.lower() in package.suffixes and suffix.lower() not in Image.registered_extensions():
            return package.name
    return None


def names_another_format(path: PurePath, kind: str = "NNC") -> bool:
    """Return whether a name has the extension of a picture of another format, whether it can be written or not.

    Args:
        path: ends in the name.
        kind: Pillow's name of the format that is written.
    """
    suffix = path.suffix.lower()
    named = "NNC" if suffix == ".nnc" else Image.registered_extensions().get(suffix)
    if named is not None:
        return named != kind
    return suffix in {suffix for package in PACKAGES for suffix in package.suffixes} | _NOT_READ


def open_picture(stream: BinaryIO) -> Image.Image:
    """Open a picture file with Pillow and the packages that are installed.

    Raises:
        UnsupportedImage: it cannot be read; the message says what it is.
        OSError, Image.DecompressionBombError, ...: Pillow cannot read it; its decoders may raise anything.
    """
    register_packages()
    try:
        image = Image.open(stream)
    except UnidentifiedImageError:
        raise UnsupportedImage(detail=_what_it_is_in(stream)) from None
    if image.format == "TIFF" and _is_raw(image):
        raise UnsupportedImage(detail=_DEVELOP)
    return image


def frame_count(image: Image.Image) -> int:
    """Return how many frames an open picture has; raises UnsupportedImage if that cannot be read."""
    if companions := _companions(image):
        return len(companions)  # Pillow may fail at one of them
    try:
        # Some files are read for it. Pillow counts the layers of a PSD file, and a flattened one has none.
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception as error:  # Pillow's decoders may raise anything
        raise UnsupportedImage(detail=damaged(error)) from error


def own_frames(image: Image.Image) -> Sequence[int]:
    """Return the numbers of the frames that are no smaller copies or masks of others, as pages of TIFF files may be.

    Raises:
        UnsupportedImage: the number of frames cannot be read.
    """
    companions = _companions(image) or [False] * frame_count(image)
    return [number for number, is_companion_page in enumerate(companions) if not is_companion_page]


def _companions(image: Image.Image) -> list[bool]:
    """Return which pages of a TIFF file are companions of others; nothing if none or all are."""
    found = found_in_file(image, lambda stream: [*map(is_companion, tags_of_pages(stream))])
    marks = (found or []) if image.format == "TIFF" else []
    return marks if any(marks) and not all(marks) else []


def damaged(error: Exception) -> str:
    """Say what is wrong with a file, for an exception of Pillow's decoders that says it only to programmers."""
    return f"Pillow cannot read it: the file is damaged, or of a kind that Pillow does not know ({first_line(error)})"


def what_it_is(head: bytes) -> str:
    """Say what a file is that Pillow cannot read, from its first bytes, and what to do."""
    if not head:
        return "the file is empty"
    for start, magic, text in _MAGIC:
        if head[start:].startswith(magic):
            return text
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return _needs(_JXL)
    if head[4:8] == b"ftyp":
        return _boxed(head)
    if head.startswith(b"BM") and b"\0" in head:  # text may begin so, too
        return f"a BMP file that is {_ODD}"
    if head.startswith(_EPS):
        return _postscript(head)
    return _text(head) or _UNKNOWN


def what_failed(stream: BinaryIO, error: Exception) -> str:
    """Say what a file is that Pillow recognised but failed to read, and what to do: Pillow tells only programmers."""
    if isinstance(error, ValueError) and "MAX_TEXT" in str(error):
        return _LONG_TEXT
    found = _what_it_is_in(stream)
    return damaged(error) if found == _UNKNOWN else found


def _what_it_is_in(stream: BinaryIO) -> str:
    stream.seek(0)
    found = what_it_is(stream.read(_HEAD_BYTES))
    return _TIFF + (_unread_samples(stream) or _IS_ODD) if found == _TIFF + _IS_ODD else found


def _unread_samples(stream: BinaryIO) -> str:
    """Say which samples a TIFF file has that Pillow does not read; empty if they are no such ones."""
    tags = next(tags_of_pages(stream), {})
    bits, planes = (max(tags.get(tag, (1,)), default=1) for tag in (_BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL))
    if _FLOATS in tags.get(_SAMPLE_FORMAT, ()):
        return f"of floating-point samples of {bits} bits; scale them to whole numbers of 8 or 16 bits and save that"
    if planes > _MOST_PILLOW_PLANES or (planes > 1 and bits > 8):
        return (
            f"of {planes} planes of {bits} bits, which Pillow does not read; read it with tifffile, for example, and "
            "pass the array with lossless=True"
        )
    return ""


def _postscript(head: bytes) -> str:
    if head.startswith(b"%!") and b"EPSF" not in head.split(b"\n")[0]:
        return "a PostScript document; export its pages as pictures first, with Ghostscript for example"
    if EpsImagePlugin.has_ghostscript():
        return f"an EPS drawing that is {_ODD}"
    return "an EPS drawing; install Ghostscript to read it, or export it as PNG"


def _needs(package: _Package) -> str:
    if package.suffixes[0] in Image.registered_extensions():
        return f"{package.kind} that is {_TOO_SHORT}"
    return f"{package.kind}; pip install {package.name} to read it"


def _boxed(head: bytes) -> str:
    """Say what an ISO base media file is."""
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), int.from_bytes(head[:4])), 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        if ".avif" in Image.registered_extensions():
            return f"an AVIF picture that is {_TOO_SHORT}"
        return "an AVIF picture; install a Pillow that reads AVIF, such as its wheels: pip install -U pillow"
    if any(brand in _HEIF_BRANDS for brand in brands):
        return _needs(_HEIF)
    return "a video, not a picture"


def _text(head: bytes) -> str:
    """Say which kind of text a file is; empty if it is none."""
    try:
        text = head.decode("utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character may be cut
            return ""
        text = head[: error.start].decode("utf-8-sig", "ignore")
    if any(ord(c) < 32 and c not in "\t\n\r\f" for c in text):
        return ""
    start = text.lstrip().lower()
    if start.startswith(("<!doctype html", "<html")):
        return "an HTML page, not a picture"
    if "<svg" in start:
        return "an SVG drawing, which has no pixels; render it as a PNG first, with rsvg-convert for example"
    if "\n" not in text.strip() and PurePath(text.strip()).suffix.lower() in Image.registered_extensions():
        return "only the name of a picture file, not a picture; names are given as str or Path"
    return "a text file, not a picture"


def _is_raw(image: Image.Image) -> bool:
    """Whether a TIFF file is a camera's raw file, whose first picture is only a thumbnail or raw samples."""
    tags = getattr(image, "tag_v2", {})
    return _DNG_VERSION in tags or (bool(tags.get(_NEWSUBFILE_TYPE, 0) & 1) and _SUB_IFDS in tags)
