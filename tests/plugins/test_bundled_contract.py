"""The models that ship with this package keep the contract that every plugin's model keeps."""

from __future__ import annotations

import pytest

from nncodec.plugin import registry
from nncodec.testing import CodecModelContract, EnhancerContract, LosslessContract
from nncodec_hyperprior import quantization


class TestDenseFashion(CodecModelContract):
    model_name = "dense/fashion"


class TestConvDigits(CodecModelContract):
    model_name = "conv/digits"


class TestConvPhoto(CodecModelContract):
    model_name = "conv/photo"


class TestHyperpriorPhoto(CodecModelContract):
    model_name = "hyperprior/photo"
    most_effort = 3  # higher levels do more of the same

    @pytest.fixture(autouse=True)
    def few_iterations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Refine with two steps of descent: more of them do more of the same."""
        monkeypatch.setitem(quantization._ITERATIONS, self.most_effort, 2)


class TestLosslessAny(LosslessContract):
    model_name = "lossless/any"

    def _depths(self) -> list[int]:
        return [12]  # tests of the plugin take all


class TestSrganX4(EnhancerContract):
    model_name = "srgan/x4"


class TestSrganRestore(EnhancerContract):
    model_name = "srgan/restore"


def test_every_bundled_model_is_tested_here() -> None:
    bundled = {
        name
        for plugin in registry.catalog().plugins
        if plugin.distribution.startswith("nncodec-image ")
        for name in plugin.models
    }
    contracts = (
        TestDenseFashion,
        TestConvDigits,
        TestConvPhoto,
        TestHyperpriorPhoto,
        TestLosslessAny,
        TestSrganX4,
        TestSrganRestore,
    )
    # hyperprior/photo-psnr is hyperprior/photo with other weights.
    assert bundled - {"hyperprior/photo-psnr"} == {contract.model_name for contract in contracts}
