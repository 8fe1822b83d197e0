"""The factorised prior."""

from __future__ import annotations

import torch

from nncodec.nn.prior import LogisticMixturePrior


def test_the_intervals_of_a_channel_hold_all_probability() -> None:
    prior = LogisticMixturePrior(2)
    step = torch.tensor(0.25)
    symbols = torch.arange(-400, 401)[None, None, :, None].expand(1, 2, -1, 1) * step
    total = prior.likelihoods(symbols, step).sum(dim=2).squeeze()
    assert torch.allclose(total, torch.ones(2), atol=1e-4)


def test_halving_the_step_costs_one_bit_where_the_density_is_smooth() -> None:
    prior = LogisticMixturePrior(1, scale=10.0)
    latents = torch.zeros(1, 1, 1, 1)
    coarse, fine = (prior.rate_bits(latents, torch.tensor(step)).item() for step in (0.02, 0.01))
    assert abs(fine - coarse - 1) < 0.01


def test_far_outliers_have_a_finite_rate_and_gradient() -> None:
    prior = LogisticMixturePrior(1)
    latents = torch.full((1, 1, 1, 1), 1e6, requires_grad=True)
    rate = prior.rate_bits(latents, torch.tensor(1.0)).sum()
    rate.backward()
    assert 29 < rate.item() <= 30.1
    assert latents.grad is not None
    assert torch.isfinite(latents.grad).all()


def test_the_prior_learns_the_entropy_of_its_data() -> None:
    torch.manual_seed(0)
    prior = LogisticMixturePrior(1)
    optimizer = torch.optim.Adam(prior.parameters(), 0.05)
    sample = torch.distributions.Laplace(0.0, 2.0).sample((1, 1, 64, 64)).round()
    for _ in range(200):
        optimizer.zero_grad()
        rate = prior.rate_bits(sample, torch.tensor(1.0)).sum() / sample.numel()
        rate.backward()
        optimizer.step()
    counts = torch.unique(sample, return_counts=True)[1] / sample.numel()
    entropy = -(counts * counts.log2()).sum()
    assert entropy - 0.01 < rate < entropy + 0.1
