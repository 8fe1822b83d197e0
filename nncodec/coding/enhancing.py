"""Enhancing images tile by tile; `decoder.py` uses it after decoding.

In each tile an enhancer sees what it would see in the whole image: a window extends one halo beyond the tile and ends
at the image's edge, padded to the multiple of pixels that the enhancer takes. So there are no seams, and memory holds
the image, the result and one window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from nncodec._support.notes import warn_of
from nncodec._support.numbers import real_number, whole_number
from nncodec.coding.parallel import threads_for
from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.format.header import ColourMode
from nncodec.limits import DEFAULT_LIMITS, Limits, checked_limits
from nncodec.picture.area import Area, Span, aligned, pieces
from nncodec.picture.conversion import convert
from nncodec.picture.hidden import fill_hidden
from nncodec.picture.metadata import info_of_copy
from nncodec.picture.options import check_progress
from nncodec.picture.pixels import Canvas, Frames, from_model, to_model
from nncodec.picture.sources import images_from, is_nnc_source
from nncodec.plugin import registry
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import Device
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.hooks import ENHANCER
from nncodec.plugin.latents import Pixels, kind_of_array
from nncodec.plugin.model_file import ModelInfo
from nncodec.plugin.precision import Precision

if TYPE_CHECKING:
    from nncodec.picture.sources import ImageSource

DEFAULT_SCALE = 4

WINDOW_EDGE = 1 << 10
"""Enhancers run on windows of at most this many pixels of their result along each axis, halo included.

