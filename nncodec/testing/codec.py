"""The contract tests that the author of a codec inherits.

    # tests/test_contract.py of a plugin
    from nncodec.testing import CodecModelContract

    class TestOne(CodecModelContract):
        model_name = "tiny/one"

or `EnhancerContract`, for an enhancer. pytest then runs each test of the contract on that model as users use it: the
installed plugin, its model file, real bytes. For a model that does not ship with a plugin, override `write_model`
instead of naming a model. If a test does not apply to a model, override it in the subclass and give the reason.

Networks in floating point may round a tie either way if the batch or the tile around an image changes. So latents count
as equal if at most one in `flips_one_in` differs, by one step; unrounded results of analysis if they differ by less
than a ten-thousandth of the largest value; pixels if they differ by at most one level.
"""

from __future__ import annotations

import bisect
from dataclasses import replace

import numpy as np

import nncodec
from nncodec.coding.grid import Grid
from nncodec.errors import UnsupportedImage
from nncodec.format.entropy import coder_by_id, decode_block, encode_block
from nncodec.picture.area import read_window
from nncodec.plugin.codec import AnySize, FixedSize
from nncodec.plugin.entropy import NOT_CODED, QuantizedLatents, shapes_of
from nncodec.plugin.latents import VALUE_LIMIT, problem_with, problem_with_analysis
from nncodec.plugin.traits import problem_with_traits
from nncodec.testing.enhancer import EnhancerContract
from nncodec.testing.exactness import assert_same_contexts, backends, block_latents, contexts_of, plain_backends
from nncodec.testing.model_file import ModelFileContract
from nncodec.testing.support import (
    ModelUnderTest,
    arrays,
    assert_close,
    coders,
    header,
    images_of,
    pictures,
    raises,
    skip,
)

# The largest halo that a test tries, for its advice.
_MOST_HALO = 128
_NO_HALO = f"no halo up to {_MOST_HALO} would do; a model that needs the whole picture declares AnySize(whole=True)"
# Times the usual edges of test pictures.
_MANY = 5
_ODD_SIZES = ((1, 1), (17, 3), (3, 17), (31, 33))  # (height, width)

__all__ = ["CodecModelContract", "EnhancerContract"]


