"""The hyperprior codec on a small network with random weights: exact contexts, rounding, refinement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from hyperprior_reference import ReferenceEntropy
from tiny_hyperprior import tiny_file, tiny_network

from nncodec.format.entropy import coder_by_id, decode_block, encode_block, ideal_bits
from nncodec.format.header import CoderId
from nncodec.nn.fixed_point import ExactConv2d, FixedPointConv2d, steps_of
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import registry
from nncodec.plugin.entropy import BlockContexts, QuantizedLatents, shapes_of
from nncodec.plugin.latents import Latents
from nncodec.plugin.model_file import read_model
from nncodec_hyperprior.block import TorchContexts
from nncodec_hyperprior.codec import HyperpriorCodec
from nncodec_hyperprior.coding import code_latents, hard_rounding
from nncodec_hyperprior.prior_network import join_phases, split_phases


@pytest.fixture(scope="module")
def codec() -> HyperpriorCodec:
    return HyperpriorCodec.from_file(tiny_file(tiny_network()))


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[None, 40:136, 180:308])


def _random_latents(seed: int, shape: tuple[int, int], spread: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    z = random.integers(-127, 128, (3, *shape), np.int64)
    y = random.integers(-spread, spread + 1, (12, 2 * shape[0], 2 * shape[1]), np.int64)
    return z, y


@pytest.mark.parametrize("gain", [1.0, 40.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_contexts_equal_those_of_plain_integer_arithmetic(gain: float, threads: int) -> None:
    model_file = tiny_file(tiny_network(gain))
    codec = HyperpriorCodec.from_file(model_file)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for quality, shape, spread in ((0, (1, 1), 3), (37, (3, 2), 700), (100, (5, 7), 1 << 19)):
            z, y = _random_latents(quality, shape, spread)
            known = {"z": z[None].astype(np.int32), "y": y[None].astype(np.int32)}
            entropy = codec.entropy(quality)
            reference = ReferenceEntropy(model_file.tensors, model_file.config, quality)
            for number, (tables, offsets) in enumerate(reference.contexts(z, y)):
                context = entropy.context(number, known)
                np.testing.assert_array_equal(np.broadcast_to(context.tables, (1, *tables.shape))[0], tables)
                np.testing.assert_array_equal(np.broadcast_to(context.offsets, (1, *tables.shape))[0], offsets)
            assert number == 8
    finally:
        torch.set_num_threads(before)


def test_autocast_around_does_not_change_contexts(codec: HyperpriorCodec) -> None:
    z, y = _random_latents(1, (4, 4), 200)
    known = {"z": z[None].astype(np.int32), "y": y[None].astype(np.int32)}
    plain = [codec.entropy(60).context(stage, known) for stage in range(9)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = [codec.entropy(60).context(stage, known) for stage in range(9)]
    for without, within in zip(plain, inside, strict=True):
        np.testing.assert_array_equal(without.tables, within.tables)
        np.testing.assert_array_equal(without.offsets, within.offsets)


def test_contexts_depend_on_what_is_coded_before_alone(codec: HyperpriorCodec) -> None:
    blocks = []
    for seed, shape in ((3, (4, 4)), (4, (4, 4)), (5, (2, 3))):
        z, y = _random_latents(seed, shape, 200)
        blocks.append({"z": z[None].astype(np.int32), "y": y[None].astype(np.int32)})
    # The first block with another second group, and the first as a decoder sees it before stage seven.
    blocks.append({**blocks[0], "y": blocks[0]["y"] + (np.arange(12) >= 4)[None, :, None, None] * np.int32(16)})
    entropy = codec.entropy(60)
    blocks.append({**blocks[0], "y": np.zeros_like(blocks[0]["y"])})
    for coded in entropy.stages(shapes_of(blocks[0]))[1:7]:
        blocks[-1]["y"][coded.where] = blocks[0]["y"][coded.where]
    asked = [(0, 1), (0, 7), (4, 7), (3, 7), (0, 7), (0, 2), (0, 8), (1, 5), (2, 8), (1, 8), (0, 3), (4, 6)]
    for block, stage in asked:
        context = entropy.context(stage, blocks[block])
        expected = codec.entropy(60).context(stage, blocks[block])
        np.testing.assert_array_equal(context.tables, expected.tables)
        np.testing.assert_array_equal(context.offsets, expected.offsets)
    before, after = (codec.entropy(60).context(7, blocks[block]) for block in (0, 3))
    assert not np.array_equal(before.offsets, after.offsets)


def test_training_sees_the_latents_that_the_codec_codes(picture: np.ndarray) -> None:
    network = tiny_network()
    codec = HyperpriorCodec.from_file(tiny_file(network, certain=0), bit_price=0.0)
    for quality in (0, 50, 100):
        arrays = codec.analysis(picture, quality, 0)
        latents = codec.quantize(arrays, picture, quality, 0)
        scaled, quality_tensor = torch.from_numpy(arrays["y"]), torch.tensor([float(quality)])
        with torch.no_grad():
            hyper = network.prior.hyper_analysis(scaled, network.prior.planes(quality_tensor))
            decoded, bits, hyper_bits = code_latents(network.prior, scaled, hyper, quality_tensor, hard_rounding)
        np.testing.assert_array_equal((decoded * 16).numpy(), latents["y"])
        assert bits.item() > 0
        assert hyper_bits.item() > 0


@pytest.mark.parametrize("coder", [CoderId.RANS, CoderId.ZSTD])
def test_latents_come_back_from_bytes(codec: HyperpriorCodec, picture: np.ndarray, coder: CoderId) -> None:
    for quality in (0, 60, 100):
        latents = codec.quantize(codec.analysis(picture, quality, 0), picture, quality, 0)
        specs, entropy = codec.traits.latents, codec.entropy(quality)
        payload = encode_block(coder_by_id(coder), latents, entropy, specs)
        shapes = {name: array.shape for name, array in latents.items()}
        decoded = decode_block(coder_by_id(coder), payload, codec.entropy(quality), specs, shapes)
        for name, array in latents.items():
            np.testing.assert_array_equal(decoded[name], array)
        if coder is CoderId.RANS:
            assert 8 * len(payload) < ideal_bits(latents, entropy, specs) * 1.01 + 256


def test_contexts_of_rounding_are_not_computed_again(
    codec: HyperpriorCodec, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, open_block = [], TorchContexts.open_block

    def counted(self: TorchContexts, *args: Any) -> BlockContexts:
        opened.append(args)
        return open_block(self, *args)

    monkeypatch.setattr(TorchContexts, "open_block", counted)
    pictures = np.concatenate([picture, picture[:, ::-1]])
    latents = codec.quantize(codec.analysis(pictures, 60, 0), pictures, 60, 0)
    assert len(opened) == 1
    entropy, specs, coder = codec.entropy(60), codec.traits.latents, coder_by_id(CoderId.RANS)
    assert isinstance(latents, QuantizedLatents)
    several = [latents, *(latents.of_frames(slice(n, n + 1), entropy) for n in range(2))]
    payloads = [encode_block(coder, some, entropy, specs) for some in several]
    assert len(opened) == 1
    assert payloads == [encode_block(coder, dict(some), entropy, specs) for some in several]
    assert len(opened) == 4


def test_latents_that_are_certain_are_zero_steps(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    latents = codec.quantize(codec.analysis(picture, 20, 0), picture, 20, 0)
    entropy = codec.entropy(20)
    skipped = 0
    for number, stage in enumerate(entropy.stages(shapes_of(latents))):
        context = entropy.context(number, latents)
        steps = latents[stage.latent][stage.where] - context.offsets
        assert not steps[np.broadcast_to(context.tables, steps.shape) < 0].any()
        skipped += int((context.tables < 0).sum())
    assert skipped > 0


def test_detail_channels_are_coded_from_their_quality_on(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    for quality, is_coded in ((29, False), (30, True)):
        latents = codec.quantize(codec.analysis(picture, quality, 0), picture, quality, 0)
        assert latents["y"][:, 4:].any() == is_coded
        tables = [np.asarray(codec.entropy(quality).context(stage, latents).tables) for stage in range(5, 9)]
        assert any((table >= 0).any() for table in tables) == is_coded


def test_detail_brings_quality(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    latents = codec.quantize(codec.analysis(picture, 100, 0), picture, 100, 0)
    flat = {**latents, "y": latents["y"] * (np.arange(12) < 4)[None, :, None, None]}
    errors = [np.square(codec.synthesis(part, 100).astype(float) - picture).mean() for part in (latents, flat)]
    assert errors[0] < 0.9 * errors[1]


def test_a_price_on_bits_saves_them(picture: np.ndarray) -> None:
    model_file = tiny_file(tiny_network(), certain=0)
    bits = []
    for price in (0.0, 0.1, 0.4):
        codec = HyperpriorCodec.from_file(model_file, bit_price=price)
        latents = codec.quantize(codec.analysis(picture, 80, 0), picture, 80, 0)
        bits.append(ideal_bits(latents, codec.entropy(80), codec.traits.latents))
    assert bits[0] > bits[1] > bits[2]


def test_effort_lowers_rate_plus_distortion(codec: HyperpriorCodec, picture: np.ndarray) -> None:
    costs = []
    for effort in (0, 9):
        latents = codec.quantize(codec.analysis(picture, 70, effort), picture, 70, effort)
        bits = ideal_bits(latents, codec.entropy(70), codec.traits.latents)
        error = np.square(codec.synthesis(latents, 70).astype(float) - picture).mean()
        weight = 0.001 * (0.2 / 0.001) ** 0.7
        costs.append(bits / picture[..., 0].size + weight * error)
    assert costs[1] < costs[0]


def test_refinement_of_tiles_leaves_no_gap(codec: HyperpriorCodec) -> None:
    wide = np.ascontiguousarray(skimage.data.coffee()[None, :64, :]).repeat(2, axis=2)[:, :, :1024]
    refined = codec.quantize(codec.analysis(wide, 50, 3), wide, 50, 3)
    plain = codec.quantize(codec.analysis(wide, 50, 0), wide, 50, 0)
    changed = (refined["y"] != plain["y"]).any(axis=(0, 1, 2))
    assert changed[:46].any()
    assert changed[50:].any()


def test_fitted_tables_take_fewer_bits_than_normal_ones(picture: np.ndarray) -> None:
    network = tiny_network()
    codec = HyperpriorCodec.from_file(tiny_file(network, certain=0))
    latents = {q: codec.quantize(codec.analysis(picture, q, 0), picture, q, 0) for q in (20, 80)}
    before = [ideal_bits(latents[q], codec.entropy(q), codec.traits.latents) for q in latents]
    tables = codec.fitted(lambda quality: [latents[quality]], tuple(latents), lambda _: None)
    fitted = HyperpriorCodec.from_file(tiny_file(network, **{**tables.__dict__, "certain": 0}))
    after = [ideal_bits(latents[q], fitted.entropy(q), codec.traits.latents) for q in latents]
    assert after[0] < before[0]
    assert after[1] < before[1]
    assert tables.certain >= 0


def test_phases_join_to_what_was_split() -> None:
    values = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    assert torch.equal(join_phases(split_phases(values)), values)
    assert torch.equal(split_phases(values)[2], values[:, :, 0::2, 1::2])


def test_weights_too_large_for_exact_sums_are_refused() -> None:
    layer = ExactConv2d(8, 2, 1)
    fits = np.full((2, 8, 1, 1), (1 << 24) // 511 // 8 - 1, np.int16)
    layer.set_steps(fits, np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="exact"):
        layer.set_steps(fits + 2, np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="exact"):
        layer.set_steps(fits * 0, np.full(2, 1 << 24, np.int32))
    with pytest.raises(ValueError, match="int16"):
        layer.set_steps(fits.astype(np.int32), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="shapes"):
        layer.set_steps(fits[:1], np.zeros(2, np.int32))


def test_trained_weights_always_fit(codec: HyperpriorCodec) -> None:
    layer = FixedPointConv2d(64, 3, 1, share=0.4)
    with torch.no_grad():
        layer.real("weight").normal_(0, 100)
        layer.real("bias").fill_(1e6)
    exact = ExactConv2d(64, 3, 1, share=0.4)
    exact.set_steps(*steps_of(layer))
    inputs = torch.randint(-511, 512, (1, 64, 2, 2)).float() / 16
    assert torch.equal(exact(inputs), layer(inputs))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tables.hyper_choice", np.full((21, 3), 200, np.uint8)),
        ("tables.hyper_choice", np.zeros((20, 3), np.uint8)),
        ("tables.hyper_offset", np.zeros((21, 4), np.int8)),
        ("tables.certain", np.array([64], np.int32)),
        ("tables.range", np.array([-127, 25], np.int32)),
        ("exact.prior.hyper_decoder.inner.weight", np.full((16, 6, 1, 1), 30000, np.int16)),
        ("network.transforms.deblocking.strength", np.zeros(2, np.float16)),
    ],
)
def test_tables_that_do_not_fit_are_refused(key: str, value: np.ndarray) -> None:
    model_file = tiny_file(tiny_network())
    with pytest.raises(ValueError, match=r"."):
        HyperpriorCodec.from_file(replace(model_file, tensors={**model_file.tensors, key: value}))


def test_a_config_says_whether_there_is_a_deblocking_filter() -> None:
    model_file = tiny_file(tiny_network())
    assert model_file.config["deblocking"] is True
    # The first models have none and do not say so.
    assert "deblocking" not in read_model(registry.catalog().find("photo-psnr").path).config
    with pytest.raises(ValueError, match="deblocking is 1, not true or false"):
        HyperpriorCodec.from_file(replace(model_file, config={**model_file.config, "deblocking": 1}))
    with pytest.raises(ValueError, match=r"deblocking"):  # the tensors are there all the same
        HyperpriorCodec.from_file(replace(model_file, config={**model_file.config, "deblocking": False}))


def test_a_single_latent_pair_goes_through(codec: HyperpriorCodec) -> None:
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    latents: Latents = codec.quantize(codec.analysis(pixels, 100, 0), pixels, 100, 0)
    assert latents["z"].shape == (1, 3, 1, 1)
    assert codec.synthesis(latents, 100).shape == pixels.shape
    assert to_tensor(pixels).shape == (1, 3, 32, 32)


def test_low_qualities_are_encoded_without_the_detail_that_they_do_not_use(
    codec: HyperpriorCodec, picture: np.ndarray
) -> None:
    with_detail = codec.unscaled(picture)
    assert with_detail[:, -8:].any()
    assert not codec.unscaled(picture, detail=False)[:, -8:].any()
    for quality, is_used in ((29, False), (30, True)):
        latents = codec.analysis(picture, quality, 0)["y"]
        np.testing.assert_array_equal(latents, codec.scaled(with_detail, quality)["y"])
        assert latents[:, -8:].any() == is_used
