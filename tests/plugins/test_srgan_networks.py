"""Generator and discriminator: shapes, the start from interpolation, the halo, folding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor, nn

from nncodec.nn.tensors import to_pixels, to_tensor
from nncodec_srgan.cosines import _basis
from nncodec_srgan.discriminator import SMALLEST_EDGE, Discriminator
from nncodec_srgan.generator import Generator, GeneratorConfig, enlarged, folded, reduced

SMALL = GeneratorConfig(factor=4, width=4, blocks=2)
SHAPES = [
    SMALL,
    replace(SMALL, factor=2),
    replace(SMALL, factor=1, normalise=False),
    replace(SMALL, factor=1, unshuffle=4),
    replace(SMALL, factor=1, unshuffle=4, filters=3, normalise=False),
    replace(SMALL, factor=1, filters=3, normalise=False),
]


def trained(config: GeneratorConfig) -> Generator:
    """Return a generator with arbitrary parameters and statistics, as after training."""
    torch.manual_seed(0)
    generator = Generator(config)
    for name, value in generator.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape) * 0.2 + (1 if name.endswith("norm.weight") else 0))
    return generator.eval().requires_grad_(False)


def photograph(height: int, width: int) -> Tensor:
    """Return a piece of a photograph, (1, 3, H, W)."""
    return to_tensor(skimage.data.astronaut()[None, 30 : 30 + height, 180 : 180 + width])


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_results_are_so_many_times_larger(config: GeneratorConfig) -> None:
    made = trained(config)(photograph(16, 32))
    assert made.shape == (1, 3, 16 * config.factor, 32 * config.factor)
    assert made.isfinite().all()


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_a_generator_begins_as_pillows_interpolation(config: GeneratorConfig) -> None:
    pixels = photograph(32, 48)
    made = to_pixels(Generator(config).eval().requires_grad_(False)(pixels))[0].astype(int)
    size = 48 * config.factor, 32 * config.factor
    expected = np.asarray(Image.fromarray(to_pixels(pixels)[0]).resize(size, Image.Resampling.BICUBIC)).astype(int)
    apart = np.abs(made - expected)
    assert apart.max() <= 2  # Pillow rounds between its two passes
    assert (apart > 1).mean() < 1e-3


@pytest.mark.parametrize("factor", [2, 4])
def test_pictures_are_reduced_as_pillow_does_it_and_rounded(factor: int) -> None:
    pixels = photograph(32, 48)
    made = reduced(pixels, factor)
    image = Image.fromarray(to_pixels(pixels)[0]).resize((48 // factor, 32 // factor), Image.Resampling.BICUBIC)
    assert np.abs(to_pixels(made)[0].astype(int) - np.asarray(image)).max() <= 1
    assert torch.equal(made, to_tensor(to_pixels(made)))


def test_factor_1_neither_enlarges_nor_reduces() -> None:
    pixels = photograph(8, 8)
    assert reduced(pixels, 1) is pixels
    assert enlarged(pixels, 1) is pixels


@pytest.mark.parametrize("config", SHAPES, ids=str)
def test_what_lies_outside_the_halo_changes_nothing(config: GeneratorConfig) -> None:
    generator, edge = trained(config), config.multiple
    halo = config.halo
    assert halo % edge == 0
    whole = torch.rand(1, 3, 4 * halo, 4 * halo, generator=torch.Generator().manual_seed(1))
    place = slice(2 * halo - edge, 2 * halo)
    window = slice(place.start - halo, place.stop + halo)
    inside = slice(config.factor * halo, config.factor * (halo + edge))
    outer = slice(config.factor * place.start, config.factor * place.stop)
    expected = generator(whole)[:, :, outer, outer]
    assert torch.allclose(generator(whole[:, :, window, window])[:, :, inside, inside], expected, atol=1e-4)
    # Pixels half as far away do matter: the halo is not much too large.
    near = whole.clone()
    near[:, :, :, place.stop + halo // 2 : place.stop + halo] = 0
    assert (generator(near)[:, :, outer, outer] - expected).abs().max() > 1e-4


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, factor=1, unshuffle=2)], ids=str)
def test_folding_leaves_no_normalisation_and_the_same_pictures(config: GeneratorConfig) -> None:
    generator = trained(config)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    plain = folded(generator)
    assert not [module for module in plain.modules() if isinstance(module, nn.BatchNorm2d)]
    pixels = photograph(16, 24)
    made, expected = plain(pixels), generator(pixels)
    assert torch.allclose(made, expected, atol=1e-4)
    assert (expected - enlarged(pixels, config.factor)).abs().max() > 0.1  # there was something to fold
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


def test_what_is_not_normalised_is_folded_already() -> None:
    generator = trained(replace(SMALL, normalise=False))
    assert folded(generator) is generator


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"factor": 3}, "factor is 3; give one of 1, 2, 4"),
        ({"width": 6}, "multiple of 4"),
        ({"width": 260}, "width is 260; give 1 to 256"),
        ({"blocks": 0}, "blocks is 0"),
        ({"blocks": 2.0}, "whole numbers"),
        ({"factor": 4, "unshuffle": 2}, "unshuffle is for generators of factor 1"),
        ({"factor": 4, "filters": 2}, "filters is for generators of factor 1"),
        ({"factor": 1, "filters": 65}, "filters is 65; give 0 to 64"),
        ({"factor": 1, "filters": 2, "unshuffle": 3}, "with filters, give 1, 2, 4 or 8"),
        ({"normalise": 1}, "normalise is true or false"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GeneratorConfig(**wrong)
    with pytest.raises(ValueError, match=said):
        GeneratorConfig.of(GeneratorConfig().as_dict() | wrong)


def test_a_config_with_something_else_in_it_is_refused() -> None:
    assert GeneratorConfig.of(SMALL.as_dict()) == SMALL
    with pytest.raises(ValueError, match="'depth' is missing or unknown"):
        GeneratorConfig.of(SMALL.as_dict() | {"depth": 3})


@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_last_kernel_can_be_freed_of_what_alternates(bfloat16: bool) -> None:
    generator = trained(SMALL)
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):  # trainings may use autocast
        generator.remove_alternation()
    tail = generator.tail
    features = torch.rand(1, SMALL.width, 1, 1).expand(-1, -1, 32, 32)
    signs = 1.0 - 2.0 * (torch.arange(32) % 2)
    anything = torch.randn(32)
    ramp = torch.arange(32) / 8.0  # also removes patterns that vary over several pixels
    for alternating in (
        signs[:, None] * signs,
        signs[:, None] * anything,
        anything[:, None] * signs,
        anything[:, None] * signs * ramp,
        anything[:, None] * signs * ramp**2,
    ):
        made = (tail(features * alternating) - tail(torch.zeros_like(features)))[..., 8:-8, 8:-8]
        assert made.abs().max() < 1e-4
        before = trained(SMALL).tail
        assert (before(features * alternating) - before(torch.zeros_like(features))).abs().max() > 0.1
    kernel = tail.weight.clone()
    generator.remove_alternation()
    assert torch.allclose(tail.weight, kernel, atol=1e-6)


def test_a_generator_that_does_not_shuffle_pixels_keeps_its_kernel() -> None:
    generator = trained(replace(SMALL, factor=1))
    kernel = generator.tail.weight.clone()
    generator.remove_alternation()
    assert torch.equal(generator.tail.weight, kernel)


def test_the_discriminator_judges_pictures_of_any_size_one_by_one() -> None:
    torch.manual_seed(0)
    network = Discriminator(2)
    for height, width in ((SMALLEST_EDGE, SMALLEST_EDGE), (40, 57)):
        verdicts, features = network(torch.rand(3, 3, height, width), torch.rand(3, 3, height, width))
        assert verdicts.shape == (3,)
        assert verdicts.dtype == torch.float32
        assert [maps.shape[:2] for maps in features] == [(3, 2), (3, 4), (3, 8), (3, 16)]
    alone = torch.rand(1, 3, SMALLEST_EDGE, SMALLEST_EDGE)
    assert network(alone, alone).verdicts.shape == (1,)  # a batch of one, in training
    network.eval()
    pixels, plain = torch.rand(2, 2, 3, 48, 48)
    verdicts = network(pixels, plain).verdicts
    assert torch.allclose(verdicts[1:], network(pixels[1:], plain[1:]).verdicts, atol=1e-5)
    assert verdicts[0] != verdicts[1]
    assert not torch.equal(network(pixels, pixels).verdicts, verdicts)  # the plain picture matters


def test_every_pixel_lies_under_as_many_taps_of_the_discriminator() -> None:
    for module in Discriminator(2).modules():
        if isinstance(module, nn.Conv2d):
            taps = nn.functional.conv_transpose2d(
                torch.ones(1, 1, 16, 16), torch.ones(1, 1, *module.kernel_size), stride=module.stride
            )
            assert taps[..., 4:-4, 4:-4].unique().numel() == 1


def test_the_discriminator_learns_to_tell_noise_from_a_photograph() -> None:
    torch.manual_seed(0)
    network = Discriminator(4)
    real = torch.cat([photograph(64, 64).flip(3), photograph(64, 64)])
    made = (real + 0.2 * torch.randn(real.shape)).clamp(0, 1)
    plain = nn.functional.avg_pool2d(real, 5, stride=1, padding=2, count_include_pad=False)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss = (network(real, plain).verdicts - 1).square().mean() + network(made, plain).verdicts.square().mean()
        loss.backward()
        optimizer.step()
    assert network(real, plain).verdicts.min() > network(made, plain).verdicts.max() + 0.3


def test_a_restorer_can_be_trained_after_one_was_used() -> None:
    restorer = Generator(GeneratorConfig(factor=1, width=4, blocks=1, unshuffle=8, normalise=False))
    _basis.cache_clear()
    with torch.inference_mode():
        restorer(torch.rand(1, 3, 16, 16))
    torch.nn.init.normal_(restorer.tail.weight)
    restorer(torch.rand(1, 3, 16, 16)).sum().backward()
    gradient = restorer.head.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0
