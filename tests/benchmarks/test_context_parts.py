"""Hiding parts of the contexts of the photo model."""

from __future__ import annotations

import pytest
import torch
from tiny_hyperprior import tiny_network

from benchmarks.context_parts import VARIANTS, Limited, limit, rates, train


def _decided(
    context: Limited, features: torch.Tensor, earlier: torch.Tensor, known: list[torch.Tensor]
) -> torch.Tensor:
    """Return means and scales of the phase that follows the known ones."""
    start = context.start(torch.cat([features, earlier], 1))[:, :, ::2, ::2]
    return torch.cat(context(start, known), 1)


@pytest.mark.parametrize("name", VARIANTS)
@torch.no_grad()
def test_context_networks_see_what_the_variant_leaves_them(name: str) -> None:
    prior = tiny_network(4.0).prior
    limit(prior, *VARIANTS[name])
    context = prior.contexts[1]
    assert isinstance(context, Limited)
    torch.manual_seed(0)
    features, earlier = (torch.randint(-64, 64, (1, size, 4, 4)).float() for size in (8, 4))
    known = [torch.randint(-64, 64, (1, 8, 2, 2)).float() for _ in range(3)]
    own = _decided(context, features, earlier, known)
    sees_groups = not torch.equal(own, _decided(context, features, -earlier, known))
    assert sees_groups == (name != "no earlier groups")
    seen = []
    for phase in range(3):
        other = [values if number != phase else -values for number, values in enumerate(known)]
        seen.append(not torch.equal(own, _decided(context, features, earlier, other)))
    assert seen == {"two phases instead of four": [True, True, False], "no phases": [False] * 3}.get(name, [True] * 3)


def test_training_without_a_part_changes_the_prior_alone_and_lowers_its_rate() -> None:
    network = tiny_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(1)
    latents = torch.randn(8, 12, 16, 16).half()
    rate = rates(network, latents)
    assert train(network, latents, seconds=1.0) > 2
    assert sum(rates(network, latents).values()) < sum(rate.values())
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("prior.") for name in changed)
