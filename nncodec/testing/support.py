"""Support for the contract tests: opening a model as users do, images and latents for it, comparisons."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn, ParamSpec

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import nncodec
from nncodec.coding.grid import BLOCK_EDGE_LOG2, Cell, Grid
from nncodec.errors import BadModelFile
from nncodec.format.entropy import available_coders
from nncodec.format.header import CoderId, ColourMode, Header
from nncodec.picture.area import read_window
from nncodec.plugin import discovery, registry
from nncodec.plugin.codec import AnySize, CodecModel, FixedSize
from nncodec.plugin.entropy import NOT_CODED, EntropyModel, shapes_of
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import SHORT_ID_BYTES, ModelInfo, Tensors, read_model_info, write_model
from nncodec.plugin.precision import precision

_P = ParamSpec("_P")

_MAX_ALTERED = 6
# Of float32 values, relative to the largest; convolutions differ by a few millionths.
_FLOAT_TOLERANCE = 1e-4


class FileUnderTest:
    """A model file, opened once for all tests of a class.

    Attributes:
        model_name: name or alias of an installed model; may be empty if `write_model` writes one.
    """

    model_name: ClassVar[str] = ""

    model_info: ClassVar[ModelInfo]
    model: ClassVar[Any]
    _opened: ClassVar[contextlib.ExitStack]

    @classmethod
    def _open(cls, name_or_info: str | ModelInfo) -> Any:
        """Return the model ready for use: a codec, unless a subclass tests another kind."""
        return registry.open_model(name_or_info)

    @classmethod
    def write_model(cls, folder: Path) -> None:
        """Override this to test a model that is not installed: write its file `*.safetensors` into the folder."""

    @classmethod
    def setup_class(cls) -> None:
        """Open the model once for all tests."""
        with contextlib.ExitStack() as opened:
            opened.enter_context(precision("float32"))  # differences then come from what is tested
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            cls.write_model(folder)
            written = next(iter(folder.glob("*.safetensors")), None)
            if written is not None:
                opened.enter_context(models_folder(folder))
            name = cls.model_name or (read_model_info(written).name if written else "")
            cls.model_info = registry.catalog().find(name)
            cls.model = cls._open(cls.model_info)
            cls._opened = opened.pop_all()

    @classmethod
    def teardown_class(cls) -> None:
        """Forget a model that `write_model` wrote."""
        cls._opened.close()

    def _opens(self, config: Mapping[str, Any], tensors: Tensors) -> bool:
        """Return whether a model file opens; False if it is refused with BadModelFile."""
        with tempfile.TemporaryDirectory() as folder:
            write_model(
                Path(folder) / "altered.safetensors",
                architecture=self.model_info.architecture,
                config=config,
                name="contract/altered",
                card={},
                tensors=tensors,
            )
            with models_folder(Path(folder)):
                return not raises(BadModelFile, self._open, "contract/altered")


class ModelUnderTest(FileUnderTest):
    """A codec's model, opened once for all tests of a class.

    Attributes:
        flips_one_in: at most one latent in this many may differ, by one step, in another batch or tile; 0 for none.
        most_effort: highest effort to test; lower it for a model that takes minutes at 9.
    """

    flips_one_in: ClassVar[int] = 1000
    most_effort: ClassVar[int] = 9

    model: ClassVar[CodecModel]

    @property
    def _mode(self) -> str:
        return self.model.traits.modes[0]

    @property
    def _quality(self) -> int:
        return 50 if self.model.traits.qualities else 0

    @property
    def _effort(self) -> int:
        return self.model.traits.efforts[0]

    def _qualities(self) -> tuple[int, ...]:
        return (0, 50, 100) if self.model.traits.qualities else (0,)

    def _entropies(self) -> list[EntropyModel]:
        return [self.model.entropy(quality) for quality in self._qualities()]

    def _any_size(self) -> AnySize:
        size = self.model.traits.size
        if not isinstance(size, AnySize):
            skip("the model takes one size only")
        return size

    def _size(self) -> tuple[int, int]:
        size = self.model.traits.size
        if isinstance(size, FixedSize):
            return size.height, size.width
        return max(48, 2 * size.multiple), max(64, 3 * size.multiple)

    def _pixels(self, frames: int, height: int = 0, width: int = 0) -> Pixels:
        default = self._size()
        return pictures(frames, height or default[0], width or default[1], 3 if self._mode == "RGB" else 1)

    def _flat(self, level: int) -> Pixels:
        return np.full_like(self._pixels(1), level)

    def _analysis(self, pixels: Pixels, quality: int | None = None) -> Mapping[str, NDArray[Any]]:
        """Return the result of the analysis, rounded or not."""
        return self.model.analysis(pixels, self._quality if quality is None else quality, self._effort)

    def _quantize(self, arrays: Mapping[str, NDArray[Any]], pixels: Pixels) -> Latents:
        return self.model.quantize(arrays, pixels, self._quality, self._effort)

    def _latents(self, pixels: Pixels, quality: int | None = None, effort: int | None = None) -> Latents:
        """Return the latents of images in a size that the model takes, block by block as core does."""
        quality = self._quality if quality is None else quality
        effort = self._effort if effort is None else effort
        arrays = self.model.analysis(pixels, quality, effort)
        divide = self.model.traits.divisible and max(pixels.shape[1:3]) > 1 << BLOCK_EDGE_LOG2
        whole: Latents = {}
        for cell in Grid.of(header(pixels, BLOCK_EDGE_LOG2 if divide else 0), self.model.traits).cells():
            places = {spec.name: cell.area.slices(spec.stride) for spec in self.model.traits.latents}
            block = {name: array[:, :, *places[name]] for name, array in arrays.items()}
            latents = self.model.quantize(block, pixels[:, *cell.area.slices()], quality, effort)
            if not divide:
                return latents
            for spec in self.model.traits.latents:
                array = whole.setdefault(spec.name, np.empty(spec.shape(*pixels.shape[:3]), np.int32))
                array[:, :, *places[spec.name]] = latents[spec.name]
        return whole

    def _padded(self, pixels: Pixels) -> Pixels:
        grid = Grid.of(header(pixels, 0), self.model.traits)
        return read_window(pixels, *grid.window(grid.cell(0, 0, 0)))

    def _restored(self, pixels: Pixels, quality: int | None = None, effort: int = 0) -> Pixels:
        """Return images coded and decoded by the model alone."""
        traits = self.model.traits
        quality = (50 if quality is None else quality) if traits.qualities else 0
        level = max([n for n in traits.efforts if n <= effort], default=traits.efforts[0])
        latents = self._latents(self._padded(pixels), quality, level)
        return self.model.synthesis(latents, quality)[:, : pixels.shape[1], : pixels.shape[2]]

    def _encode(self, pixels: Pixels, quality: int = 50, effort: int = 0) -> bytes:
        chosen = quality if self.model.traits.qualities else None
        return nncodec.encode(images_of(pixels), self.model_info.name, chosen, effort=effort, lossless=False)

    def _tile(self, cell: Cell, grid: Grid, whole: Latents, restored: Pixels, quality: int) -> tuple[Pixels, Pixels]:
        """Return a tile as decoded from its window's latents, and as cropped from the whole."""
        window = grid.window(cell)
        latents = {spec.name: whole[spec.name][:, :, *window.slices(spec.stride)] for spec in self.model.traits.latents}
        inner = self.model.synthesis_within(latents, quality, cell.area.margins_in(window))
        return inner, restored[:, cell.rows.slice(), cell.columns.slice()]

    def _any_latents(self, frames: int) -> Iterator[Latents]:
        """Yield extreme latents: the ends of their ranges, and random values between."""
        random = np.random.default_rng(2)
        height, width = self._size()
        specs = self.model.traits.latents
        shapes = {spec.name: spec.shape(frames, height, width) for spec in specs}
        yield {spec.name: np.full(shapes[spec.name], spec.minimum, np.int32) for spec in specs}
        yield {spec.name: np.full(shapes[spec.name], spec.maximum, np.int32) for spec in specs}
        yield {
            spec.name: random.integers(spec.minimum, spec.maximum, shapes[spec.name], np.int32, endpoint=True)
            for spec in specs
        }

    def _codable_latents(self, entropy: EntropyModel, frames: int) -> Iterator[Latents]:
        random = np.random.default_rng(4)
        for outliers in (0.0, 0.1, 1.0):
            yield drawn_latents(entropy, self.model.traits.latents, (frames, *self._size()), outliers, random)

    def _latents_of_many_sizes(self) -> Iterator[Latents]:
        sizes: tuple[tuple[int, int], ...] = (self._size(),)
        if isinstance(self.model.traits.size, AnySize):
            multiple = self.model.traits.size.multiple
            sizes += ((multiple, multiple), (multiple, 2 * multiple), (5 * multiple, 3 * multiple))
        for height, width in sizes:
            yield self._latents(self._pixels(2, height, width))

    def _noise(self, name: str, latents: Latents, random: np.random.Generator) -> IntArray:
        spec = next(spec for spec in self.model.traits.latents if spec.name == name)
        return random.integers(spec.minimum, spec.maximum, latents[name].shape, np.int32, endpoint=True)

    def _assert_same_latents(self, actual: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]]) -> None:
        """Compare latents, or unrounded results of analysis."""
        steps = {spec.name: spec.step for spec in self.model.traits.latents}
        for name, array in expected.items():
            if array.dtype.kind == "f":
                reach = float(np.abs(array).max())
                apart = float(np.abs(actual[name] - array).max())
                assert apart <= _FLOAT_TOLERANCE * reach, f"{name!r} differs by up to {apart}, its size is {reach}"
                continue
            steps_apart = np.abs(actual[name].astype(np.int64) - array)
            allowed = steps_apart.size // self.flips_one_in if self.flips_one_in else 0
            assert steps_apart.max() <= steps[name], f"latents {name!r} differ by up to {steps_apart.max()}"
            assert np.count_nonzero(steps_apart) <= allowed, f"{np.count_nonzero(steps_apart)} latents {name!r} differ"


