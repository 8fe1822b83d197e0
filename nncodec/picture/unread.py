"""ICC profiles, XMP and EXIF that Pillow does not read: those of BMP, GIF, JPEG 2000 and JPEG XL files.

References: BITMAPV5HEADER (Microsoft); ICC.1:2010, annex B.4 (GIF); XMP, part 3, 1.1 (GIF), 1.1.4 (JPEG 2000);
ISO/IEC 15444-1, annex I.5.3.3 (colr); ISO/IEC 18181-2 (Exif, xml, brob).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from PIL import Image

from nncodec.picture.exif import is_turned_by_decoder
from nncodec.picture.in_file import boxes_of, found_in_file, read_at_most

_BMP_HEAD, _BMP_V5 = 14, 124
_BMP_EMBEDDED = b"DEBM"
_BMP_SPACE, _BMP_PROFILE = slice(56, 60), (slice(112, 116), slice(116, 120))

_GIF_EXTENSION, _GIF_APPLICATION, _GIF_IMAGE = b"\x21", 0xFF, b"\x2c"
_GIF_ICC, _GIF_XMP = b"ICCRGBG1012", b"XMP DataXMP"
_GIF_XMP_END = b"\x01\xff\xfe\xfd"  # of bytes that lead readers of blocks out of XMP, which has none
_GIF_MOST_BLOCKS = 1_000_000

_ANY_PROFILE = (2, 3)
_XMP_ID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_ID = b"JpgTiffExif->JP2"
_GEO_ID = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")

_NAMES = {b"Exif": "EXIF", b"xml ": "XMP"}


class Unread(NamedTuple):
    """Metadata of a file that Pillow does not read.

    Args:
        icc_profile, xmp, exif: bytes, empty if there are none.
        note: for the user, on what is not read either.
    """

    icc_profile: bytes = b""
    xmp: bytes = b""
    exif: bytes = b""
    note: str = ""


def unread_of(image: Image.Image) -> Unread:
    """Return what the file of an image holds and Pillow does not read; nothing if the file is gone."""
    find = {"BMP": _in_bmp, "GIF": _in_gif, "JPEG2000": _in_jpeg_2000}.get(image.format or "")
    if is_turned_by_decoder(image):  # else the plugin reads the JPEG that the file was made of
        find = _in_jpeg_xl
    return (found_in_file(image, find) if find else None) or Unread()


def _in_bmp(stream: BinaryIO) -> Unread:
    header = stream.read(_BMP_HEAD + _BMP_V5)[_BMP_HEAD:]
    if len(header) < _BMP_V5 or int.from_bytes(header[:4], "little") < _BMP_V5 or header[_BMP_SPACE] != _BMP_EMBEDDED:
        return Unread()
    place, size = (int.from_bytes(header[part], "little") for part in _BMP_PROFILE)
    stream.seek(_BMP_HEAD + place)
    return Unread(icc_profile=read_at_most(stream, size))


def _in_gif(stream: BinaryIO) -> Unread:
    found = Unread()
    for name, place, blocks in _gif_applications(stream):
        if name == _GIF_ICC:
            found = found._replace(icc_profile=b"".join(blocks))
        elif name == _GIF_XMP:
            end = stream.tell()
            stream.seek(place)
            xmp = read_at_most(stream, end - place)
            found = found._replace(xmp=xmp[: max(0, xmp.rfind(_GIF_XMP_END))])
    return found


def _gif_applications(stream: BinaryIO) -> Iterator[tuple[bytes, int, list[bytes]]]:
    """Yield name, place and blocks of the extensions of applications; each time, the stream stands behind them."""
    _skip_gif_table(stream, stream.read(13)[10:11])
    for _ in range(_GIF_MOST_BLOCKS):
        kind = stream.read(1)
        if kind == _GIF_IMAGE:
            _skip_gif_table(stream, stream.read(9)[8:9])
            stream.seek(1, 1)
            _gif_blocks(stream, keep=False)
        elif kind == _GIF_EXTENSION:
            is_application = stream.read(1) == bytes([_GIF_APPLICATION])
            name = stream.read(int.from_bytes(stream.read(1))) if is_application else b""
            place, is_wanted = stream.tell(), name in (_GIF_ICC, _GIF_XMP)
            blocks = _gif_blocks(stream, keep=is_wanted)
            if is_wanted:
                yield name, place, blocks
        elif kind != b"\0":  # stray ends of blocks occur; this is the end of the file
            return


def _skip_gif_table(stream: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        stream.seek(3 * 2 ** ((flags[0] & 7) + 1), 1)


def _gif_blocks(stream: BinaryIO, *, keep: bool) -> list[bytes]:
    """Read blocks to their end; return them if they are to be kept."""
    blocks: list[bytes] = []
    for _ in range(_GIF_MOST_BLOCKS):
        size = int.from_bytes(stream.read(1))
        if not size:
            break
        if keep:
            blocks.append(stream.read(size))
        else:
            stream.seek(size, 1)
    return blocks


def _in_jpeg_2000(stream: BinaryIO) -> Unread:
    found = Unread()
    if stream.read(4) != bytes((0, 0, 0, 12)):  # a bare codestream has no boxes
        return found
    stream.seek(0)
    for name, size in boxes_of(stream):
        if name == b"jp2h":
            for inner, inner_size in boxes_of(stream, size):
                if inner == b"colr" and stream.read(3)[:1] in map(int.to_bytes, _ANY_PROFILE):
                    found = found._replace(icc_profile=read_at_most(stream, inner_size - 3))
                    break
        elif name == b"uuid":
            kind, rest = stream.read(16), size - 16 if size >= 0 else -1
            if kind == _XMP_ID:
                found = found._replace(xmp=read_at_most(stream, rest))
            elif kind == _EXIF_ID:
                found = found._replace(exif=read_at_most(stream, rest))
            elif kind == _GEO_ID:
                found = found._replace(note="its place on the map (GeoJP2) is not kept")
    return found


def _in_jpeg_xl(stream: BinaryIO) -> Unread:
    found, compressed = Unread(), set()
    if stream.read(4) != bytes((0, 0, 0, 12)):
        return found
    stream.seek(0)
    for name, size in boxes_of(stream):
        if name == b"xml ":
            found = found._replace(xmp=read_at_most(stream, size))
        elif name == b"brob":
            compressed.add(_NAMES.get(stream.read(4), ""))
    names = " and ".join(sorted(compressed - {""}))
    return found._replace(note=f"its {names}, compressed in the JPEG XL file, is not kept") if names else found
