"""A model that needs the whole picture gets it, in one tile and one block, or the picture is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import CentredMeans, install, plugin, write_toy

import nncodec
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec
from nncodec.testing import CodecModelContract

NAME = "centred/one"


class Contract(CodecModelContract):
    model_name = NAME


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = write_toy(tmp_path / "centred.safetensors", NAME, "centred")
    specs = [ArchitectureSpec("centred", "toys:CentredMeans")], [ModelSpec(NAME, path)]
    install(monkeypatch, plugin(monkeypatch, "centred", *specs))
    yield
    monkeypatch.undo()
    registry.refresh()


def picture(width: int, height: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height))


def test_a_picture_larger_than_a_block_is_one_block_and_one_tile() -> None:
    image = picture(1100, 1030)
    data = nncodec.encode(image, NAME)
    pixels = np.pad(np.asarray(image), ((0, 2), (0, 4)), mode="edge")[None, ..., None]
    model = CentredMeans()
    expected = model.synthesis(model.analysis(pixels, 0, 0), 0)[0, :1030, :1100, 0]
    assert np.array_equal(np.asarray(nncodec.decode(data)), expected)
    box = (1000, 900, 1090, 1020)
    assert np.array_equal(np.asarray(nncodec.decode(data, box=box)), expected[900:1020, 1000:1090])


def test_a_picture_that_is_too_large_is_refused() -> None:
    large = picture(2100, 2100)
    with pytest.raises(
        nncodec.UnsupportedImage, match="needs the whole picture at once, at most 4,194,304 pixels, and"
    ):
        nncodec.encode(large, NAME)
    assert nncodec.decode(nncodec.encode(large, NAME, downscale=4)).size == (2100, 2100)


def test_a_file_in_blocks_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(CentredMeans, "traits", replace(CentredMeans.traits, size=AnySize(8, 0)))
        data = nncodec.encode(picture(1100, 8), NAME)
    with pytest.raises(nncodec.Corrupt, match="is divided into blocks, and centred/one needs it whole"):
        nncodec.decode(data)


@pytest.mark.parametrize(
    "test",
    [
        "test_a_picture_larger_than_a_block_comes_back",
        "test_files_decode_to_what_synthesis_gives",
        "test_files_of_a_batch_decode_to_what_synthesis_gives",
        "test_quality_means_what_the_traits_say",
    ],
)
def test_it_passes_the_contract_without_tiles(test: str) -> None:
    Contract.setup_class()
    try:
        with pytest.raises(pytest.skip.Exception, match="needs the whole picture"):
            Contract().test_tiles_and_whole_agree()
        getattr(Contract(), test)()
    finally:
        Contract.teardown_class()