class CodecModelContract(ModelUnderTest, ModelFileContract):
    """What core relies on in every codec model; subclass it and name a model, see `ModelUnderTest`."""

    # --- traits ---------------------------------------------------------------------------------------------------

    def test_traits_are_consistent(self) -> None:
        """They are checked when the model opens, and must stay as they were then."""
        problem = problem_with_traits(self.model.traits)
        assert problem is None, problem

    # --- analysis and synthesis -----------------------------------------------------------------------------------

    def test_analysis_returns_the_declared_arrays(self) -> None:
        for pixels in (self._pixels(1), self._pixels(3), self._flat(0), self._flat(255)):
            for effort in (level for level in self.model.traits.efforts if level <= self.most_effort):
                for quality in self._qualities():
                    given = self.model.analysis(pixels, quality, effort)
                    problem = problem_with_analysis(given, self.model.traits.latents, pixels.shape[:3])
                    assert problem is None, f"at quality {quality}, effort {effort}: {problem}"
                    latents = self.model.quantize(given, pixels, quality, effort)
                    problem = problem_with(latents, self.model.traits.latents, pixels.shape[:3])
                    assert problem is None, f"at quality {quality}, effort {effort}: {problem}"

    def test_synthesis_returns_pixels_for_any_latents_in_range(self) -> None:
        pixels = self._pixels(2)
        for latents in self._any_latents(2):
            for quality in self._qualities():
                restored = self.model.synthesis(latents, quality)
                assert restored.dtype == np.uint8, f"synthesis returned {restored.dtype}"
                assert restored.shape == pixels.shape, f"synthesis returned {restored.shape}, not {pixels.shape}"

    def test_a_picture_does_not_depend_on_its_batch(self) -> None:
        pixels = self._pixels(3)
        given = self._analysis(pixels)
        together = self._quantize(given, pixels)
        self._assert_same_latents(self._analysis(pixels[::-1]), {k: v[::-1] for k, v in given.items()})
        restored = self.model.synthesis(together, self._quality)
        for number in range(len(pixels)):
            frame = slice(number, number + 1)
            arrays_of_frame = {k: v[frame] for k, v in given.items()}
            latents_of_frame = {k: v[frame] for k, v in together.items()}
            self._assert_same_latents(self._analysis(pixels[frame]), arrays_of_frame)
            self._assert_same_latents(self._quantize(arrays_of_frame, pixels[frame]), latents_of_frame)
            alone = self.model.synthesis(latents_of_frame, self._quality)
            assert_close(alone, restored[frame], "alone and in a batch")

    def test_equal_input_gives_equal_output(self) -> None:
        pixels = self._pixels(2)
        first, second = self._analysis(pixels), self._analysis(pixels.copy())
        assert all(np.array_equal(first[name], second[name]) for name in first), "analysis is not deterministic"
        latents, others = (self._quantize(first, pixels) for _ in range(2))
        assert all(np.array_equal(latents[name], others[name]) for name in latents), "quantize is not deterministic"
        restored, again = (self.model.synthesis(latents, self._quality) for _ in range(2))
        assert np.array_equal(restored, again), "synthesis is not deterministic"

    def test_views_are_taken_and_left_unchanged(self) -> None:
        pixels = self._pixels(2)
        view = np.repeat(pixels, 2, axis=2)[:, :, ::2]
        given = self._analysis(view)
        assert np.array_equal(view, pixels), "analysis writes into the caller's pixels"
        self._assert_same_latents(given, self._analysis(pixels))
        parts = {name: np.repeat(array, 2, axis=3)[..., ::2] for name, array in given.items()}
        latents = self._quantize(parts, view)
        assert np.array_equal(view, pixels), "quantize writes into the caller's pixels"
        assert all(np.array_equal(parts[name], given[name]) for name in given), "quantize writes into its arrays"
        self._assert_same_latents(latents, self._quantize(given, pixels))
        kept = {name: array.copy() for name, array in latents.items()}
        views = {name: np.repeat(array, 2, axis=3)[..., ::2] for name, array in kept.items()}
        restored = self.model.synthesis(views, self._quality)
        assert all(np.array_equal(views[name], kept[name]) for name in kept), "synthesis writes into the latents"
        assert_close(restored, self.model.synthesis(latents, self._quality), "views and arrays")

    def test_quality_means_what_the_traits_say(self) -> None:
        pixels = self._pixels(2)
        if not self.model.traits.qualities:
            low, high = (self._latents(pixels, quality) for quality in (0, 100))
            assert all(np.array_equal(low[name], high[name]) for name in low), "it declares no qualities, but has them"
            return
        errors, sizes = [], []
        for quality in (0, 100):
            data = self._encode(pixels, quality)
            decoded = arrays(nncodec.decode_frames(data))
            errors.append(float(np.square(decoded.astype(np.float64) - pixels).mean()))
            sizes.append(len(data))
        assert errors[1] < errors[0], f"quality 100 is no better than 0: mean squared errors {errors}"
        assert sizes[1] > sizes[0], f"quality 100 is no larger than 0: {sizes} bytes"

    # --- tiles ----------------------------------------------------------------------------------------------------

    def test_tiles_and_whole_agree(self) -> None:
        """A tile depends on nothing beyond the declared halo, in analysis and in synthesis."""
        size = self._any_size()
        if size.whole:
            skip("the model needs the whole picture")
        fault = self._fault_of_tiles(size.halo)
        if fault:
            halos = range(size.halo + size.multiple, _MOST_HALO + 1, size.multiple)
            enough = bisect.bisect_left(halos, True, key=lambda halo: not self._fault_of_tiles(halo))
            advice = f"a halo of {halos[enough]} would do" if enough < len(halos) else _NO_HALO
            raise AssertionError(f"{fault}; the halo is {size.halo}, {advice}")

    def _fault_of_tiles(self, halo: int) -> str:
        """Return how tiles with a halo differ from the whole picture; empty if they do not."""
        size = self._any_size()
        edge = max(64, 1 << (max(size.multiple, halo) - 1).bit_length())
        long, short = 3 * edge - size.multiple, max(32, 2 * size.multiple)
        # In noise at the finest quality, every pixel that reaches too far shows.
        quality, random = self._qualities()[-1], np.random.default_rng(1)
        for height, width in ((long, short), (short, long)):
            shape = self._padded(self._pixels(1, height, width)).shape
            pixels = random.integers(0, 256, shape, np.uint8)
            whole, latents = self._analysis(pixels, quality), self._latents(pixels, quality)
            restored = self.model.synthesis(latents, quality)
            grid = replace(Grid.of(header(pixels, edge.bit_length() - 1), self.model.traits), halo=halo)
            tiled = {name: np.empty_like(array) for name, array in whole.items()}
            try:
                for cell in grid.cells():
                    window = grid.window(cell)
                    given = self._analysis(read_window(pixels, *window), quality)
                    for spec in self.model.traits.latents:
                        if spec.name in given:
                            part = given[spec.name][:, :, *cell.area.slices(spec.stride, window)]
                            tiled[spec.name][:, :, *cell.area.slices(spec.stride)] = part
                    assert_close(*self._tile(cell, grid, latents, restored, quality), "a tile and the whole")
                self._assert_same_latents(tiled, whole)
            except AssertionError as fault:
                return str(fault) or "tiles and the whole differ"
        return ""

    def test_a_picture_larger_than_a_block_comes_back(self) -> None:
        self._any_size()
        for height, width in ((1, 2500), (2500, 1)):
            pixels = self._pixels(1, height, width)
            decoded = arrays([nncodec.decode(self._encode(pixels))])
            # A latent that rounds the other way in a tile may change its surroundings by more than one level.
            apart = np.abs(decoded.astype(np.int16) - self._restored(pixels)) > 1
            assert apart.mean() <= 0.1, f"{apart.mean():.0%} of the pixels change where blocks meet"

    # --- through bytes --------------------------------------------------------------------------------------------

    def test_files_decode_to_what_synthesis_gives(self) -> None:
        sizes: list[tuple[int, int] | None] = [None]
        if isinstance(self.model.traits.size, AnySize):
            multiple = self.model.traits.size.multiple
            sizes += [*_ODD_SIZES, (multiple, multiple), (multiple + 1, 2 * multiple - 1)]
        for size in sizes:
            pixels = self._pixels(2, *(size or ()))
            for mode in self.model.traits.modes:
                planes = pixels if mode == self._mode else pixels[..., :1].repeat(3 if mode == "RGB" else 1, axis=3)
                data = self._encode(planes)
                # For a few pixels core lowers the quality rather than write more bytes than there are samples.
                restored = self._restored(planes, nncodec.inspect(data).quality)
                decoded = arrays(nncodec.decode_frames(data))
                assert_close(decoded, restored, f"the file and the model for {pixels.shape[1:3]}")

    def test_every_quality_and_effort_makes_a_file(self) -> None:
        pixels = self._pixels(1)
        for quality in (0, 1, 50, 99, 100):
            for effort in (0, self.most_effort):
                data = self._encode(pixels, quality, effort=effort)
                assert_close(
                    arrays([nncodec.decode(data)]), self._restored(pixels, quality, effort), f"quality {quality}"
                )
                assert nncodec.inspect(data).quality == (quality if self.model.traits.qualities else None)

    def test_files_of_a_batch_decode_to_what_synthesis_gives(self) -> None:
        """Images of a batch are analysed and quantized together, and coded separately."""
        pixels = self._pixels(3)
        files = nncodec.encode_batch(images_of(pixels), self.model_info.name, lossless=False)
        restored = self._restored(pixels)
        for data, expected in zip(files, restored, strict=True):
            assert_close(arrays([nncodec.decode(data)])[0], expected, "a file of a batch and the model")

    def test_a_file_names_the_model(self) -> None:
        assert nncodec.inspect(self._encode(self._pixels(1))).model == self.model_info.name

    def test_encoding_twice_gives_the_same_bytes(self) -> None:
        pixels = self._pixels(2)
        assert self._encode(pixels) == self._encode(pixels), "encoding is not deterministic"

    def test_grey_pictures_go_through(self) -> None:
        grey = self._pixels(1)[..., :1]
        decoded = arrays([nncodec.decode(self._encode(grey))])
        planes = grey if "L" in self.model.traits.modes else grey.repeat(3, axis=3)
        restored = self._restored(planes)
        assert_close(decoded, restored.mean(axis=3, keepdims=True).round().astype(np.uint8), "grey")

    def test_colour_is_refused_by_a_grey_model(self) -> None:
        if "RGB" in self.model.traits.modes:
            skip("the model takes colour")
        colour = self._pixels(1)[..., :1].repeat(3, axis=3)
        assert raises(UnsupportedImage, self._encode, colour), "a grey model took a colour picture"

    def test_other_sizes_are_refused_by_a_model_of_fixed_size(self) -> None:
        size = self.model.traits.size
        if not isinstance(size, FixedSize):
            skip("the model takes any size")
        for height, width in ((size.height + 1, size.width), (size.height, size.width + 1), (1, size.width + 2)):
            pixels = pictures(1, height, width, 1)
            assert raises(UnsupportedImage, self._encode, pixels), f"it took {width} x {height}"

    # --- entropy coding -------------------------------------------------------------------------------------------

    def test_stages_cover_every_symbol_once(self) -> None:
        for latents in self._latents_of_many_sizes():
            for entropy in self._entropies():
                times = {name: np.zeros(array.shape, np.int32) for name, array in latents.items()}
                for stage in entropy.begin_block(shapes_of(latents)).stages:
                    assert stage.latent in times, f"a stage codes {stage.latent!r}, which is not declared"
                    times[stage.latent][stage.where] += 1
                for name, count in times.items():
                    assert (count == 1).all(), f"symbols of {name!r} are coded {count.min()} to {count.max()} times"

    def test_contexts_fit_their_stages(self) -> None:
        for latents in self._latents_of_many_sizes():
            for entropy in self._entropies():
                tables = None if entropy.tables is None else len(entropy.tables.frequencies)
                for number, stage in enumerate(entropy.begin_block(shapes_of(latents)).stages):
                    symbols = latents[stage.latent][stage.where]
                    chosen, offsets = entropy.context(number, latents)
                    assert np.issubdtype(np.asarray(chosen).dtype, np.integer), "table indices are not integers"
                    assert np.issubdtype(np.asarray(offsets).dtype, np.integer), "offsets are not integers"
                    np.broadcast_to(chosen, symbols.shape)
                    np.broadcast_to(offsets, symbols.shape)
                    assert np.abs(offsets).max(initial=0) < VALUE_LIMIT, f"offsets reach {VALUE_LIMIT}"
                    assert tables is not None or not np.any(offsets), "without tables there are no offsets"
                    if symbols.size:
                        assert np.min(chosen) >= (0 if tables is None else NOT_CODED), "a table index is negative"
                        assert tables is None or np.max(chosen) < tables, "a table does not exist"

    def test_contexts_that_quantization_gives_are_those_of_a_decoder(self) -> None:
        pixels = self._pixels(3)
        for quality in self._qualities():
            latents = self.model.quantize(self._analysis(pixels, quality), pixels, quality, self._effort)
            if not isinstance(latents, QuantizedLatents):
                skip("the model leaves contexts to core")
            entropy = self.model.entropy(quality)
            frame = latents.of_frames(slice(1, 2), entropy)
            for given in (latents, frame) if isinstance(frame, QuantizedLatents) else (latents,):
                stages = entropy.begin_block(shapes_of(given)).stages
                shapes = [given[stage.latent][stage.where].shape for stage in stages]
                assert len(given.contexts) == len(shapes), "quantization does not give one context for each stage"
                kept = [
                    (np.broadcast_to(tables, shape), np.broadcast_to(offsets, shape))
                    for (tables, offsets), shape in zip(given.contexts, shapes, strict=True)
                ]
                assert_same_contexts(kept, contexts_of(entropy, given), "when it quantizes")

    def test_contexts_depend_on_coded_symbols_only(self) -> None:
        random = np.random.default_rng(3)
        for latents in self._latents_of_many_sizes():
            entropy = self.model.entropy(self._quality)
            shown = {name: np.zeros_like(array) for name, array in latents.items()}
            noise = {spec.name: self._noise(spec.name, latents, random) for spec in self.model.traits.latents}
            block = entropy.begin_block(shapes_of(latents))
            for number, stage in enumerate(block.stages):
                before = {name: array.copy() for name, array in shown.items()}
                expected = entropy.context(number, shown)
                assert all(np.array_equal(shown[n], before[n]) for n in shown), f"stage {number} writes into `known`"
                peeked = entropy.context(number, noise)
                for from_known, from_noise in zip(expected, peeked, strict=True):
                    assert np.array_equal(from_known, from_noise), (
                        f"stage {number} looks at symbols that are not yet coded"
                    )
                for alone, in_order in zip(expected, block.context(number, shown), strict=True):
                    assert np.array_equal(alone, in_order), f"begin_block changes the context of stage {number}"
                for array in (shown, noise):
                    array[stage.latent][stage.where] = latents[stage.latent][stage.where]

    def test_contexts_are_the_same_on_every_backend(self) -> None:
        """Whatever chooses a probability is exact: threads, kernels, layouts, batches and precisions do not matter."""
        for quality in self._qualities():
            given = block_latents(self.model.entropy(quality), self.model.traits.latents, (3, *self._size()))
            expected = contexts_of(self.model.entropy(quality), given)
            for name, condition in backends():
                with condition:
                    found = contexts_of(self.model.entropy(quality), given)
                assert_same_contexts(found, expected, name)
            other = {name: np.asfortranarray(array) for name, array in given.items()}
            assert_same_contexts(contexts_of(self.model.entropy(quality), other), expected, "in another memory layout")
            for number in range(3):
                frame = slice(number, number + 1)
                alone = {name: array[frame] for name, array in given.items()}
                parts = [tuple(part[frame] for part in context) for context in expected]
                found = contexts_of(self.model.entropy(quality), alone)
                assert_same_contexts(found, parts, "in a batch of one")

    def test_contexts_of_a_larger_block_are_the_same_without_kernels_of_the_processor(self) -> None:
        """Rounding errors of floating point cross a boundary seldom, so many symbols are needed to see one."""
        if not isinstance(self.model.traits.size, AnySize):
            skip("the model takes one size only")
        height, width = self._size()
        shape = (1, _MANY * height, _MANY * width)
        given = block_latents(self.model.entropy(self._quality), self.model.traits.latents, shape)
        expected = contexts_of(self.model.entropy(self._quality), given)
        for name, condition in plain_backends():
            with condition:
                found = contexts_of(self.model.entropy(self._quality), given)
            assert_same_contexts(found, expected, name)

    def test_any_latents_in_range_survive_coding(self) -> None:
        specs = self.model.traits.latents
        for entropy in self._entropies():
            for latents in self._codable_latents(entropy, 2):
                shapes = {name: array.shape for name, array in latents.items()}
                for coder in coders(has_tables=entropy.tables is not None):
                    payload = encode_block(coder_by_id(coder), latents, entropy, specs)
                    decoded = decode_block(coder_by_id(coder), payload, entropy, specs, shapes)
                    for name, array in latents.items():
                        assert np.array_equal(decoded[name], array), f"{coder.name} changes {name!r}"
