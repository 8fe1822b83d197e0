"""The whole way of a picture, forth and back.

    image -> pixels -> analysis -> latents -> entropy coder -> blocks -> container -> bytes

`encoder.py` and `decoder.py` walk it; this module is what users call, with `enhance` of `enhancing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

from PIL import Image

from nncodec.coding.decoder import alike_of, frames_of, model_of
from nncodec.coding.encoder import Encoder
from nncodec.coding.grid import PIXELS_AT_ONCE
from nncodec.coding.inspection import Source
from nncodec.coding.recommendation import enhancement_for
from nncodec.coding.targets import encode_to, target_of
from nncodec.errors import InvalidOption
from nncodec.format.container import Container, Header
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.options import EncodeOptions
from nncodec.picture.region import Box, checked_box

DEFAULT_MODEL = "photo"
DEFAULT_QUALITY = 50


def encode(
    image: Image.Image | Sequence[Image.Image],
    model: str = DEFAULT_MODEL,
    quality: int | None = None,
    *,
    target_size: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    **options: Unpack[EncodeOptions],
) -> bytes:
    """Encode a picture, or several of one size and mode as the frames of one file.

    Args:
        image: Pillow image(s) of mode L, LA, RGB or RGBA. Alpha is kept exactly, colour as well as the quality says.
        model: name or alias of an installed model; "photo" is the default photo model.
        quality: 0 (smallest) to 100 (best, and not lossless), 50 by default; models without qualities ignore it.
        target_size: in place of a quality: the highest whose file has at most so many bytes, everything counted.
        target_bpp: likewise, for a file of at most so many bits per pixel of all frames.
        target_psnr: likewise, but the lowest quality that reaches this PSNR in dB, over the colour samples of all
            frames. A search for any of the three encodes up to seven times, see `targets.py`.
        **options: see `EncodeOptions`.

    Returns:
        The bytes of an .nnc file.

    Raises:
        UnsupportedImage: mode or size does not suit the model.
        InvalidOption: an unknown option or a value out of range; more than one of quality and the targets; a target
            that no quality meets (`reached` is what comes nearest), or for a model without qualities.
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: the model cannot be used.

    Example:
        >>> import nncodec, skimage.data
        >>> from PIL import Image
        >>> data = nncodec.encode(Image.fromarray(skimage.data.astronaut()), quality=40)
        >>> nncodec.decode(data).size
        (512, 512)
    """
    images = [image] if isinstance(image, Image.Image) else list(image)
    target = target_of(quality, target_size, target_bpp, target_psnr)
    if target is not None:
        return encode_to(target, images, model, options)
    plan = Encoder(model, DEFAULT_QUALITY if quality is None else quality, options)
    return plan.write(plan.prepare(images), images[0].info)


def encode_batch(
    images: Sequence[Image.Image],
    model: str = DEFAULT_MODEL,
    quality: int | None = None,
    *,
    target_size: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    **options: Unpack[EncodeOptions],
) -> list[bytes]:
    """Encode many pictures, each to a file of its own; pictures of one size and mode share passes of the model.

    Arguments, errors: see `encode`. A target holds for each file, with a quality and passes of its own.

    Returns:
        As many files as images, in order.
    """
    target = target_of(quality, target_size, target_bpp, target_psnr)
    if target is not None:
        return [encode_to(target, [image], model, options) for image in images]
    plan = Encoder(model, DEFAULT_QUALITY if quality is None else quality, options)
    alike: dict[tuple[tuple[int, int], str], list[int]] = {}
    for number, image in enumerate(images):
        alike.setdefault((image.size, image.mode), []).append(number)
    files: list[bytes] = [b""] * len(images)
    for (size, _), numbers in alike.items():
        at_once = max(1, PIXELS_AT_ONCE // (size[0] * size[1] or 1))
        for start in range(0, len(numbers), at_once):
            chosen = numbers[start : start + at_once]
            frames = plan.prepare([images[n] for n in chosen])
            for number, data in zip(chosen, plan.write_each(frames, [images[n].info for n in chosen]), strict=True):
                files[number] = data
    return files


def decode(
    data: Source,
    *,
    frame: int = 0,
    box: Box | None = None,
    enhancer: str | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Image.Image:
    """Decode one frame of a file, or a box of it.

    Args:
        data: an .nnc file as bytes, or as a seekable binary stream.
        frame: 0 for the first.
        box: (left, upper, right, lower) in pixels of the picture, as `Image.crop` takes it; all by default. The result
            is what cropping the whole would give, within one level, for less: only blocks (1024 x 1024 pixels) within
            reach of it are read, and synthesis runs on the box and a halo alone. Alpha is read whole.
        enhancer: name or alias of an installed enhancer that the decoded picture goes through; "recommended" for the
            one that the file recommends, and none if it does not. One that enlarges is for files that are stored
            reduced. Alpha and size stay what they are. By default none: what the file holds, and nothing else.
        strength: of the enhancer, 0 (faithful) to 1 (the most detail, some of it invented); by default what the file
            recommends, or 0. An enhancer without strengths ignores it.
        limits: what the file may ask for; the whole of it, whatever the box.

    Returns:
        A Pillow image of mode L, LA, RGB or RGBA; `info` holds exif, icc_profile and xmp where the file does, and
        model and quality.

    Raises:
        FormatError: the bytes are not a sound .nnc file (see errors.py for the kinds).
        UnknownModel: the file's model or the enhancer is not installed.
        InvalidOption: there is no such frame; the box is not four whole numbers, empty, or reaches outside; the
            enhancer does not suit the file, or its strength is out of range.
        ModelError, BadModelFile, WeightsMismatch, PluginError: the model or the enhancer cannot be used.
    """
    chosen = range(frame, frame + 1)
    frames = decode_frames(data, frames=chosen, box=box, enhancer=enhancer, strength=strength, limits=limits)
    return next(iter(frames))


def decode_frames(
    data: Source,
    *,
    frames: range | None = None,
    box: Box | None = None,
    enhancer: str | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Image.Image]:
    """Decode the frames of a file one after another, in bounded memory.

    Args:
        data, box, enhancer, strength, limits: see `decode`; they are the same for all.
        frames: which, in the order to yield them; all by default. Only blocks that hold one of them are read.

    Yields:
        Pillow images, as `decode` returns.

    Raises:
        See `decode`; errors of the header and of the enhancer are raised at once, errors of a block when it is reached.
    """
    container = Container(data, limits)
    container.check_end()
    count = container.header.frames
    wanted = range(count) if frames is None else frames
    if wanted and not all(0 <= number < count for number in (wanted[0], wanted[-1])):
        raise InvalidOption(option="frame", reason=f"the file has frames 0 to {count - 1}")
    checked = None if box is None else checked_box(box, container.header.display_size)
    return frames_of(container, wanted, checked, enhancement_for(container, enhancer, strength))


def decode_batch(
    files: Sequence[Source],
    *,
    enhancer: str | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Image.Image]:
    """Decode the first frame of many files; small ones that look alike share passes of the model.

    Arguments, errors: see `decode`.
    """
    containers = [Container(data, limits) for data in files]
    enhancements = [enhancement_for(container, enhancer, strength) for container in containers]
    images: list[Image.Image | None] = [None] * len(files)
    alike: dict[Header, list[int]] = {}
    for number, container in enumerate(containers):
        container.check_end()
        if container.block_count == 1 and container.header.frames == 1:
            alike.setdefault(container.header, []).append(number)
        else:
            images[number] = next(frames_of(container, range(1), None, enhancements[number]))
    for header, numbers in alike.items():
        at_once = max(1, PIXELS_AT_ONCE // (header.width * header.height))
        model = model_of(containers[numbers[0]])
        for start in range(0, len(numbers), at_once):
            chosen = numbers[start : start + at_once]
            found = alike_of([containers[n] for n in chosen], header, model, [enhancements[n] for n in chosen])
            for number, image in zip(chosen, found, strict=True):
                images[number] = image
    return [image for image in images if image is not None]
