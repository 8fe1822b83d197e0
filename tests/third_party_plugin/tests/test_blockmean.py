"""This codec's arithmetic, and that `train.py` makes its weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from nncodec_blockmean.codec import BlockMeanCodec

from nncodec.errors import UnknownModel
from nncodec.plugin import discovery, read_model, registry, write_model

_TRAIN = Path(__file__).parents[1] / "train.py"


@pytest.fixture
def codec(tmp_path: Path) -> BlockMeanCodec:
    codebook = np.array([0, 100, 200], np.uint8)
    return BlockMeanCodec.from_file(
        write_model(
            tmp_path / "three.safetensors",
            architecture="blockmean",
            config={"block": 2},
            name="blockmean/three",
            card={},
            tensors={"codebook": codebook},
        )
    )


@pytest.mark.parametrize(("block", "level"), [([0, 0, 0, 0], 0), ([50, 50, 50, 51], 1), ([255, 0, 255, 255], 2)])
def test_a_block_becomes_the_level_nearest_to_its_mean(codec: BlockMeanCodec, block: list[int], level: int) -> None:
    pixels = np.array(block, np.uint8).reshape(1, 2, 2, 1).repeat(3, axis=3)
    latents = codec.analysis(pixels, 0, 0)
    assert latents["mean"].ravel().tolist() == [level] * 3
    assert (codec.synthesis(latents, 0) == 100 * level).all()


def test_training_again_gives_the_weights_that_ship(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("train", _TRAIN)
    assert spec is not None
    assert spec.loader is not None
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    shipped = registry.catalog().find("blockmean/four")
    assert train.train(tmp_path / "again.safetensors").digest == shipped.digest


@pytest.mark.parametrize(
    "codebook",
    [np.zeros(4, np.uint8), np.arange(4, dtype=np.int32), np.arange(1, dtype=np.uint8)],
    ids=["not ascending", "not bytes", "a single level"],
)
def test_an_unusable_codebook_is_refused(tmp_path: Path, codebook: np.ndarray) -> None:
    four = read_model(registry.catalog().find("blockmean/four").path)
    path = tmp_path / "odd.safetensors"
    odd = write_model(
        path,
        architecture="blockmean",
        config=four.config,
        name="blockmean/odd",
        card={},
        tensors={"codebook": codebook},
    )
    with pytest.raises(ValueError, match="codebook"):
        BlockMeanCodec.from_file(odd)


def test_the_architecture_can_be_trained_on_other_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path / "models"))
    registry.refresh()
    path = tmp_path / "eight.safetensors"
    codebook = np.arange(0, 256, 5, dtype=np.uint8)
    write_model(
        path, architecture="blockmean", config={"block": 8}, name="eight", card={}, tensors={"codebook": codebook}
    )
    registry.install_model(path)
    assert registry.open_model("eight").traits.latents[0].stride == 8
    registry.remove_model("eight")
    with pytest.raises(UnknownModel):
        registry.open_model("eight")
    registry.refresh()
