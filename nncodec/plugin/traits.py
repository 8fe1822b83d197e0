"""What a model declares about itself is checked once, when it is opened, so that nothing fails later and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from numbers import Integral

from nncodec.plugin.codec import AnySize, CodecTraits, FixedSize
from nncodec.plugin.enhancer import EnhancerTraits
from nncodec.plugin.latents import LatentSpec
from nncodec.plugin.lossless import LosslessTraits

LARGEST_EDGE = 1 << 10
"""A multiple or a halo is at most the edge of the blocks into which core divides pictures, pixels."""

_MODES = ("L", "RGB")
_CODERS = ("zstd", "rans")
_MOST_FACTOR = 16
_MOST_CHANNELS = 1 << 20  # of one array, however few places it has
_MOST_BITS, _MOST_PLANES = 16, 32


def problem_with_traits(traits: object) -> str | None:
    """Return in one line what is wrong with the traits of a model of any kind, or None."""
    if isinstance(traits, CodecTraits):
        return next(_of_codec(traits), None)
    if isinstance(traits, EnhancerTraits):
        return next(_of_enhancer(traits), None)
    if isinstance(traits, LosslessTraits):
        return next(_of_lossless(traits), None)
    return f"its traits are {type(traits).__name__}, not CodecTraits, EnhancerTraits or LosslessTraits"


def _of_codec(traits: CodecTraits) -> Iterator[str]:
    if not isinstance(traits.modes, tuple) or not traits.modes:
        yield f"its colour modes are {traits.modes!r}, not a tuple such as ('RGB',)"
    for mode in traits.modes:
        if mode not in _MODES:
            yield f"it declares the colour mode {mode!r:.40}; a codec takes 'L', 'RGB' or both, core handles the rest"
    if not isinstance(traits.qualities, bool):
        yield f"its qualities are {traits.qualities!r:.40}, not True or False"
    yield from _of_efforts(traits.efforts, traits.seconds_per_megapixel)
    if traits.coder not in _CODERS:
        yield f"its coder is {traits.coder!r:.40}; it can be 'zstd' or 'rans'"
    if isinstance(traits.size, FixedSize):
        if not (_is_whole(traits.size.width, 1) and _is_whole(traits.size.height, 1)):
            yield f"its size is {traits.size.width!r} x {traits.size.height!r}, not whole numbers of pixels above 0"
        multiple = None
    elif isinstance(traits.size, AnySize):
        multiple = traits.size.multiple
        yield from _of_reach(multiple, traits.size.halo)
        if multiple & (multiple - 1):
            yield f"its multiple is {multiple}, not a power of two"
        if traits.size.whole and traits.size.halo:
            yield f"it needs the whole picture, and has a halo of {traits.size.halo}; without tiles there is none"
    else:
        yield f"its size is {type(traits.size).__name__}, not AnySize or FixedSize"
    yield from _of_latents(traits.latents, multiple)


def _of_latents(specs: tuple[LatentSpec, ...], multiple: int | None) -> Iterator[str]:
    if not isinstance(specs, tuple) or not specs or not all(isinstance(spec, LatentSpec) for spec in specs):
        yield "its latents are not a tuple of LatentSpecs, at least one"
    if len({spec.name for spec in specs}) < len(specs):
        yield "two arrays of its latents have one name"
    for spec in specs:
        if not isinstance(spec.name, str):
            yield f"the name of its latents is {spec.name!r:.40}, not a text"
        if not (_is_whole(spec.channels, 1, _MOST_CHANNELS) and _is_whole(spec.stride, 1)):
            numbers = f"{spec.channels!r} channels and a stride of {spec.stride!r}"
            yield f"its latents {spec.name!r} have {numbers}, not 1 or more, and at most {_MOST_CHANNELS} channels"
        if not all(_is_whole(value) for value in (spec.minimum, spec.maximum, spec.step)):
            yield f"the range or step of its latents {spec.name!r} is not whole numbers"
        if spec.minimum + spec.step > spec.maximum:
            yield f"its latents {spec.name!r} have a single value"
        if multiple is not None and multiple % spec.stride:
            yield f"the stride {spec.stride} of its latents {spec.name!r} does not divide its multiple, {multiple}"


def _of_enhancer(traits: EnhancerTraits) -> Iterator[str]:
    if not _is_whole(traits.factor, 1, _MOST_FACTOR):
        yield f"its factor is {traits.factor!r}, not 1 to {_MOST_FACTOR}"
    yield from _of_reach(traits.multiple, traits.halo)
    if traits.factor * max(traits.multiple, traits.halo) > LARGEST_EDGE:
        yield f"its multiple or halo, times its factor, is above {LARGEST_EDGE} pixels"


def _of_lossless(traits: LosslessTraits) -> Iterator[str]:
    if not _is_whole(traits.max_bits, 1, _MOST_BITS):
        yield f"it takes {traits.max_bits!r} bits a sample, not 1 to {_MOST_BITS}"
    if not _is_whole(traits.max_planes, 1, _MOST_PLANES):
        yield f"it takes {traits.max_planes!r} planes, not 1 to {_MOST_PLANES}"
    yield from _of_efforts(traits.efforts, traits.seconds_per_megapixel)


def _of_efforts(efforts: Sequence[int], seconds: Sequence[float]) -> Iterator[str]:
    sound = isinstance(efforts, tuple) and efforts and all(_is_whole(effort, 0, 9) for effort in efforts)
    if not sound or any(first >= second for first, second in pairwise(efforts)):
        yield f"its efforts are {efforts!r}, not a tuple of numbers that ascend within 0..9"
    if len(seconds) not in (0, len(efforts)):
        yield f"it gives {len(seconds)} times for {len(efforts)} efforts; give one for each, or none"


def _of_reach(multiple: int, halo: int) -> Iterator[str]:
    if not _is_whole(multiple, 1, LARGEST_EDGE):
        yield f"its multiple is {multiple!r}, not 1 to {LARGEST_EDGE}"
    if not _is_whole(halo, 0, LARGEST_EDGE):
        yield f"its halo is {halo!r}, not 0 to {LARGEST_EDGE}"
    if halo % multiple:
        yield f"its halo is {halo}, not a multiple of {multiple}; round it up to {-(-halo // multiple) * multiple}"


def _is_whole(value: object, low: int | None = None, high: int | None = None) -> bool:
    if not isinstance(value, Integral) or isinstance(value, bool):
        return False
    return (low is None or int(value) >= low) and (high is None or int(value) <= high)
