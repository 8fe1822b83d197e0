"""What hyperprior models are trained and refined for: a mix of errors, each at its exchange rate into bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from trainings import ASTRONAUT, MIXED, make_recipe

from nncodec.nn.tensors import to_tensor
from nncodec.training.losses import edge_aware_error, multiscale_similarity, ssimulacra2_distance
from nncodec_hyperprior.codec import network_config
from nncodec_hyperprior.config import NetworkConfig, model_config
from nncodec_hyperprior.objective import LOOKS, Distortion
from nncodec_hyperprior.starting import fresh_network
from nncodec_hyperprior.training import HyperpriorTask

ORIGINAL = to_tensor(np.ascontiguousarray(ASTRONAUT[None, 40:136, 180:276]))
NOISY = (ORIGINAL + 0.05 * torch.randn(ORIGINAL.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


def value(loss: str, weight: float) -> float:
    return Distortion(loss)(NOISY, ORIGINAL, torch.tensor([weight])).item()


def test_squared_error_alone_counts_lambda_times_the_squared_levels() -> None:
    squared_levels = ((NOISY - ORIGINAL) * 255).square().mean().item()
    assert value("mse", 0.02) == pytest.approx(0.02 * squared_levels, rel=1e-5)


def test_a_mix_is_the_weighted_sum_of_its_parts() -> None:
    parts = [value(name, 0.02) for name in ("mse", "ssimulacra2", "ms-ssim")]
    assert value(LOOKS, 0.02) == pytest.approx(0.48 * parts[0] + 0.21 * parts[1] + 0.31 * parts[2], rel=1e-5)


@pytest.mark.parametrize(("quality", "share"), [(0, 1), (25, 1), (47.5, 0.5), (70, 0.03), (100, 0.03)])
def test_the_edges_of_blocks_count_at_low_qualities(quality: float, share: float) -> None:
    weight = 0.0005 * 1600 ** (quality / 100)
    expected = weight * 255**2 * edge_aware_error(NOISY, ORIGINAL, share).item()
    assert value("mse-edges", weight) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("quality", "point", "whole"), [(0, 0.0016, 1.7), (50, 0.0339, 79.0), (100, 0.433, 1150.0)])
def test_exchange_rates_are_those_measured_at_each_quality(quality: int, point: float, whole: float) -> None:
    weight = 0.0005 * 1600 ** (quality / 100)
    assert value("ssimulacra2", weight) == pytest.approx(point * ssimulacra2_distance(NOISY, ORIGINAL).item(), rel=1e-3)
    dissimilarity = 1 - multiscale_similarity(NOISY, ORIGINAL).item()
    assert value("ms-ssim", weight) == pytest.approx(whole * dissimilarity, rel=1e-3)


def test_exchange_rates_grow_with_lambda_and_stop_at_the_ends() -> None:
    rates = [value("ssimulacra2", weight) for weight in (1e-5, 5e-4, 1e-3, 0.01, 0.1, 0.8, 5.0)]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(rates[1])
    assert rates[-1] == pytest.approx(rates[-2])


def test_a_grey_original_counts_as_three_equal_planes() -> None:
    grey = ORIGINAL.mean(1, keepdim=True)
    distortion, weight = Distortion(LOOKS), torch.tensor([0.02])
    assert torch.allclose(distortion(NOISY, grey, weight), distortion(NOISY, grey.repeat(1, 3, 1, 1), weight))


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        ("bce", "names bce; this architecture has mse, mse-edges, ssimulacra2, ms-ssim"),
        ("0.5*mse", r"add up to 0\.5"),
        ("", "cannot"),
    ],
)
def test_another_loss_is_refused_in_one_line(loss: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        make_recipe("hyperprior", MIXED, loss=loss)
    assert "\n" not in str(caught.value)


def test_the_model_file_says_what_the_model_was_trained_for() -> None:
    looks = replace(NetworkConfig(), loss=LOOKS)
    assert model_config(looks)["objective"] == LOOKS
    assert network_config(model_config(looks)) == looks
    # The first models were trained for squared error and do not say so: their digests must not change.
    assert "objective" not in model_config(NetworkConfig())
    assert network_config(model_config(NetworkConfig())).loss == "mse"


@pytest.mark.parametrize("objective", [7, "x" * 201, ["mse"], "0.5*mse", "bce"])
def test_a_config_with_another_objective_is_refused(objective: object) -> None:
    with pytest.raises(ValueError, match=r"objective|add up|names bce"):
        network_config(model_config(NetworkConfig()) | {"objective": objective})


def test_a_training_takes_the_loss_of_its_settings_whatever_its_base_was_trained_for() -> None:
    task = make_recipe("hyperprior", MIXED, latent_channels=16, hidden=16, width=16, loss="mse").task()
    assert isinstance(task, HyperpriorTask)
    assert task.network.config.loss == "mse"
    small = make_recipe("hyperprior", MIXED, latent_channels=16, hidden=16, width=16).task()
    assert isinstance(small, HyperpriorTask)
    assert small.network.config.loss == LOOKS


def test_crops_below_the_window_of_a_measure_are_refused() -> None:
    network = fresh_network(replace(NetworkConfig(), loss=LOOKS))
    with pytest.raises(ValueError, match=r"crops of 10 x 32 pixels are too small .* --loss mse"):
        HyperpriorTask(network).require_size(32, 10)
    HyperpriorTask(network).require_size(11, 11)


def test_hard_graphics_do_not_outweigh_photographs() -> None:
    """A loss of 1,000 has no more pull than one of 16: its gradient is bounded."""
    network = fresh_network(replace(NetworkConfig(), loss="mse"))
    task = HyperpriorTask(network)
    checkers = np.indices((64, 64)).sum(0)[None, :, :, None] % 2 * 255
    hard = to_tensor(np.repeat(checkers, 3, 3).astype(np.uint8))
    loss, figures = task.loss(hard, 0.0, torch.Generator().manual_seed(1))
    assert figures["rd"] > 16
    assert loss.item() == pytest.approx(4.0, rel=1e-3)
