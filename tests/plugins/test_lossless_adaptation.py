"""Outputs fitted to a block: they save bytes, stay exact, and refuse what would not be."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch

from nncodec.plugin.registry import open_lossless
from nncodec_lossless.codec import LosslessCodec
from nncodec_lossless.natural import block
from nncodec_lossless.natural.adaptation import FITTED, LARGEST_SUM, adapted, code_change, fitted
from nncodec_lossless.natural.grids import Grid
from nncodec_lossless.natural.layers import HIDDEN
from nncodec_lossless.natural.network import Networks
from nncodec_lossless.natural.symbols import Reader, Writer


@pytest.fixture(scope="module")
def networks() -> Networks:
    model = open_lossless("lossless")
    assert isinstance(model, LosslessCodec)
    return model.networks


def photograph(edge: int) -> np.ndarray:
    return skimage.data.astronaut()[None, 60 : 60 + edge, 130 : 130 + edge].astype(np.uint16)


@pytest.mark.parametrize("kind", ["photograph", "one plane", "twelve bits", "two frames"])
def test_a_fitted_block_is_smaller_and_exact(networks, monkeypatch, kind: str) -> None:
    rng = np.random.default_rng(0)
    samples, bits = {
        "photograph": lambda: (photograph(256), 8),
        "one plane": lambda: (skimage.data.moon()[None, ..., None].astype(np.uint16), 8),
        "twelve bits": lambda: (photograph(224) * 16 + rng.integers(0, 16, (1, 224, 224, 3)).astype(np.uint16), 12),
        "two frames": lambda: (np.concatenate([photograph(192), photograph(192)[:, ::-1]]), 8),
    }[kind]()
    payload = block.encode(networks, samples, bits)
    np.testing.assert_array_equal(block.decode(networks, payload, samples.shape, bits), samples)
    monkeypatch.setattr(block, "_LEAST_CHANGED", 1 << 30)
    assert len(payload) < 0.99 * len(block.encode(networks, samples, bits))


def test_small_blocks_hold_no_word_of_changes(networks, monkeypatch) -> None:
    payload = block.encode(networks, photograph(180), 8)
    monkeypatch.setattr(block, "_LEAST_CHANGED", 1 << 30)
    assert payload == block.encode(networks, photograph(180), 8)


def test_no_change_is_made_for_what_networks_know_as_well(networks) -> None:
    # Flat: nothing is left to save.
    samples = np.full((1, 256, 256, 1), 7, np.uint16)
    assert len(block.encode(networks, samples, 8)) < 200
    # A sample of few places tells less than its numbers take.
    grid = Grid(torch.from_numpy(photograph(128)[..., 0][:, ::2, ::2].astype(np.float32))[None], None, (128, 128))
    view = grid.view(0, 1, (slice(0, 1), slice(0, 4), slice(0, 64)))
    values = torch.from_numpy(photograph(128)[0, 1:9:2, 1::2, 0].astype(np.float32)).ravel()
    assert fitted(networks.of(0, 1).layers, view, values, 1.0) is None


@pytest.mark.parametrize("most", [0, 1, 40, 700])
def test_numbers_of_a_change_come_back(networks, most: int) -> None:
    layers = networks.of(2, 3).layers
    size = layers.first.weight.shape[1] + 1 + HIDDEN
    change = np.random.default_rng(1).integers(-most, most + 1, (FITTED, size)).astype(np.int32)
    change[:, 9:] = np.clip(change[:, 9:], -3, 3)  # within the largest sum
    writer = Writer()
    written = code_change(layers, change, writer)
    reader = Reader(writer.finish())
    read = code_change(layers, None, reader)
    reader.finish()
    for one, other in zip(written, read, strict=True):
        assert torch.equal(one.weight, other.weight)
        assert torch.equal(one.bias, other.bias)
    assert (most == 0) == torch.equal(written.first.weight, layers.first.weight)


def test_changes_that_might_not_be_exact_are_refused(networks) -> None:
    layers = networks.of(0, 1).layers
    change = np.zeros((FITTED, layers.first.weight.shape[1] + 1 + HIDDEN), np.int32)
    change[1, 3] = -LARGEST_SUM
    adapted(layers, change)
    change[1, 0] = 1
    with pytest.raises(ValueError, match="might not be exact"):
        adapted(layers, change)


def test_damaged_changes_end_in_an_error_or_in_samples(networks, monkeypatch) -> None:
    monkeypatch.setattr(block, "_LEAST_CHANGED", 64)
    monkeypatch.setattr(block, "fitted", lambda layers, *_: big_change(layers))
    samples = photograph(24)
    payload = block.encode(networks, samples, 8)
    rng, outcomes = np.random.default_rng(0), set()
    for _ in range(60):
        damaged = bytearray(payload)
        # The last words are read first: those of the coarsest grid and of the first changes.
        damaged[len(payload) - 1 - int(rng.integers(600))] ^= int(rng.integers(1, 256))
        try:
            assert block.decode(networks, bytes(damaged), samples.shape, 8).shape == samples.shape
        except ValueError as error:
            outcomes.add(str(error))
    assert any("might not be exact" in outcome for outcome in outcomes)


def big_change(layers) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return a change near the largest sum."""
    size = layers.first.weight.shape[1] + 1 + HIDDEN
    return np.full((FITTED, size), LARGEST_SUM // size, np.int32)
