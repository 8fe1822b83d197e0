"""Saves files: the whole file is encoded before its first byte is written."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, cast

from PIL import Image

from nncodec import EncodeOptions, InvalidOption, NncError, UnsupportedImage, encode
from nncodec._support.notes import warn_of
from nncodec.coding.choice import exactness_of
from nncodec.picture.cicp import cicp_of
from nncodec.picture.conversion import mode_with_alpha
from nncodec.picture.exif import exif_of
from nncodec.picture.exif_entries import said_upright
from nncodec.picture.losses import companions_not_used, not_looked_up, samples_not_kept
from nncodec.picture.openers import damaged, own_frames
from nncodec.picture.reading import in_one_mode
from nncodec.picture.samples import palette_of
from nncodec.picture.unread import unread_of
from nncodec_pillow.options import RATES, pixels_together, resolved_model, with_defaults

_KNOWN = {"model", *RATES, *EncodeOptions.__annotations__}
# Options of `Image.save` itself, which it passes on.
_PILLOWS_OWN = {"append", "append_images"}


def save(image: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    """Write one image; Pillow's handler for `save`."""
    _write([image], image, fp)


def save_all(image: Image.Image, fp: IO[bytes], filename: str | bytes) -> None:
    """Write all frames of an image and of `append_images`; Pillow's handler for `save(save_all=True)`."""
    sources = [image, *_images_of(image.encoderinfo.get("append_images") or ())]
    try:
        numbers = [own_frames(source) for source in sources]
    except UnsupportedImage as error:
        raise OSError(str(error)) from error
    count = sum(map(len, numbers))
    pixels = sum(source.width * source.height * len(own) for source, own in zip(sources, numbers, strict=True))
    if count > 1 and pixels > pixels_together():
        raise OSError(
            f"cannot write {count} frames of {pixels} pixels together, over the limit of {pixels_together()}; "
            "write several files, or raise the limit with register_nnc_opener(limits=...)"
        )
    wanted = {name: value for name, value in image.encoderinfo.items() if name in ("lossless", "max_error")}
    max_error = exactness_of(None, cast("EncodeOptions", wanted))
    frames: list[Image.Image] = []
    are_alike = len({_kind_of(source) for source in sources}) == 1
    for source, own in zip(sources, numbers, strict=True):
        if are_alike and len(own) == 1 and source.format != "GIF":
            frames.append(source)
        else:
            frames += _frames_of(source, own if len(own) > 1 else [source.tell()], max_error, image.encoderinfo)
    # Such as copies of a GIF's frames, of which the first has a palette, and others have colours.
    if len({_kind_of(frame) for frame in frames}) > 1 and len({frame.size for frame in frames}) == 1:
        frames = _in_one_mode(frames, max_error)
    _write(frames, image, fp)


def _images_of(appended: object) -> list[Image.Image]:
    """Return the images of `append_images`; raises InvalidOption if it is something else than images."""
    if isinstance(appended, Image.Image) or not isinstance(appended, Iterable):
        reason = f"a sequence of images is needed, got {type(appended).__name__}; put a single one into a list"
        raise InvalidOption(option="append_images", reason=reason)
    images = list(appended)
    for image in images:
        if not isinstance(image, Image.Image):
            raise InvalidOption(option="append_images", reason=f"expected images, got {type(image).__name__}")
    return images


def _frames_of(
    source: Image.Image, numbers: Sequence[int], max_error: int | None, options: Mapping[str, Any]
) -> list[Image.Image]:
    """Return the frames of an image, in one mode: palettes that change from frame to frame become colours.

    Args:
        source: is left at its frame.
        numbers: of its frames.
        max_error: see `read_picture_file`.
        options: of `save`.

    Raises:
        OSError: a frame cannot be read, or converted.
    """
    place = source.tell()
    frames: list[Image.Image] = []
    notes = companions_not_used(source) + not_looked_up(source, options, is_exact=max_error is not None)
    try:
        source.load()  # turns a TIFF as its tags say, which say it no more then
        # A copy has neither the tags of a TIFF file nor edits of `getexif()`, nor a file that can be looked into.
        exif, unread, cicp = exif_of(source), unread_of(source), cicp_of(source)
        for number in numbers:
            source.seek(number)
            notes += samples_not_kept([source])
            frames.append(source.copy())
        frames = _in_one_mode(frames, max_error)
    except OSError:
        raise
    except Exception as error:  # Pillow's decoders may raise anything
        raise OSError(damaged(error)) from error
    finally:
        with contextlib.suppress(Exception):  # a damaged file may not allow it
            source.seek(place)
    warn_of(dict.fromkeys(notes))
    for frame in frames:
        frame.info |= {"exif": exif, "cicp": cicp}
        if unread.icc_profile:
            frame.info["icc_profile"] = unread.icc_profile
        if unread.xmp:
            frame.info["xmp"] = said_upright({"xmp": unread.xmp})["xmp"]
    return frames


def _kind_of(image: Image.Image) -> object:
    return mode_with_alpha(image), palette_of(image)


def _in_one_mode(frames: list[Image.Image], max_error: int | None) -> list[Image.Image]:
    try:
        return in_one_mode(frames, max_error)
    except NncError as error:
        raise OSError(str(error)) from error


def _write(frames: Sequence[Image.Image], image: Image.Image, fp: IO[bytes]) -> None:
    options = _options(image)
    try:
        if "model" in options:
            options["model"] = resolved_model(options["model"])
        data = encode(frames, **options)
    except InvalidOption:
        raise
    except NncError as error:  # Pillow's users expect OSError if an image cannot be written
        raise OSError(str(error)) from error
    fp.write(data)


def _options(image: Image.Image) -> dict[str, Any]:
    given: dict[str, Any] = image.encoderinfo
    if given.get("append"):
        raise InvalidOption(
            option="append", reason="an .nnc file cannot be extended; pass all frames in append_images at once"
        )
    for name in sorted(given.keys() - _KNOWN - _PILLOWS_OWN):
        # `save(..., **image.info)` may pass on entries of another format, which the caller did not name.
        if image.info.get(name) is not given[name]:
            warnings.warn(f"NNC has no save option {name!r}; it is ignored", UserWarning, stacklevel=5)
    own = {name: value for name, value in given.items() if name in _KNOWN}
    if "dpi" in own and own["dpi"] is image.info.get("dpi"):
        del own["dpi"]  # taken from `info` anyway, where files say anything
    options = with_defaults(own)
    if options.get("quality") == "keep" and given.get("model") is None:
        options.pop("model", None)  # a quality means something with its own model only
    return options
