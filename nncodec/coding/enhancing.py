"""Pictures made better or larger by an enhancer, tile by tile: on their own here, after decoding in `decoder.py`.

An enhancer sees in every tile what it would see in the whole picture: windows reach its halo beyond a tile and end
where the picture does, filled up to the multiple of pixels that the enhancer takes. So there are no seams, and memory
is that of the picture, its result and one window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from nncodec.errors import InvalidOption, PluginError, UnsupportedImage
from nncodec.format.container import ColourMode
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.picture.area import Area, Span, aligned, pieces
from nncodec.picture.conversion import convert
from nncodec.picture.pixels import Canvas, Frames, from_model, to_model
from nncodec.plugin import registry
from nncodec.plugin.enhancer import EnhancerModel, EnhancerTraits
from nncodec.plugin.guard import run_plugin
from nncodec.plugin.hooks import ENHANCER
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelHead

DEFAULT_SCALE = 4

WINDOW_EDGE = 1 << 10
"""Enhancers run on windows, halo included, of at most this many pixels of their result along each axis.

Only where the halo leaves less room for a tile than it is wide itself, windows are larger: three halos.
Networks that enlarge hold some 700 bytes for each pixel of the result while they run, 700 MiB at this edge. Halos are
computed and thrown away: with 19 pixels around, enlarged fourfold, 38% more than the tile itself.
"""

Progress = Callable[[int, int], object]
"""Called with tiles done and tiles in all. An exception that it raises stops the work."""


def default_enhancer(scale: int) -> str:
    """Return the alias of the enhancer that is used where none is named.

    Core names no enhancer. A plugin declares one as the default for a scale by giving its model this alias, just as
    "photo" is the alias of the default photo model: "restore" for pictures that keep their size, and "x2", "x4" and so
    on for those that become so many times larger along each edge.
    """
    return "restore" if scale == 1 else f"x{scale}"


def enhance(
    image: Image.Image,
    enhancer: str | None = None,
    *,
    scale: int | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: Progress | None = None,
) -> Image.Image:
    """Make a picture better or larger.

    Args:
        image: a Pillow image, which is left as it is. Grey stays grey and alpha stays, enlarged by Lanczos. Other modes
            become L, LA, RGB or RGBA first: palettes, black and white, CMYK, YCbCr, Lab, HSV and 16-bit grey, see
            `conversion.convert`.
        enhancer: name or alias of an installed enhancer; by default the one for the scale, see `default_enhancer`.
        scale: how many times larger the result is along each edge; by default what the enhancer does, and 4 if none is
            named.
        strength: 0 (faithful: the least error, the default) to 1 (the most detail, some of it invented). An enhancer
            without strengths ignores it.
        limits: how many pixels picture and result may have.
        on_progress: see `Progress`.

    Returns:
        A Pillow image of mode L, LA, RGB or RGBA with the picture's `info`; without its colour profile where its
        colours are of another kind now.

    Raises:
        UnsupportedImage: the picture is empty or too large, or has a mode without a fixed range of values.
        InvalidOption: a value is out of range, or the enhancer has another scale.
        UnknownModel, ModelError, BadModelFile, WeightsMismatch, PluginError: the enhancer cannot be used.

    Example:
        >>> larger = nncodec.enhance(Image.open("small.png"), scale=4)
    """
    if not isinstance(image, Image.Image):
        raise UnsupportedImage(detail=f"expected a Pillow image, got {type(image).__name__}; open the file first")
    if scale is not None and (isinstance(scale, bool) or not isinstance(scale, int | np.integer) or scale < 1):
        raise InvalidOption(option="scale", reason=f"{scale!r} is not a whole number from 1")
    name = default_enhancer(scale or DEFAULT_SCALE) if enhancer is None else enhancer
    enhancement = Enhancement.of(name, strength)
    factor = enhancement.factor
    if scale not in (None, factor):
        reason = f"{enhancement.head.name} makes pictures {factor} times as large, not {scale}"
        raise InvalidOption(option="scale", reason=reason)
    _check_size(image, enhancement, limits)
    image.load()  # a damaged picture is refused here
    source = convert(image).image
    whole = Area(Span(0, source.height), Span(0, source.width))
    result = enhancement.apply(source, whole, whole.scaled(factor), whole, on_progress)
    if source.mode.endswith("A"):
        alpha = source.getchannel("A")
        result.putalpha(alpha if factor == 1 else alpha.resize(result.size, Image.Resampling.LANCZOS))
    result.info = dict(source.info)
    return result


@dataclass(frozen=True)
class Enhancement:
    """An enhancer ready for use, and how strongly it is used.

    Args:
        head: which it is.
        model: the same, open.
        strength: 0..1; 0 for an enhancer without strengths.
    """

    head: ModelHead
    model: EnhancerModel
    strength: float

    @classmethod
    def of(cls, enhancer: str | ModelHead, strength: float | None = None, option: str = "strength") -> Enhancement:
        """Open an enhancer.

        Args:
            enhancer: name, alias or head.
            strength: 0..1; None for 0.
            option: what messages call the strength.

        Raises:
            InvalidOption: the name is none, or the strength out of range.
            UnknownModel, ModelError, BadModelFile, WeightsMismatch, PluginError: it cannot be used.
        """
        if not isinstance(enhancer, str | ModelHead):
            reason = f"expected the name of an enhancer, got {type(enhancer).__name__}"
            raise InvalidOption(option="enhancer", reason=reason)
        strength = checked_strength(0 if strength is None else strength, option)
        head = registry.catalog().find(enhancer, ENHANCER) if isinstance(enhancer, str) else enhancer
        model = registry.open_enhancer(head)
        if not _is_sound(model.traits):
            raise PluginError(plugin=head.architecture, reason=f"its traits contradict themselves: {model.traits}")
        return cls(head, model, strength if model.traits.strengths else 0.0)

    @property
    def factor(self) -> int:
        """How many times larger its results are along each edge."""
        return self.model.traits.factor

    def source(self, wanted: Area, picture: Area) -> Area:
        """Return what of a picture has to be at hand for an area of its result.

        Args:
            wanted: in pixels of the result.
            picture: all of the picture, from 0 on.
        """
        return self._window(self._restored(wanted), picture).within(picture)

    def apply(
        self, image: Image.Image, seen: Area, wanted: Area, picture: Area, on_progress: Progress | None = None
    ) -> Image.Image:
        """Return an area of the enhanced picture, without alpha.

        Args:
            image: of mode L, LA, RGB or RGBA; at least what `source` says.
            seen: what of the picture that is.
            wanted: in pixels of the result.
            picture: all of the picture, from 0 on.
            on_progress: see `Progress`.
        """
        frames = Frames((image,), None)
        canvas = Canvas(frames.mode, wanted, 1)
        tiles = list(self._tiles(self._restored(wanted)))
        for number, tile in enumerate(tiles, 1):
            window = self._window(tile, picture)
            colour = frames.window(Span(0, 1), window.relative_to(seen))
            place = tile.scaled(self.factor)
            canvas.put(place, self._enhanced(colour, frames.mode)[:, *place.slices(1, window.scaled(self.factor))])
            if on_progress:
                on_progress(number, len(tiles))
        return canvas.images[0]

    def _restored(self, wanted: Area) -> Area:
        """Return what of the picture an area of the result is made from, but for the halo around."""
        return aligned(wanted.reduced(self.factor), self.model.traits.multiple)

    def _window(self, area: Area, picture: Area) -> Area:
        traits = self.model.traits
        return area.grown(traits.halo).within(aligned(picture, traits.multiple))

    def _tiles(self, area: Area) -> Iterator[Area]:
        traits = self.model.traits
        room = (WINDOW_EDGE // traits.factor - 2 * traits.halo) // traits.multiple * traits.multiple
        edge = max(room, traits.halo, traits.multiple)  # a tile smaller than its halo would be mostly waste
        for rows in pieces(area.rows, edge, traits.halo):
            for columns in pieces(area.columns, edge, traits.halo):
                yield Area(rows, columns)

    def _enhanced(self, colour: Pixels, mode: ColourMode) -> Pixels:
        """Run the enhancer on a window (1, h, w, 1 or 3), and check what it returns."""
        plugin = self.head.architecture
        pixels = to_model(colour, ("RGB",))
        expected = (1, self.factor * pixels.shape[1], self.factor * pixels.shape[2], 3)
        result = run_plugin(plugin, self.model.enhance, pixels, self.strength)
        kind, shape = run_plugin(plugin, lambda array: (array.dtype, array.shape), result)
        if kind != np.uint8 or shape != expected:
            raise PluginError(plugin=plugin, reason=f"it returned {kind} {shape} in place of uint8 {expected}")
        return from_model(result, mode)


def checked_strength(strength: object, option: str = "strength") -> float:
    """Return a strength; raises InvalidOption unless it is a number from 0 to 1."""
    is_number = isinstance(strength, int | float | np.integer | np.floating) and not isinstance(strength, bool)
    if not is_number or not 0 <= strength <= 1:  # type: ignore[operator]
        raise InvalidOption(option=option, reason=f"{strength!r} is not a number from 0 (faithful) to 1 (most detail)")
    return float(strength)  # type: ignore[arg-type]


def _is_sound(traits: EnhancerTraits) -> bool:
    numbers = (traits.factor, traits.multiple, traits.halo)
    if not all(isinstance(number, int) for number in numbers):
        return False
    return traits.factor >= 1 and traits.multiple >= 1 and traits.halo >= 0 and traits.halo % traits.multiple == 0


def _check_size(image: Image.Image, enhancement: Enhancement, limits: Limits) -> None:
    width, height = (enhancement.factor * edge for edge in image.size)
    if 0 in image.size:
        raise UnsupportedImage(detail=f"cannot enhance a picture of {image.width} x {image.height} pixels")
    if width * height > limits.pixels:
        raise UnsupportedImage(
            detail=f"{enhancement.head.name} would make {width} x {height} pixels of it, and {limits.pixels:,} are "
            "allowed; enhance parts of it, or raise the limit"
        )
    if enhancement.factor > 1 and max(width, height) > limits.resampled_edge:
        raise UnsupportedImage(detail=f"pictures longer than {limits.resampled_edge:,} pixels are not resampled")
