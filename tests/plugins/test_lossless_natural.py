"""The natural coder: exact for every shape, depth and content, the same on every machine, and safe with damage."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.nn.fixed_point import ExactConv2d, FixedPointConv2d
from nncodec.plugin.model_file import ModelFile
from nncodec_lossless.codec import LosslessCodec
from nncodec_lossless.natural import block, colour, density
from nncodec_lossless.natural.grids import Grid, sizes
from nncodec_lossless.natural.neighbours import feature_count, suits
from nncodec_lossless.natural.network import Networks, model_tensors, start_networks
from nncodec_lossless.natural.rate import rate_bits


def networks_of(trained: Networks) -> Networks:
    file = ModelFile("lossless", {}, "model", {}, "", tensors=model_tensors(trained))
    return LosslessCodec.from_file(file).networks


@pytest.fixture(scope="module")
def trained() -> Networks:
    torch.manual_seed(0)
    fresh = Networks(FixedPointConv2d)
    start_networks(fresh)
    return fresh


@pytest.fixture(scope="module")
def networks(trained: Networks) -> Networks:
    return networks_of(trained)


@pytest.fixture(scope="module")
def wild() -> Networks:
    """Networks with large weights, which reach every scale and shape."""
    torch.manual_seed(1)
    return networks_of(Networks(FixedPointConv2d))


def smooth(shape: tuple[int, int, int, int], bits: int, noise: float, seed: int = 0) -> np.ndarray:
    """Return waves with noise, in levels."""
    _, height, width, planes = shape
    rng = np.random.default_rng(seed)
    y, x, c = np.ogrid[:height, :width, :planes]
    waves = (np.sin(y / 9 + c) + np.cos(x / 7 - c) + 2) / 4 * ((1 << bits) - 1)
    return np.clip(np.rint(waves + rng.normal(0, noise, shape)), 0, (1 << bits) - 1).astype(np.uint16)


def assert_exact(networks: Networks, samples: np.ndarray, bits: int) -> bytes:
    payload = block.encode(networks, samples, bits)
    decoded = block.decode(networks, payload, samples.shape, bits)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, samples)
    return payload


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 21), st.integers(1, 21), st.integers(1, 5)),
    bits=st.integers(1, 16),
    kind=st.sampled_from(["noise", "smooth", "extremes", "flat"]),
    seed=st.integers(0, 99),
    is_wild=st.booleans(),
    changes=st.booleans(),
)
def test_every_block_comes_back(networks, wild, shape, bits, kind, seed, is_wild, changes) -> None:
    rng = np.random.default_rng(seed)
    top = (1 << bits) - 1
    samples = {
        "noise": lambda: rng.integers(0, top + 1, shape),
        "smooth": lambda: smooth(shape, bits, top / 50, seed),
        "extremes": lambda: rng.integers(0, 2, shape) * top,
        "flat": lambda: np.full(shape, seed % (top + 1)),
    }[kind]()
    with mock.patch.object(block, "_LEAST_CHANGED", 16 if changes else 1 << 13):
        assert_exact(wild if is_wild else networks, samples.astype(np.uint16), bits)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 70, 3), (1, 70, 1, 2), (1, 9, 8, 32)])
def test_thin_small_and_deep_blocks_come_back(networks, shape) -> None:
    assert_exact(networks, smooth(shape, 12, 3), 12)


def test_threads_change_no_byte(networks, monkeypatch) -> None:
    samples = smooth((1, 90, 150, 3), 8, 2)
    monkeypatch.setattr(block, "_WORTH_A_THREAD", 1000)
    monkeypatch.setattr(block, "_LEAST_PLACES", 100)
    monkeypatch.setattr(block, "_LEAST_CHANGED", 100)
    monkeypatch.setattr("nncodec.nn.threads.allowed_threads", lambda: 3)
    before = torch.get_num_threads()
    try:
        payloads = set()
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            payloads.add(assert_exact(networks, samples, 8))
    finally:
        torch.set_num_threads(before)
    assert len(payloads) == 1


def test_settings_of_torch_change_no_byte(networks, monkeypatch) -> None:
    samples = smooth((2, 40, 50, 4), 12, 3)
    monkeypatch.setattr(block, "_LEAST_CHANGED", 100)
    expected = block.encode(networks, samples, 12)
    before = torch.get_float32_matmul_precision()
    try:
        for onednn in (False, True):
            monkeypatch.setattr(torch.backends.mkldnn, "enabled", onednn)
            torch.set_float32_matmul_precision("medium")  # may mean bfloat16
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert assert_exact(networks, samples, 12) == expected
            torch.set_float32_matmul_precision(before)
            assert assert_exact(networks, samples, 12) == expected
    finally:
        torch.set_float32_matmul_precision(before)


def test_parts_see_what_the_whole_stage_sees() -> None:
    coarse = torch.arange(60.0).view(1, 2, 5, 6)
    grid = Grid(coarse, None, (10, 12))
    both, left, right = slice(0, 2), slice(0, 4), slice(4, 6)
    whole = grid.view(0, 1, (both, slice(0, 5), slice(0, 6)))
    rows = [grid.view(0, 1, (slice(n, n + 1), slice(0, 5), slice(0, 6))) for n in (0, 1)]
    for name in ("features", "sums", "unit", "level"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in rows], -1))
    part = grid.view(0, 1, (both, slice(2, 5), right))
    expected = whole.features.view(-1, 2, 5, 6)[:, :, 2:, right]
    assert torch.equal(part.features, expected.flatten(1))
    assert (
        grid.view(0, 1, (both, slice(0, 5), left)).sums.tolist() == whole.sums.view(2, 5, 6)[..., left].ravel().tolist()
    )
    assert len(whole.features) == feature_count(0, 1)


@pytest.mark.parametrize("threads", [1, 2, 64])
@pytest.mark.parametrize("shape", [(1, 3, 40), (2, 40, 3), (9, 3, 3), (1, 1, 1), (40, 1, 1)])
def test_parts_cover_an_array_once_and_hold_few_places(
    shape: tuple[int, int, int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "_PLACES_AT_ONCE", 16)
    monkeypatch.setattr(block, "_LEAST_PLACES", 6)
    covered = np.zeros(shape, int)
    for part in block._parts(shape, threads):
        assert covered[part].size <= 16
        covered[part] += 1
    assert (covered == 1).all()


def test_threads_get_equally_many_parts() -> None:
    for threads, shape, expected in [
        (2, (1, 256, 384), 6),
        (4, (1, 256, 384), 8),
        (2, (1, 64, 96), 2),
        (2, (1, 8, 8), 1),
    ]:
        assert len(block._parts(shape, threads)) == expected


def test_shapes_that_are_mostly_edges_are_not_coded_this_way(networks) -> None:
    for sound in ((1, 1024, 1024, 3), (1, 1, 400_000, 1), (5000, 12, 12, 1), (1, 2896, 2896, 4), (60_000, 28, 28, 1)):
        assert suits(sound)
    for shape in ((1, 1, 1 << 21, 1), (1, 1 << 21, 1, 1), (1 << 18, 9, 1, 1)):
        assert not suits(shape)
        with pytest.raises(ValueError, match="too many edges"):
            block.decode(networks, b"\0\0\0\1", shape, 8)


def test_sizes_halve_down_to_a_small_grid() -> None:
    assert sizes(17, 3) == [(5, 1), (9, 2), (17, 3)]
    assert sizes(8, 8) == [(8, 8)]


def test_payload_lengths_agree_with_the_rate_that_training_minimizes(trained, networks) -> None:
    samples = smooth((1, 64, 64, 3), 8, 1.5)
    payload = block.encode(networks, samples, 8)
    planes = colour.forward(list(np.moveaxis(samples.astype(np.int32), 3, 0)), colour.Transform(payload[0]))
    with torch.no_grad():
        bits = rate_bits(trained, torch.from_numpy(np.stack(planes, 1).astype(np.float32))).sum()
    coarse_bits = 64 * (8 + 9 + 9)
    assert 8 * len(payload) == pytest.approx(
        float(bits) + coarse_bits, rel=0.02
    )  # training ignores the range of samples


def test_training_reaches_every_parameter(trained) -> None:
    planes = torch.from_numpy(smooth((1, 32, 32, 3), 8, 2).astype(np.float32)).permute(0, 3, 1, 2)
    rate_bits(trained, planes).sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in trained.parameters())


@pytest.mark.parametrize("seed", range(30))
def test_damage_raises_a_line_or_gives_samples(networks, wild, seed) -> None:
    rng = np.random.default_rng(seed)
    shape, bits = (1, 24, 20, 3), (8, 16)[seed % 2]
    used = wild if seed % 3 == 0 else networks
    payload = bytearray(block.encode(used, smooth(shape, bits, 2), bits))
    for place in rng.integers(0, len(payload), 3):
        payload[place] = rng.integers(256)
    damaged = bytes(payload[: rng.integers(len(payload) + 1)] if seed % 5 == 0 else payload)
    found = outcome(used, damaged, shape, bits)
    assert (isinstance(found, str) and "\n" not in found) or int(found.max()) < 1 << bits


def outcome(networks: Networks, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> np.ndarray | str:
    """Return the samples of a payload, or the problem with it."""
    try:
        return block.decode(networks, payload, shape, bits)
    except ValueError as error:
        return str(error)


def test_a_transform_needs_three_planes(networks) -> None:
    with pytest.raises(ValueError, match="a colour transform, but 2 planes"):
        block.decode(networks, b"\x01abc", (1, 2, 2, 2), 8)


@pytest.mark.parametrize("transform", colour.Transform)
def test_colour_transforms_are_reversible_and_bounded(transform) -> None:
    rng = np.random.default_rng(0)
    planes = [np.concatenate([[0, 255, 0, 255], rng.integers(0, 256, 5000)]).astype(np.int32) for _ in range(3)]
    for plane in planes[1:]:
        rng.shuffle(plane)
    coded = colour.forward(planes, transform)
    for plane, (low, high) in zip(coded, colour.limits(3, 8, transform), strict=True):
        assert low <= plane.min()
        assert plane.max() <= high
    for plane, restored in zip(planes, colour.inverse(coded, transform), strict=True):
        np.testing.assert_array_equal(plane, restored)


def test_tables_are_what_the_formula_says() -> None:
    frequencies = density.tables().frequencies
    # The least scale puts all chances on the mean, and a uniform table on 2^k symbols.
    assert frequencies[0, 127] > 0.999 * 2**24
    assert (frequencies[density.UNIFORM_FIRST + 3, 127:135] > 0.12 * 2**24).all()
    # A checksum: another machine must compute the very same numbers.
    assert int((frequencies.astype(np.uint64) * np.arange(1, 257, dtype=np.uint64)).sum() % 2**32) == 1379393508


@pytest.mark.slow
def test_ten_million_symbols_come_back(wild) -> None:
    """Noise whose scale changes from place to place reaches tables of all scales, shapes and fractions."""
    rng = np.random.default_rng(0)
    shape = (1, 1300, 1300, 3)
    for bits in (8, 16):
        scale = np.exp(rng.uniform(-3, bits * 0.7, (1, 65, 65, 1))).repeat(20, 1).repeat(20, 2)
        samples = np.clip((1 << bits - 1) + rng.normal(0, 1, shape) * scale, 0, (1 << bits) - 1)
        assert_exact(wild, np.rint(samples).astype(np.uint16), bits)


def test_a_wrong_model_file_is_refused(trained) -> None:
    tensors = model_tensors(trained)
    missing = {name: value for name, value in tensors.items() if name != "stages.0.inner.bias"}
    for config, present, problem in [
        ({"width": 3}, tensors, "not part of this architecture"),
        ({}, missing, "is missing"),
        ({}, tensors | {"more": np.zeros(1, np.int16)}, "not part of this architecture"),
    ]:
        with pytest.raises(ValueError, match=problem):
            LosslessCodec.from_file(ModelFile("lossless", config, "model", {}, "", tensors=present))
    assert isinstance(Networks(ExactConv2d).of(7, 1), torch.nn.Module)