@contextlib.contextmanager
def models_folder(folder: Path) -> Iterator[None]:
    """Use a folder as the user's model folder within the block."""
    before = os.environ.get(discovery.MODELS_VARIABLE)
    os.environ[discovery.MODELS_VARIABLE] = str(folder)
    registry.refresh()
    try:
        yield
    finally:
        if before is None:
            del os.environ[discovery.MODELS_VARIABLE]
        else:
            os.environ[discovery.MODELS_VARIABLE] = before
        registry.refresh()


def pictures(frames: int, height: int, width: int, planes: int) -> Pixels:
    """Return test images with smooth parts, an edge and noise, uint8 (N, H, W, C); deterministic."""
    random = np.random.default_rng((frames, height, width, planes))
    n, y, x, c = np.ogrid[:frames, :height, :width, :planes]
    waves = 90 * np.sin((x + 5 * c) / (7 + 2 * n)) * np.cos(y / (11 - n))
    edge = 50 * (x * 2 + y > (n + 1) * (width + height) / (frames + 1))
    noise = random.normal(0, 12, (frames, height, width, planes))
    pixels: NDArray[Any] = np.clip(110 + waves + edge + noise, 0, 255).astype(np.uint8)
    return pixels


def header(pixels: Pixels, block_edge_log2: int) -> Header:
    frames, height, width = pixels.shape[:3]
    return Header(
        mode=ColourMode.RGB if pixels.shape[3] == 3 else ColourMode.L,
        coder=CoderId.ZSTD,
        quality=None,
        model_id=bytes(SHORT_ID_BYTES),
        width=width,
        height=height,
        display_size=(width, height),
        frames=frames,
        frames_per_block=frames,
        block_edge_log2=block_edge_log2,
    )


