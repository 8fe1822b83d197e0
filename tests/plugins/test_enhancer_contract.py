"""The SRGAN enhancer with untrained weights and the documentation's example keep the contract."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import install

from nncodec.nn.tensors import weights_of
from nncodec.plugin import discovery, registry
from nncodec.plugin.model_file import write_model
from nncodec.testing import EnhancerContract
from nncodec_srgan.enhancer import CONTENT, DETAIL, model_config
from nncodec_srgan.generator import Generator, GeneratorConfig

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def write_srgan(folder: Path, shape: GeneratorConfig, *, detail: bool) -> None:
    """Write an enhancer with random last layers; at zero, where training starts, it would do nothing."""
    torch.manual_seed(3)
    tensors = {}
    for prefix in (CONTENT, DETAIL) if detail else (CONTENT,):
        generator = Generator(shape)
        torch.nn.init.normal_(generator.tail.weight, std=0.05)
        tensors |= weights_of(generator, prefix)
    config = model_config(shape, detail=detail)
    path = folder / "srgan.safetensors"
    write_model(path, architecture="srgan", config=config, name="random/srgan", card={}, tensors=tensors)


class TestEnlarging(EnhancerContract):
    @classmethod
    def write_model(cls, folder: Path) -> None:
        write_srgan(folder, GeneratorConfig(factor=4, width=8, blocks=2, normalise=True), detail=True)


class TestRestoring(EnhancerContract):
    @classmethod
    def write_model(cls, folder: Path) -> None:
        write_srgan(folder, GeneratorConfig(factor=1, width=8, blocks=2, unshuffle=4, normalise=False), detail=True)


class TestWithoutStrengths(EnhancerContract):
    @classmethod
    def write_model(cls, folder: Path) -> None:
        write_srgan(folder, GeneratorConfig(factor=2, width=8, blocks=1, normalise=False), detail=False)


class TestExample(EnhancerContract):
    """The module in `docs/examples`, installed as a plugin."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _installed(cls) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patches:
            patches.syspath_prepend(str(EXAMPLES))
            install(patches, EntryPoint("sharpen", "enhancer_plugin", discovery.ENTRY_POINT_GROUP))
            super().setup_class()
            yield
            super().teardown_class()
        registry.refresh()
        sys.modules.pop("enhancer_plugin", None)

    @classmethod
    def setup_class(cls) -> None:
        """Do nothing: the fixture installs the plugin before the setup."""

    @classmethod
    def teardown_class(cls) -> None:
        """See `setup_class`."""

    @classmethod
    def write_model(cls, folder: Path) -> None:
        write_model(
            folder / "sharp.safetensors",
            architecture="sharpen",
            config={"factor": 2},
            name="sharp/double",
            card={},
            tensors={"amounts": np.array([0.5, 4], np.float32)},
        )
