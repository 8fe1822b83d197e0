"""The contract of lossless models passes sound ones and finds those that break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

from nncodec.plugin import registry
from nncodec.testing import LosslessContract


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[LosslessContract]]:
    class Contract(LosslessContract):
        model_name = "zipped/any"

    with pytest.MonkeyPatch.context() as monkeypatch:
        folder: Path = tmp_path_factory.mktemp("models")
        toys.install_zipped(monkeypatch, folder)
        Contract.setup_class()
        yield Contract
        Contract.teardown_class()
    registry.refresh()


_DAMAGE = "test_a_damaged_payload_is_a_value_error_or_samples_in_range"
TESTS = sorted(name for name in dir(LosslessContract) if name.startswith("test_"))


@pytest.mark.parametrize("test", [name for name in TESTS if name in vars(LosslessContract)])
def test_a_sound_model_passes(contract: type[LosslessContract], test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LosslessContract, "_depths", lambda _: [8, 16])
    getattr(contract(), test)()


@pytest.mark.parametrize(
    ("method", "result", "test", "says"),
    [
        ("encode", bytearray(b"x"), "test_every_effort_comes_back", "encode returned bytearray"),
        ("encode", b"", "test_every_effort_comes_back", "0 bytes"),
        ("decode", np.zeros((1, 40, 50, 3), np.uint16), "test_every_effort_comes_back", "did not come back"),
        ("decode", np.zeros((1, 40, 50, 3), np.int32), "test_every_effort_comes_back", "decode returned int32"),
        (
            "decode",
            np.full((1, 12, 17, 1), 256, np.uint16),
            _DAMAGE,
            "too many bits",
        ),
    ],
)
def test_a_broken_model_fails(
    contract: type[LosslessContract], monkeypatch: pytest.MonkeyPatch, method: str, result: Any, test: str, says: str
) -> None:
    monkeypatch.setattr(type(contract.model), method, lambda *_: result)
    with pytest.raises(AssertionError, match=says):
        getattr(contract(), test)()
