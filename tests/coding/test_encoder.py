"""What a model is shown when pictures are encoded: tiles with a halo in analysis, exactly the block in quantize."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from toys import RecordedMeans

import nncodec
from nncodec.coding.grid import Grid
from nncodec.errors import PluginError
from nncodec.format.container import Container
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> RecordedMeans:
    """Return a model that is opened in place of any other."""
    opened = RecordedMeans()
    monkeypatch.setattr(registry, "open_model", lambda _: opened)
    return opened


def pictures(count: int, width: int, height: int) -> list[Image.Image]:
    random = np.random.default_rng((count, width, height))
    coarse = random.integers(0, 256, (count, -(-height // 4), -(-width // 4)), np.uint8)
    whole = coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]
    return [Image.fromarray(np.ascontiguousarray(one)) for one in whole]


def assert_restored(data: bytes, expected: list[Image.Image]) -> None:
    for found, picture in zip(nncodec.decode_frames(data), expected, strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(picture))


@pytest.mark.parametrize(
    ("width", "height", "blocks"),
    [
        (13, 9, [(1, 16, 16, 1)]),
        (1100, 20, [(1, 24, 1024, 1), (1, 24, 80, 1)]),
        (12, 1025, [(1, 1024, 16, 1), (1, 8, 16, 1)]),
    ],
)
def test_quantize_sees_each_block_and_analysis_each_tile_with_its_halo(
    model: RecordedMeans, width: int, height: int, blocks: list[tuple[int, ...]]
) -> None:
    expected = pictures(1, width, height)
    data = nncodec.encode(expected[0], "conv/photo")
    assert_restored(data, expected)
    assert model.quantized == blocks
    grid = Grid.of(Container(data).header, model.traits)
    windows = [grid.window(tile) for cell in grid.cells() for tile in grid.tiles(cell)]
    assert len(windows) >= len(blocks)
    assert model.analysed == [(1, window.rows.size, window.columns.size, 1) for window in windows]


def test_frames_of_a_block_are_quantized_together(model: RecordedMeans) -> None:
    expected = pictures(5, 16, 12)
    assert_restored(nncodec.encode(expected, "conv/photo", frames_per_block=3), expected)
    assert model.quantized == [(3, 16, 16, 1), (2, 16, 16, 1)]


def test_small_pictures_of_a_batch_are_quantized_together(model: RecordedMeans) -> None:
    expected = pictures(3, 16, 12)
    for data, picture in zip(nncodec.encode_batch(expected, "conv/photo"), expected, strict=True):
        assert_restored(data, [picture])
    assert model.quantized == [(3, 16, 16, 1)]


@pytest.mark.parametrize(
    ("method", "result", "reason"),
    [
        ("analysis", {}, "its analysis gives"),
        ("analysis", {"mean": np.zeros((1, 1, 4, 4), bool)}, "as bool"),
        ("analysis", None, "its analysis gives a NoneType"),
        ("quantize", {"mean": np.zeros((1, 1, 4, 4), np.int32)}, "its latents are"),
        ("quantize", {"mean": np.zeros((1, 1, 4, 4)), "count": np.zeros((1, 1, 2, 2))}, "'mean' are float64"),
        ("quantize", None, "its rounding gives a NoneType"),
    ],
)
def test_what_is_not_as_declared_is_the_plugins_fault(
    model: RecordedMeans, monkeypatch: pytest.MonkeyPatch, method: str, result: object, reason: str
) -> None:
    monkeypatch.setattr(model, method, lambda *_: result)
    with pytest.raises(PluginError, match=reason):
        nncodec.encode(pictures(1, 16, 16)[0], "conv/photo")


def test_tiles_that_differ_in_type_are_the_plugins_fault(model: RecordedMeans, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = iter((np.float32, np.float64))

    def analysis(pixels: Pixels, quality: int, effort: int) -> Mapping[str, NDArray[Any]]:
        return {"mean": RecordedMeans.analysis(model, pixels, quality, effort)["mean"].astype(next(kinds))}

    monkeypatch.setattr(model, "analysis", analysis)
    with pytest.raises(PluginError, match="other arrays for other tiles"):
        nncodec.encode(pictures(3, 1024, 512), "conv/photo")


def test_without_quantize_analysis_has_to_round(model: RecordedMeans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RecordedMeans, "quantize")
    with pytest.raises(PluginError, match="its latents are"):
        nncodec.encode(pictures(1, 16, 16)[0], "conv/photo")


@pytest.mark.usefixtures("codecs_only")
def test_a_file_takes_no_more_than_the_samples_and_64_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    for model in ("conv/photo", "hyperprior/photo"):
        for picture in (Image.fromarray(noise), Image.fromarray(noise[:1, :1, 0])):
            data = nncodec.encode(picture, model, 100)
            assert len(data) <= picture.width * picture.height * len(picture.getbands()) + 64
            assert nncodec.decode(data).size == picture.size
        each = nncodec.encode_batch([Image.fromarray(noise), Image.new("RGB", (5, 5))], model, 100)
        assert all(len(data) <= 75 + 64 for data in each)
    lowered = nncodec.inspect(nncodec.encode(Image.new("RGB", (1, 1), (255, 0, 255)), "conv/photo", 100)).quality
    assert lowered is not None
    assert 0 < lowered < 100
