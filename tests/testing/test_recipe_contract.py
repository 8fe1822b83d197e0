"""The contract of recipes accepts a sound recipe, whose model passes the contract of codecs, and finds faults."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

from nncodec.plugin import discovery, registry
from nncodec.testing import RecipeContract
from nncodec.training import engine

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
_RECIPE_TESTS = [name for name in dir(RecipeContract) if name.startswith("test_")]
_CODEC_TESTS = [
    "test_traits_are_consistent",
    "test_contexts_fit_their_stages",
    "test_files_decode_to_what_synthesis_gives",
    "test_a_model_file_that_lacks_a_tensor_is_refused",
]


@pytest.fixture(scope="module")
def contract() -> Iterator[RecipeContract]:
    """Install the example that can be trained, and train it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "can_plot", lambda: False)
        patch.syspath_prepend(str(EXAMPLES))
        entry_point = importlib.metadata.EntryPoint("factorised", "factorised_plugin", discovery.ENTRY_POINT_GROUP)
        toys.install(patch, entry_point)
        trained = importlib.import_module("factorised_contract").TestTrained
        trained.setup_class()
        yield trained()
        trained.teardown_class()
    registry.refresh()


@pytest.mark.parametrize("test", _RECIPE_TESTS + _CODEC_TESTS)
def test_the_example_that_is_trained_passes(contract: RecipeContract, test: str) -> None:
    getattr(contract, test)()


def test_the_trained_model_is_better_than_what_it_began_with(contract: RecipeContract, tmp_path: Path) -> None:
    losses = []
    for steps in (1, 40):
        folder = tmp_path / str(steps)
        folder.mkdir()
        losses.append(contract._train(folder, "contract/trained-more", steps=steps).figures["loss"])
    assert losses[1] < 0.8 * losses[0]


def test_randomness_of_its_own_is_found(contract: RecipeContract, monkeypatch: pytest.MonkeyPatch) -> None:
    import factorised_recipe

    sound, own = factorised_recipe.FactorisedTask.loss, np.random.default_rng()

    def loss(self: Any, pixels: Any, progress: float, generator: Any) -> Any:
        total, figures = sound(self, pixels, progress, generator)
        return total * (0.5 + own.random()), figures

    monkeypatch.setattr(factorised_recipe.FactorisedTask, "loss", loss)
    with pytest.raises(AssertionError, match="ends with another model: all randomness must come from"):
        contract.test_a_run_that_is_stopped_and_resumed_ends_like_one_that_is_not()


def test_a_setting_without_help_is_found(contract: RecipeContract, monkeypatch: pytest.MonkeyPatch) -> None:
    import factorised_recipe

    settings = make_dataclass("Settings", [("weight", float, field(default=0.01))], frozen=True)
    monkeypatch.setattr(factorised_recipe.FactorisedRecipe, "settings", settings)
    with pytest.raises(AssertionError, match="'weight' has no help"):
        contract.test_every_setting_has_a_default_and_a_line_of_help()


def test_a_refusal_of_several_lines_is_found(contract: RecipeContract, monkeypatch: pytest.MonkeyPatch) -> None:
    import factorised_recipe

    def refuse(*_: object) -> None:
        raise ValueError("these pictures\nare too small")

    monkeypatch.setattr(factorised_recipe.FactorisedRecipe, "__init__", refuse)
    with pytest.raises(AssertionError, match="are refused in several lines"):
        contract.test_other_pictures_are_learned_or_refused_in_one_line()