def drawn_latents(
    entropy: EntropyModel,
    specs: tuple[LatentSpec, ...],
    shape: tuple[int, int, int],
    outliers: float,
    random: np.random.Generator,
) -> Latents:
    """Return random latents that a model's stages can code, drawn stage by stage in decoding order.

    Args:
        entropy, specs: the model's.
        shape: frames, height and width in pixels.
        outliers: share of symbols anywhere in their range, half of them at an end of it; the others are small.
        random: random generator.
    """
    by_name = {spec.name: spec for spec in specs}
    known = {spec.name: np.zeros(spec.shape(*shape), np.int32) for spec in specs}
    block = entropy.begin_block(shapes_of(known))
    for number, stage in enumerate(block.stages):
        spec, target = by_name[stage.latent], known[stage.latent][stage.where]
        context = block.context(number, known)
        offsets = np.broadcast_to(np.asarray(context.offsets, np.int64), target.shape)
        low, high = -((offsets - spec.minimum) // spec.step), (spec.maximum - offsets) // spec.step
        assert (low <= high).all(), f"no value of {spec.name!r} is a whole number of steps from its offset"
        small = np.clip(random.integers(-2, 3, target.shape), low, high)
        anywhere = random.integers(low, high, endpoint=True)
        end = np.where(random.integers(0, 2, target.shape), low, high)
        kind = random.uniform(size=target.shape)
        symbols = np.where(kind < outliers / 2, end, np.where(kind < outliers, anywhere, small))
        if entropy.tables is not None:
            symbols = np.where(np.asarray(context.tables) == NOT_CODED, 0, symbols)
        values = offsets + symbols * spec.step
        in_range = (values >= spec.minimum) & (values <= spec.maximum)
        assert in_range.all(), f"stage {number} does not code latents {spec.name!r}, and they leave their range"
        known[stage.latent][stage.where] = values
    return known


def coders(*, has_tables: bool) -> list[CoderId]:
    """Return the coders of this version that suit a model with or without probability tables."""
    unsuitable = CoderId.STORED if has_tables else CoderId.RANS
    return [coder for coder in available_coders() if coder is not unsuitable]


def some(names: list[str]) -> list[str]:
    """Return a few names, spread evenly: testing hundreds of layers would take too long."""
    return names[:: max(1, math.ceil(len(names) / _MAX_ALTERED))]


def images_of(pixels: Pixels) -> list[Image.Image]:
    return [Image.fromarray(frame if frame.shape[2] == 3 else frame[..., 0]) for frame in pixels]


def arrays(images: Iterable[Image.Image]) -> Pixels:
    stacked = np.stack([np.asarray(image) for image in images])
    return stacked if stacked.ndim == 4 else stacked[..., None]


def assert_close(actual: Pixels, expected: Pixels, what: str) -> None:
    assert actual.shape == expected.shape, f"{what}: {actual.shape} and {expected.shape}"
    apart = int(np.abs(actual.astype(np.int16) - expected).max())
    assert apart <= 1, f"{what}: pixels differ by up to {apart} levels"


def raises(kind: type[Exception], call: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> bool:
    try:
        call(*args, **kwargs)
    except kind:
        return True
    return False


def skip(reason: str) -> NoReturn:
    import pytest  # only where tests run

    pytest.skip(reason)
