"""What `verify` checks and stores, and how a decoder then tells damage from a machine that computes otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nncodec
from nncodec.format.container import Container
from nncodec.format.header import ChunkType
from nncodec.format.latent_checksums import latents_checksum, split_checksums
from nncodec.plugin import registry
from nncodec.plugin.entropy import StageContext
from nncodec.plugin.latents import IntArray

MODEL = "conv/photo"
PICTURE = Image.radial_gradient("L").resize((24, 16)).convert("RGB")


@pytest.fixture
def data() -> bytes:
    return nncodec.encode(PICTURE, MODEL, lossless=False, verify=True)


def test_a_checksum_is_these_bytes() -> None:
    assert latents_checksum([np.array([1, -2, 3], np.int32)]) == bytes.fromhex("e6 05 b2 a4")
    assert latents_checksum([np.array([1], np.int32), np.array([[-2, 3]])]) == bytes.fromhex("e6 05 b2 a4")


@pytest.mark.parametrize("chunk", [None, b"", b"123", b"12345"])
def test_a_chunk_of_another_size_is_ignored(chunk: bytes | None) -> None:
    assert split_checksums(chunk, 1) is None


def test_a_verified_file_holds_a_checksum_for_each_block(data: bytes) -> None:
    assert len(Container(data).chunk(ChunkType.LATENT_CHECKSUMS) or b"") == 4
    plain = nncodec.encode(PICTURE, MODEL, lossless=False)
    assert Container(plain).chunk(ChunkType.LATENT_CHECKSUMS) is None
    for frame in (nncodec.decode(data), *nncodec.decode_batch([data])):
        assert frame == nncodec.decode(plain)
    stack = nncodec.encode([PICTURE] * 3, MODEL, lossless=False, verify=True, frames_per_block=1)
    assert len(Container(stack).chunk(ChunkType.LATENT_CHECKSUMS) or b"") == 12
    assert len(list(nncodec.decode_frames(stack))) == 3
    (of_batch,) = nncodec.encode_batch([PICTURE], MODEL, lossless=False, verify=True)
    assert of_batch == data


def _with_other_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the model's entropy model compute what another machine might."""
    kind = type(registry.open_model(MODEL).entropy(50))
    sound: Any = kind.context

    def other(self: object, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        context: StageContext = sound(self, stage, known)
        return context._replace(offsets=np.asarray(context.offsets) + (stage == 0))

    monkeypatch.setattr(kind, "context", other)


def test_another_machine_is_told_from_damage(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(nncodec.Corrupt, match="block 0 does not match its checksum"):
        nncodec.decode(data[:-6] + bytes([data[-6] ^ 1]) + data[-5:])
    _with_other_contexts(monkeypatch)
    with pytest.raises(nncodec.BackendMismatch, match=r"block 0 is not damaged, but conv/photo decodes it to other"):
        nncodec.decode(data)
    with pytest.raises(nncodec.BackendMismatch):
        nncodec.decode_batch([data])


def test_contexts_that_change_between_two_calls_are_found_when_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(registry.open_model(MODEL).entropy(50))
    sound: Any = kind.context
    calls: list[int] = []

    def drifting(self: object, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        calls.append(stage)
        context: StageContext = sound(self, stage, known)
        return context._replace(offsets=np.asarray(context.offsets) + calls.count(0) * (stage == 0))

    monkeypatch.setattr(kind, "context", drifting)
    with pytest.raises(nncodec.PluginError, match=r"a block (decodes to other latents|that it encoded)"):
        nncodec.encode(PICTURE, MODEL, lossless=False, verify=True)


def test_exact_files_are_verified_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nncodec.encode(PICTURE, lossless=True, verify=True) == nncodec.encode(PICTURE, lossless=True)
    model = registry.open_lossless("lossless")
    monkeypatch.setattr(model, "decode", lambda payload, shape, bits: np.zeros(shape, np.uint16))
    with pytest.raises(nncodec.PluginError, match="a block decodes to other samples"):
        nncodec.encode(PICTURE, lossless=True, verify=True)


@pytest.mark.parametrize("kind", [np.int32, np.uint8])
def test_samples_that_no_reader_would_take_are_refused(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    model = registry.open_lossless("lossless")
    decode = model.decode
    monkeypatch.setattr(model, "decode", lambda *block: decode(*block).astype(kind))
    with pytest.raises(nncodec.PluginError, match=f"it decoded {kind.__name__} .* instead of uint16"):
        nncodec.encode(PICTURE, lossless=True, verify=True)


def test_a_value_that_is_not_true_or_false_is_refused() -> None:
    with pytest.raises(nncodec.InvalidOption, match="is not True or False"):
        nncodec.encode(PICTURE, verify=1)  # type: ignore[typeddict-item]
