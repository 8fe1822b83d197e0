"""The contract tests that the author of an enhancer inherits; see `nncodec.testing`."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from PIL import Image

import nncodec
from nncodec.coding.enhancing import Enhancement
from nncodec.picture.area import Area, Span
from nncodec.plugin import registry
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelInfo
from nncodec.plugin.traits import problem_with_traits
from nncodec.testing.model_file import ModelFileContract
from nncodec.testing.support import assert_close, images_of, pictures

_ODD_SIZES = ((1, 1), (17, 3), (3, 17), (31, 33))  # (height, width)
_STRENGTHS = (0.0, 0.5, 1.0)


class EnhancerContract(ModelFileContract):
    """What core relies on in every enhancer; subclass it and name a model, see `FileUnderTest`."""

    model: ClassVar[EnhancerModel]

    @classmethod
    def _open(cls, name_or_info: str | ModelInfo) -> EnhancerModel:
        return registry.open_enhancer(name_or_info)

    # --- traits -----------------------------------------------------------------------------------------------

    def test_traits_are_consistent(self) -> None:
        """They are checked when the model opens, and must stay as they were then."""
        problem = problem_with_traits(self.model.traits)
        assert problem is None, problem

    def test_strength_means_what_the_traits_say(self) -> None:
        pixels = self._noise(1)
        faithful, detailed = (self.model.enhance(pixels, strength) for strength in (0.0, 1.0))
        if self.model.traits.strengths:
            assert not np.array_equal(faithful, detailed), "it declares strengths, but has none"
        else:
            assert np.array_equal(faithful, detailed), "it declares no strengths, but has them"

    # --- batches of pixels ----------------------------------------------------------------------------------------

    def test_it_returns_pixels_of_the_declared_size(self) -> None:
        for pixels in (self._pixels(1), self._pixels(3), np.zeros_like(self._pixels(1)), self._noise(2)):
            for strength in _STRENGTHS:
                result = self.model.enhance(pixels, strength)
                assert result.dtype == np.uint8, f"it returned {result.dtype}"
                assert result.shape == self._larger(pixels), f"it returned {result.shape} for {pixels.shape}"

    def test_a_picture_does_not_depend_on_its_batch(self) -> None:
        pixels = self._pixels(3)
        together = self.model.enhance(pixels, 0.5)
        for number in range(len(pixels)):
            alone = self.model.enhance(pixels[number : number + 1], 0.5)
            assert_close(alone, together[number : number + 1], "alone and in a batch")

    def test_equal_input_gives_equal_output(self) -> None:
        pixels = self._pixels(2)
        first, second = self.model.enhance(pixels, 0.5), self.model.enhance(pixels.copy(), 0.5)
        assert np.array_equal(first, second), "it is not deterministic"
        self.model.enhance(pixels, 1.0)
        assert np.array_equal(first, self.model.enhance(pixels, 0.5)), "it depends on the strength of the last call"

    def test_views_are_taken_and_left_unchanged(self) -> None:
        pixels = self._pixels(2)
        expected = self.model.enhance(pixels, 0.5)
        view = np.repeat(pixels, 2, axis=2)[:, :, ::2]
        assert_close(self.model.enhance(view, 0.5), expected, "views and arrays")
        assert np.array_equal(view, pixels), "it writes into the caller's pixels"
        # Core passes a grey image as a read-only view, three times the same plane.
        grey = np.broadcast_to(pixels[..., :1], pixels.shape)
        assert_close(self.model.enhance(grey, 0.5), self.model.enhance(grey.copy(), 0.5), "grey views and arrays")

    # --- tiles ----------------------------------------------------------------------------------------------------

    def test_tiles_and_whole_agree(self) -> None:
        """A tile depends on nothing beyond the declared halo."""
        traits = self.model.traits
        edge = max(16, traits.halo, traits.multiple)
        long, short = 3 * edge + 2 * traits.halo + 5, max(17, traits.multiple + 1)
        for height, width in ((long, short), (short, long)):
            # In noise, every pixel that reaches too far shows.
            (image,) = images_of(np.random.default_rng(1).integers(0, 256, (1, height, width, 3), np.uint8))
            for strength in (0.0, 1.0):
                whole, windows = self._in_windows(image, strength, 1 << 20)
                tiled, more = self._in_windows(image, strength, 1)
                assert windows == 1 < more, "the picture is not cut into tiles"
                assert_close(tiled, whole, f"tiles and the whole at strength {strength}")

    def _in_windows(self, image: Image.Image, strength: float, edge: int) -> tuple[Pixels, int]:
        """Return a picture enhanced in windows of at most this edge, if possible, and the number of windows."""
        windows: list[int] = []
        enhancement = replace(Enhancement.of(self.model_info, strength), window_edge=edge)
        whole = Area(Span(0, image.height), Span(0, image.width))
        wanted = whole.scaled(enhancement.factor)
        enhanced = enhancement.apply(image, whole, wanted, whole, lambda done, _: windows.append(done))
        return np.asarray(enhanced)[None], len(windows)

    # --- pictures -------------------------------------------------------------------------------------------------

    def test_pictures_of_every_size_and_mode_come_back_larger(self) -> None:
        factor = self.model.traits.factor
        for height, width in (*_ODD_SIZES, self._size()):
            for mode in ("L", "LA", "RGB", "RGBA"):
                image = images_of(pictures(1, height, width, 3))[0].convert(mode)
                larger = nncodec.enhance(image, self.model_info.name)
                assert (larger.mode, larger.size) == (mode, (factor * width, factor * height))

    def test_a_picture_goes_through_as_the_model_has_it(self) -> None:
        pixels = self._pixels(1)
        for strength in _STRENGTHS if self.model.traits.strengths else (0.0,):
            larger = nncodec.enhance(images_of(pixels)[0], self.model_info.name, strength=strength)
            assert_close(np.asarray(larger)[None], self.model.enhance(pixels, strength), "picture and model")

    # --- test pictures --------------------------------------------------------------------------------------------

    def _size(self) -> tuple[int, int]:
        multiple = self.model.traits.multiple
        return -(-24 // multiple) * multiple, -(-40 // multiple) * multiple

    def _pixels(self, count: int) -> Pixels:
        return pictures(count, *self._size(), 3)

    def _noise(self, count: int) -> Pixels:
        return np.random.default_rng(2).integers(0, 256, (count, *self._size(), 3), np.uint8)

    def _larger(self, pixels: Pixels) -> tuple[int, ...]:
        factor, (count, height, width, planes) = self.model.traits.factor, pixels.shape
        return count, factor * height, factor * width, planes
