"""Public encode and decode functions.

    image -> pixels -> analysis -> latents -> entropy coder -> blocks -> container -> bytes

`nncodec/coding/encoder.py` and `decoder.py` implement these steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, Unpack, cast, overload

from PIL import Image

from nncodec._support.notes import larger_than_input, warn_of
from nncodec._support.numbers import whole_number
from nncodec._support.several import several
from nncodec.coding import decoder
from nncodec.coding.choice import Choice, exactness_of
from nncodec.coding.encoder import Encoder, unused_quality
from nncodec.coding.enhancing import Enhancement
from nncodec.coding.exact_encoder import ExactEncoder
from nncodec.coding.grid import batches_of
from nncodec.coding.recommendation import enhancement_for
from nncodec.coding.targets import Target, encode_to, refuse_rate, target_of
from nncodec.errors import InvalidOption
from nncodec.format.container import Container, NncSource
from nncodec.format.samples import SampleArray
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.picture.conversion import mode_with_alpha
from nncodec.picture.options import EncodeOptions, OnProgress, check_progress
from nncodec.picture.region import Box, checked_box
from nncodec.picture.sources import file_bytes_of, images_from, is_nnc_source, samples_from, seekable_source
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import Device
from nncodec.plugin.precision import Precision

if TYPE_CHECKING:
    from nncodec.picture.samples import SamplePicture
    from nncodec.picture.sources import ImageSource

DEFAULT_MODEL = "photo"
DEFAULT_QUALITY = 50


def encode(
    image: ImageSource | Sequence[ImageSource],
    model: str | None = None,
    quality: int | Literal["keep"] | None = None,
    *,
    target_size: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[EncodeOptions],
) -> bytes:
    """Encode an image, or several of one size and mode as the frames of one file.

    Args:
        image: Pillow image(s) of mode L, LA, RGB or RGBA; or the path or the bytes of a picture file, a binary stream,
            a NumPy array (H, W) or (H, W, 1 to 4) of uint8, or a torch tensor (1 to 4, H, W) of uint8 or of floats from
            0 to 1. Files are read as the command line reads them, with all frames and with `NncWarning`s. Alpha is
            lossless, colour is not.
        model: name or alias of an installed model; by default "photo", the default photo model.
        quality: 0 (smallest) to 100 (best, but not lossless: see the option `lossless`), 50 by default; models without
            qualities ignore it, with an `NncWarning`. "keep" takes the quality of the .nnc file that the (first) image
            was decoded from, and its model by default; the image may then be such a file itself, which stays as it is
            if nothing else is asked for.
        target_size: instead of a quality, the most bytes the file may have; the highest quality within it is used.
        target_bpp: likewise, the most bits per pixel of all frames.
        target_psnr: likewise, the least PSNR in dB over the colour samples of all frames; the lowest quality that
            reaches it is used. A search for any of the three targets encodes up to seven times.
        on_progress: called with the blocks (of 1024 x 1024 pixels) done and their total, first with 0 done once the
            model is loaded. An exception that it raises ends the work and reaches the caller.
        **options: see `EncodeOptions`.

    Returns:
        The bytes of an .nnc file.

    Raises:
        UnsupportedImage: the model cannot take the mode or size, or a file is not a picture that can be read.
        OSError: a path cannot be opened.
        InvalidOption: an option is unknown or out of range; more than one of quality and the targets is given; no
            quality meets the target (`reached` is the nearest value), or the model has no qualities.
        UnknownModel, BadModelFile, WeightsMismatch, PluginError: the model cannot be used.

    Example:
        >>> import nncodec, skimage.data
        >>> from PIL import Image
        >>> data = nncodec.encode(Image.fromarray(skimage.data.astronaut()), quality=40)
        >>> nncodec.decode(data).size
        (512, 512)
    """
    check_progress(on_progress)
    image = seekable_source(image)
    input_bytes = _input_bytes(image)
    if quality == "keep":
        is_alone = model is None and (target_size, target_bpp, target_psnr) == (None, None, None)
        if is_alone and not options and is_nnc_source(image):
            return Container(cast("NncSource", image)).copy()  # encoding it again could only lose
        image, model, quality = _kept(image, model)
    target = target_of(quality, target_size, target_bpp, target_psnr)
    max_error = exactness_of(model, options)
    if max_error is not None:
        refuse_rate(quality, target)
        return _told(_encode_exactly(image, model, max_error, options, on_progress), input_bytes)
    images = images_from(image, options)
    model = DEFAULT_MODEL if model is None else model
    if target is not None:
        return _told(encode_to(target, images, model, options, on_progress), input_bytes)
    plan = Encoder(model, DEFAULT_QUALITY if quality is None else quality, options)
    warn_of(unused_quality(model, quality))
    plan.on_progress = on_progress
    metadata = plan.metadata(images)
    frames = plan.prepare(images)
    choice = Choice(options)
    best = choice.at_top(plan, images, metadata, on_progress)
    data = choice.truer(plan.write(frames, metadata), images, metadata, plan.quality) if best is None else best
    return _told(data, input_bytes)


def encode_batch(
    images: Iterable[ImageSource],
    model: str | None = None,
    quality: int | Literal["keep"] | None = None,
    *,
    target_size: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    **options: Unpack[EncodeOptions],
) -> list[bytes]:
    """Encode many images, each to its own file; images of one size and mode share passes of the model.

    Arguments, errors: see `encode`. A target applies to each file separately, each with its own search; "keep" takes
    the quality and model of each. A picture file of several frames becomes a file of several frames.

    Returns:
        One file for each image, in order.
    """
    images = seekable_source(several("images", images))
    targets = {"target_size": target_size, "target_bpp": target_bpp, "target_psnr": target_psnr}
    if quality == "keep":
        return [encode(image, model, "keep", **targets, **options) for image in images]  # type: ignore[arg-type]
    input_bytes = [_input_bytes(image) for image in images]
    files = _encode_batch(images, model, quality, target_of(quality, **targets), options)  # type: ignore[arg-type]
    return [_told(data, before) for data, before in zip(files, input_bytes, strict=True)]


def _encode_batch(
    images: Sequence[ImageSource],
    model: str | None,
    quality: int | None,
    target: Target | None,
    options: EncodeOptions,
) -> list[bytes]:
    max_error = exactness_of(model, options)
    if max_error is not None:
        refuse_rate(quality, target)
        return [_encode_exactly(image, model, max_error, options) for image in images]
    model = DEFAULT_MODEL if model is None else model
    sources = [images_from(image, options) for image in images]
    if target is not None:
        return [encode_to(target, frames, model, options) for frames in sources]
    plan = Encoder(model, DEFAULT_QUALITY if quality is None else quality, options)
    warn_of(unused_quality(model, quality))
    choice = Choice(options)
    files: dict[int, bytes] = {}
    firsts = [frames[0] for frames in sources]
    keys = [
        (n if len(frames) > 1 else None, frames[0].size, mode_with_alpha(frames[0])) for n, frames in enumerate(sources)
    ]
    for numbers in batches_of(keys, [first.width * first.height for first in firsts]):
        several = sources[numbers[0]]
        if len(several) > 1:
            kept = plan.metadata(several)
            frames = plan.prepare(several)
            best = choice.at_top(plan, several, kept)
            if best is None:
                best = choice.truer(plan.write(frames, kept), several, kept, plan.quality)
            files[numbers[0]] = best
            continue
        metadata = [plan.metadata([firsts[n]]) for n in numbers]
        frames = plan.prepare([firsts[n] for n in numbers])
        for n, own, data in zip(numbers, metadata, plan.write_each(frames, metadata), strict=True):
            best = choice.at_top(plan, [firsts[n]], own)
            files[n] = choice.truer(data, [firsts[n]], own, plan.quality) if best is None else best
    return [files[number] for number in range(len(files))]


def _encode_exactly(
    image: ImageSource | Sequence[ImageSource],
    model: str | None,
    max_error: int,
    options: EncodeOptions,
    on_progress: OnProgress | None = None,
) -> bytes:
    encoder = ExactEncoder(model, options)
    encoder.on_progress = on_progress
    return encoder.encode(samples_from(image, max_error, options), max_error)


def _kept(
    source: ImageSource | Sequence[ImageSource], model: str | None
) -> tuple[list[SamplePicture], str | None, int | None]:
    """Return pictures with the model, unless one is given, and the quality of the file that the first was decoded from.

    Sources may be .nnc files, too.
    """
    pictures: list[SamplePicture] = []
    for part in source if isinstance(source, list | tuple) else [source]:
        pictures += decode_frames(cast("NncSource", part)) if is_nnc_source(part) else samples_from(part)
    info = getattr(pictures[0], "info", {}) if pictures else {}
    kept, quality = info.get("model"), info.get("quality")
    if not isinstance(kept, str) or not isinstance(quality, int | None):
        reason = "'keep' needs an image from an .nnc file, with 'model' and 'quality' in its info; give a number"
        raise InvalidOption(option="quality", reason=reason)
    return pictures, kept if model is None else model, quality


def _input_bytes(source: ImageSource | Sequence[ImageSource]) -> int | None:
    """Return the size of the picture files that a source is; None if a part of it is none."""
    sizes = [file_bytes_of(part) for part in (source if isinstance(source, list | tuple) else [source])]
    return sum(size for size in sizes if size is not None) if None not in sizes else None


def _told(data: bytes, input_bytes: int | None) -> bytes:
    """Return a file, with a warning if it is larger than its input."""
    if input_bytes is not None:
        warn_of(larger_than_input(input_bytes, len(data)))
    return data


@overload
def decode(
    data: NncSource,
    *,
    frame: int = ...,
    box: Box | None = ...,
    enhancer: str | None = ...,
    strength: float | None = ...,
    limits: Limits = ...,
    precision: Precision | None = ...,
    device: Device | None = ...,
    on_progress: OnProgress | None = ...,
    as_array: Literal[False] = ...,
) -> Image.Image: ...


@overload
def decode(
    data: NncSource,
    *,
    frame: int = ...,
    box: Box | None = ...,
    enhancer: str | None = ...,
    strength: float | None = ...,
    limits: Limits = ...,
    precision: Precision | None = ...,
    device: Device | None = ...,
    on_progress: OnProgress | None = ...,
    as_array: Literal[True],
) -> SampleArray: ...


@overload
def decode(
    data: NncSource,
    *,
    frame: int = ...,
    box: Box | None = ...,
    enhancer: str | None = ...,
    strength: float | None = ...,
    limits: Limits = ...,
    precision: Precision | None = ...,
    device: Device | None = ...,
    on_progress: OnProgress | None = ...,
    as_array: bool = ...,
) -> Image.Image | SampleArray: ...


def decode(
    data: NncSource,
    *,
    frame: int = 0,
    box: Box | None = None,
    enhancer: str | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
    precision: Precision | None = None,
    device: Device | None = None,
    on_progress: OnProgress | None = None,
    as_array: bool = False,
) -> Image.Image | SampleArray:
    """Decode one frame of a file, or a box of it.

    Args:
        data: an .nnc file: its path, its bytes, or a binary stream, which is read whole if it cannot seek.
        frame: 0 for the first.
        box: (left, upper, right, lower) in pixels, as `Image.crop` takes it; the whole image by default. The result
            equals a crop of the whole image within one level, but costs less: only blocks (1024 x 1024 pixels) near
            the box are read, and synthesis runs on the box and its halo. Alpha is always decoded whole.
        enhancer: name or alias of an installed enhancer to apply to the decoded image; "recommended" for the one that
            the file recommends, if any. Only files that are stored reduced can use one that enlarges. Alpha and size do
            not change. By default none is applied.
        strength: of the enhancer, 0 (faithful) to 1 (the most detail, some of it invented); by default the file's
            recommendation, or 0. An enhancer without strengths ignores it.
        limits: bounds on what the file may ask for; they apply to the whole file, even with a box.
        precision: "auto" lets networks compute pixels in bfloat16 where the processor multiplies it: faster, and about
            0.001 dB worse. With "float32" pixels are the same on every machine within one level. The default is that of
            `nncodec.precision`, which is "auto".
        device: where networks compute pixels, "cpu", "cuda", "cuda:1" and so on, or a `torch.device`. The default is
            that of `nncodec.device`, which is "cpu". Latents, and exact pictures, are decoded on the processor.
        on_progress: called with the blocks done and their total, as for `encode`.
        as_array: return a NumPy array instead of a Pillow image, without metadata: uint8, uint16 if a sample has more
            than 8 bits, or bool for mode 1; (H, W) for one plane, else (H, W, planes).

    Returns:
        A Pillow image of mode L, LA, RGB or RGBA, of exact files also 1, I;16, P or CMYK; `info` holds the file's exif,
        icc_profile, xmp, dpi, duration (of this frame, milliseconds) and loop, if any, and its model and quality.

    Raises:
        FormatError: the bytes are not a valid .nnc file (see errors.py for the kinds).
        UnknownModel: the file's model or the enhancer is not installed.
        ValueError, OSError: the stream is closed, or the path cannot be read.
        InvalidOption: the frame does not exist; the box is not four whole numbers, is empty, or exceeds the image; the
            file cannot use the enhancer, or its strength is out of range; PyTorch does not have the device.
        ModelError, BadModelFile, WeightsMismatch, PluginError: the model or the enhancer cannot be used.
    """
    with Computing.chosen(precision, device).applied():
        check_progress(on_progress)
        opened = _open(data, [frame], box, enhancer, strength, limits)
        if as_array:
            container, (number,), checked, enhancement = opened
            return decoder.decode_array(container, number, checked, enhancement, on_progress)
        return next(iter(decoder.decode_frames(*opened, on_progress)))


def decode_frames(
    data: NncSource,
    *,
    frames: range | None = None,
    box: Box | None = None,
    enhancer: str | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
    precision: Precision | None = None,
    device: Device | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Image.Image]:
    """Decode the frames of a file one after another, in bounded memory.

    Args:
        data, box, enhancer, strength, limits, precision, device, on_progress: see `decode`; they apply to all frames.
        frames: numbers of the frames to yield, in this order; all by default. Only their blocks are read.

    Yields:
        Pillow images, as `decode` returns.

    Raises:
        NncError: see `decode`. Errors of the header or the enhancer are raised at once, errors of a block when it is
            reached.
    """
    with Computing.chosen(precision, device).applied():
        check_progress(on_progress)
        return decoder.decode_frames(*_open(data, frames, box, enhancer, strength, limits), on_progress)


def _open(
    data: NncSource,
    frames: Iterable[object] | None,
    box: Box | None,
    enhancer: str | None,
    strength: float | None,
    limits: Limits,
) -> tuple[Container, Sequence[int], Box | None, Enhancement | None]:
    """Return an open file and what to decode of it, checked."""
    container = Container(data, limits)
    container.check_end()
    count = container.header.frames
    wanted = range(count) if frames is None else [_frame_number(frame, count) for frame in several("frames", frames)]
    checked = None if box is None else checked_box(box, container.header.display_size)
    return container, wanted, checked, enhancement_for(container, enhancer, strength)


def _frame_number(frame: object, count: int) -> int:
    number = whole_number(frame)
    if number is None:
        raise InvalidOption(option="frame", reason=f"{frame!r} is not a whole number")
    if not 0 <= number < count:
        raise InvalidOption(option="frame", reason=f"the file has frames 0 to {count - 1}")
    return number


def decode_batch(
    files: Iterable[NncSource],
    *,
    enhancer: str | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
    precision: Precision | None = None,
    device: Device | None = None,
) -> list[Image.Image]:
    """Decode the first frame of many files; small files with equal headers share passes of the model.

    Arguments, errors: see `decode`.

    Returns:
        One image for each file, in order.
    """
    containers = [Container(data, limits) for data in several("files", files)]
    for container in containers:
        container.check_end()
    images: dict[int, Image.Image] = {}
    with Computing.chosen(precision, device).applied():
        enhancements = [enhancement_for(container, enhancer, strength) for container in containers]
        for numbers in decoder.batches(containers):
            chosen = [containers[n] for n in numbers]
            decoded = decoder.decode_together(chosen, [enhancements[n] for n in numbers])
            images.update(zip(numbers, decoded, strict=True))
    return [images[number] for number in range(len(containers))]
