"""The local structure that restorers see, and the filters that they mix from it."""

from __future__ import annotations

import math

import pytest
import skimage.data
import torch
from torch import Tensor

from nncodec.nn.tensors import to_tensor
from nncodec_srgan.cosines import pixels_of, planes_of
from nncodec_srgan.filters import KERNEL, ChosenFilters
from nncodec_srgan.generator import Generator, GeneratorConfig
from nncodec_srgan.structure import CHANNELS, REACH, structure_of

EDGE = 4


def waves(angle: float, strength: float = 0.2, size: int = 96) -> Tensor:
    """Return a picture (1, 3, size, size) that changes in one direction, in degrees from the horizontal."""
    down, across = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    along = across * math.cos(math.radians(angle)) + down * math.sin(math.radians(angle))
    return (0.5 + strength * torch.sin(along / 3)).expand(1, 3, size, size)


def middle(maps: Tensor) -> Tensor:
    """Return the means of maps away from the borders, (CHANNELS,)."""
    return maps[0, :, 6:-6, 6:-6].mean(dim=(1, 2))


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 120])
def test_the_direction_of_change_is_seen(angle: float) -> None:
    seen = middle(structure_of(waves(angle), EDGE)).reshape(2, CHANNELS // 2)
    for most, least, clearness, *angles in seen.tolist():
        assert most > least + 0.5
        assert clearness > 0.8
        turns = [f(times * math.radians(angle)) for times in (2, 4) for f in (math.cos, math.sin)]
        assert angles == pytest.approx([clearness * turn for turn in turns], abs=0.1)


def test_strength_is_a_logarithm_and_changes_nothing_else() -> None:
    weak, strong = (middle(structure_of(waves(20, strength), EDGE)) for strength in (0.05, 0.2))
    assert (strong - weak)[0].item() == pytest.approx(0.3 * math.log(16), abs=0.02)
    assert torch.allclose(weak[2:7], strong[2:7], atol=0.05)


def test_nothing_happens_in_a_flat_picture_of_any_brightness() -> None:
    dark, bright = (structure_of(torch.full((1, 3, 32, 32), value), EDGE) for value in (0.0, 0.9))
    assert torch.allclose(dark, bright, atol=1e-3)
    assert dark[:, 2:7].abs().max() < 0.01


def test_structure_reaches_no_further_than_it_says() -> None:
    pixels = to_tensor(skimage.data.astronaut()[None, :128, 128:256])
    whole = structure_of(pixels, EDGE)
    changed = pixels.clone()
    changed[..., (16 + REACH) * EDGE :] = 0
    assert torch.allclose(structure_of(changed, EDGE)[..., :16], whole[..., :16], atol=1e-5)
    assert not torch.allclose(structure_of(changed, EDGE)[..., :18], whole[..., :18], atol=1e-3)
    window = structure_of(pixels[..., : (16 + REACH) * EDGE], EDGE)
    assert torch.allclose(window[..., :16], whole[..., :16], atol=1e-5)


def test_planes_are_a_rotation_of_colours() -> None:
    colours = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    planes = planes_of(colours)
    assert torch.allclose(pixels_of(planes), colours, atol=1e-6)
    assert planes.square().sum().item() == pytest.approx(colours.square().sum().item(), rel=1e-5)
    grey = planes_of(torch.full((1, 3, 2, 2), 0.5))
    assert torch.allclose(grey[:, 1:], torch.zeros(1, 2, 2, 2), atol=1e-6)


def test_filters_begin_without_a_say_and_are_mixed_by_the_structure() -> None:
    torch.manual_seed(0)
    filters, pixels = ChosenFilters(width=4, count=2), waves(0)[..., :64, :64] - 0.5
    features, structures = torch.zeros(1, 4, 16, 16), structure_of(pixels + 0.5, EDGE)
    assert filters(pixels, features, structures).abs().max() == 0
    # One filter that takes a pixel for what it is, used where the direction is clear.
    state = {name: torch.zeros_like(value) for name, value in filters.state_dict().items()}
    state["bank.weight"][0, 0, KERNEL // 2, KERNEL // 2] = 1
    state["mix.weight"][0, 0] = 1
    state["by_structure.0.weight"][0, 2] = 1
    state["by_structure.2.weight"][0, 0] = 1
    state["by_structure.4.weight"][0, 0] = 1
    filters.load_state_dict(state)
    clear = filters(pixels, features, structures)
    unclear = filters(pixels, features, torch.zeros_like(structures))
    assert clear[..., 20:40, 20:40].std() > 0.005
    assert unclear.abs().max() == 0
    mixed = clear[..., 20:40, 20:40].flatten()
    assert torch.corrcoef(torch.stack([mixed, pixels[..., 20:40, 20:40].flatten()]))[0, 1] > 0.99


def test_a_restorer_with_filters_knows_where_in_a_square_it_is() -> None:
    torch.manual_seed(0)
    restorer = Generator(GeneratorConfig(factor=1, width=4, blocks=1, unshuffle=4, normalise=False, filters=2))
    torch.nn.init.normal_(restorer.tail.weight)
    restorer.requires_grad_(False)
    flat = torch.full((1, 3, 192, 192), 0.5)
    made = (restorer(flat) - flat)[..., 64:128, 64:128]
    assert torch.allclose(made[..., :16, :16], made[..., 16:32, 32:48], atol=1e-5)  # the same in every square,
    assert made[..., :16, :16].std() > 1e-3  # and it varies within a square