If that leaves a tile smaller than the halo, windows are larger: three halos. Networks that enlarge take about 700 bytes
for each pixel of the result while they run, 700 MiB at this edge. What they compute for the halo is discarded: a halo
of 19 pixels, enlarged fourfold, adds 38% to the tile.
"""

Progress = Callable[[int, int], object]
"""Called with the number of tiles done and of all tiles. An exception that it raises stops the work."""


def default_enhancer(scale: int) -> str:
    """Return the alias of the default enhancer for a scale.

    Core names no enhancer. A plugin makes its model the default for a scale by giving it this alias, as "photo" is the
    alias of the default photo model: "restore" for scale 1, "x2", "x4" and so on for enlarging along each edge.
    """
    return "restore" if scale == 1 else f"x{scale}"


def enhance(
    image: ImageSource,
    enhancer: str | None = None,
    *,
    scale: int | None = None,
    strength: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
    precision: Precision | None = None,
    device: Device | None = None,
    on_progress: Progress | None = None,
) -> Image.Image:
    """Restore or enlarge an image.

    Args:
        image: a Pillow image, which is not changed; or the path or the bytes of a picture file, a binary stream, an
            array or a tensor, as `nncodec.encode` takes them, of one frame. Grey stays grey. Alpha is enlarged by
            Lanczos, and colours under alpha 0 are replaced by a smooth filling. Palettes, black and white, CMYK, YCbCr,
            Lab, HSV and 16-bit grey are converted to L, LA, RGB or RGBA first, see `conversion.convert`.
        enhancer: name or alias of an installed enhancer; by default the one for the scale, see `default_enhancer`.
        scale: how many times larger the result is along each edge; by default the enhancer's own, or 4 if none is
            named.
        strength: 0 (faithful: the least error, the default) to 1 (the most detail, some of it invented). Enhancers
            without strengths ignore it.
        limits: bounds the pixels of the result.
        precision, device: as for `nncodec.decode`.
        on_progress: see `Progress`.

    Returns:
        A Pillow image of mode L, LA, RGB or RGBA with the image's `info`, but without a colour profile if the colours
        were converted. What no longer holds, such as a profile that does not fit the mode, or XMP of a gain map, is
        left out with an `NncWarning`.

    Raises:
        UnsupportedImage: the image is empty or too large, its mode has no fixed range of values, or a file is not a
            picture that can be read, such as an .nnc file, which is decoded first, or has several frames.
        OSError: a path cannot be opened.
        InvalidOption: a value is out of range, or the enhancer has another scale.
        UnknownModel, ModelError, BadModelFile, WeightsMismatch, PluginError: the enhancer cannot be used.

    Example:
        >>> larger = nncodec.enhance("small.png", scale=4)
    """
    check_progress(on_progress)
    limits = checked_limits(limits)
    if is_nnc_source(image):
        reason = "decode it first: nncodec.enhance(nncodec.decode(...)), or nncodec.decode(..., enhancer='restore')"
        raise UnsupportedImage(detail=f"it is an .nnc file; {reason}")
    images = images_from(image)
    if len(images) != 1:
        reason = "they are enhanced one by one; decode them first, such as with PIL.ImageSequence"
        raise UnsupportedImage(detail=f"expected one picture, got {len(images)}; {reason}")
    image = images[0]
    wanted = DEFAULT_SCALE if scale is None else whole_number(scale)
    if wanted is None or wanted < 1:
        raise InvalidOption(option="scale", reason=f"{scale!r} is not a whole number from 1")
    name = default_enhancer(wanted) if enhancer is None else enhancer
    with Computing.chosen(precision, device).applied():
        enhancement = Enhancement.of(name, strength)
    factor = enhancement.factor
    if scale not in (None, factor):
        reason = f"{enhancement.model_info.name} makes pictures {factor} times as large, not {scale}"
        raise InvalidOption(option="scale", reason=reason)
    _check_size(image, enhancement, limits)
    image.load()  # raises here if the file is damaged
    source = convert(image).image
    alpha = np.asarray(source.getchannel("A")) if source.mode.endswith("A") else None
    colour = source if alpha is None else fill_hidden(source, alpha)
    whole = Area(Span(0, source.height), Span(0, source.width))
    result = enhancement.apply(colour, whole, whole.scaled(factor), whole, on_progress)
    if alpha is not None:
        result.putalpha(Image.fromarray(alpha).resize(result.size, Image.Resampling.LANCZOS))
    result.info = dict(source.info)
    result.info, notes = info_of_copy(image, result)
    warn_of(notes)
    return result


@dataclass(frozen=True)
class Enhancement:
    """An enhancer ready for use, with its strength.

    Args:
        model_info: the enhancer's model file.
        model: the open enhancer.
        guard: runs the enhancer's code.
        strength: 0..1; 0 for an enhancer without strengths.
        window_edge: see `WINDOW_EDGE`.
        computing: how and where the enhancer may compute; by default as is current where it is opened.
    """

    model_info: ModelInfo
    model: EnhancerModel
    guard: PluginGuard
    strength: float
    window_edge: int
    computing: Computing = field(default_factory=Computing.chosen)

    @classmethod
    def of(cls, enhancer: str | ModelInfo, strength: float | None = None, option: str = "strength") -> Enhancement:
        """Open an enhancer.

        Args:
            enhancer: name, alias or model info.
            strength: 0..1; None for 0.
            option: name of the strength in messages.

        Raises:
            InvalidOption: the name is not a text, or the strength is out of range.
            UnknownModel, ModelError, BadModelFile, WeightsMismatch, PluginError: it cannot be used.
        """
        if not isinstance(enhancer, str | ModelInfo):
            reason = f"expected the name of an enhancer, got {type(enhancer).__name__}"
            raise InvalidOption(option="enhancer", reason=reason)
        strength = checked_strength(0 if strength is None else strength, option)
        model_info = registry.catalog().find(enhancer, ENHANCER) if isinstance(enhancer, str) else enhancer
        model = registry.open_enhancer(model_info)
        guard = registry.catalog().guard_of(model_info)
        return cls(model_info, model, guard, strength if model.traits.strengths else 0.0, WINDOW_EDGE)

    @property
    def factor(self) -> int:
        """How many times larger the result is along each edge."""
        return self.model.traits.factor

    def source(self, wanted: Area, picture: Area) -> Area:
        """Return the area of a picture that an area of the result needs.

        Args:
            wanted: in pixels of the result.
            picture: the whole picture, from 0 on.
        """
        return self._window(self._restored(wanted), picture).within(picture)

    def apply(
        self, image: Image.Image, given: Area, wanted: Area, picture: Area, on_progress: Progress | None = None
    ) -> Image.Image:
        """Return an area of the enhanced picture, without alpha.

        Args:
            image: an area of the picture, of mode L, LA, RGB or RGBA.
            given: that area, at least the one that `source` returns.
            wanted: in pixels of the result.
            picture: the whole picture, from 0 on.
            on_progress: see `Progress`.
        """
        frames = Frames((image,), None)
        canvas = Canvas(frames.mode.name, wanted, 1)
        tiles = list(self._tiles(self._restored(wanted)))

        def enhanced(tile: Area) -> tuple[Area, Pixels]:
            window = self._window(tile, picture)
            colour = frames.window(Span(0, 1), window.relative_to(given))
            place = tile.scaled(self.factor)
            return place, self._enhanced(colour, frames.mode)[:, *place.slices(1, window.scaled(self.factor))]

        with threads_for(()) as threads:
            for number, (place, pixels) in enumerate(threads.map(enhanced, tiles), 1):
                canvas.put(place, pixels)
                if on_progress:
                    on_progress(number, len(tiles))
        return canvas.images[0]

    def _restored(self, wanted: Area) -> Area:
        """Return the area of the picture that an area of the result is made from, without the halo."""
        return aligned(wanted.reduced(self.factor), self.model.traits.multiple)

    def _window(self, area: Area, picture: Area) -> Area:
        traits = self.model.traits
        return area.grown(traits.halo).within(aligned(picture, traits.multiple))

    def _tiles(self, area: Area) -> Iterator[Area]:
        traits = self.model.traits
        room = (self.window_edge // traits.factor - 2 * traits.halo) // traits.multiple * traits.multiple
        edge = max(room, traits.halo, traits.multiple)  # a tile smaller than its halo would be mostly waste
        for rows in pieces(area.rows, edge, traits.halo):
            for columns in pieces(area.columns, edge, traits.halo):
                yield Area(rows, columns)

    def _enhanced(self, colour: Pixels, mode: ColourMode) -> Pixels:
        """Run the enhancer on a window (1, h, w, 1 or 3) and check what it returns."""
        pixels = to_model(colour, ("RGB",))
        expected = (1, self.factor * pixels.shape[1], self.factor * pixels.shape[2], 3)
        with self.computing.applied():
            result = self.guard.run(self.model.enhance, pixels, self.strength)
        found = kind_of_array(result)
        if found != f"uint8 {expected}":
            raise self.guard.error(f"it returned {found} instead of uint8 {expected}")
        return from_model(result, mode)


def checked_strength(strength: object, option: str = "strength") -> float:
    """Return a strength; raises InvalidOption unless it is a number from 0 to 1."""
    number = real_number(strength)
    if number is None or not 0 <= number <= 1:
        raise InvalidOption(option=option, reason=f"{strength!r} is not a number from 0 (faithful) to 1 (most detail)")
    return number


def _check_size(image: Image.Image, enhancement: Enhancement, limits: Limits) -> None:
    width, height = (enhancement.factor * edge for edge in image.size)
    if 0 in image.size:
        raise UnsupportedImage(detail=f"cannot enhance a picture of {image.width} x {image.height} pixels")
    if width * height > limits.pixels:
        raise UnsupportedImage(
            detail=f"{enhancement.model_info.name} would make {width} x {height} pixels of it, over the limit "
            f"of {limits.pixels:,}; enhance parts of it, or raise the limit"
        )
    if enhancement.factor > 1 and max(width, height) > limits.resampled_edge:
        raise UnsupportedImage(detail=f"pictures longer than {limits.resampled_edge:,} pixels are not resampled")
