"""Settings: names, types and ranges from texts and TOML, and errors for wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nncodec.errors import PluginError
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe
from nncodec.training.settings import Text, combine, read_toml, settings_of


@dataclass(frozen=True)
class Own:
    layers: int = 3
    weight: float = 0.5
    loss: str = "mse"
    tied: bool = False


class OwnRecipe(Recipe):
    settings = Own
    run = RunOptions(epochs=7, batch_size=9)


def test_defaults_hold_and_later_sources_win() -> None:
    found = combine(OwnRecipe, {"layers": 4, "seed": 1}, {"layers": Text("5"), "weight": 2})
    assert found.model == Own(layers=5, weight=2.0)
    assert found.run == RunOptions(epochs=7, batch_size=9, seed=1)
    assert found.as_dict() | {"tied": False, "epochs": 7, "layers": 5} == found.as_dict()
    assert "minutes" not in found.as_dict()
    assert found.given == {"layers", "seed", "weight"}


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("true", "tied", True),
        ("off", "tied", False),
        ("1e-3", "weight", 0.001),
        ("x", "loss", "x"),
        ("2.5", "minutes", 2.5),
    ],
)
def test_texts_are_parsed_to_the_type_of_the_setting(text: str, key: str, value: object) -> None:
    found = combine(OwnRecipe, {key: Text(text)}).as_dict()[key]
    assert found == value
    assert type(found) is type(value)


def test_setting_one_length_overrides_the_others() -> None:
    run = combine(OwnRecipe, {"steps": 5}, {"minutes": 1}).run
    assert (run.epochs, run.steps, run.minutes) == (None, None, 1.0)
    assert run.length == "minutes"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"layer": 3}, r"no setting 'layer'; did you mean 'layers'\? there are layers, weight, loss, tied, epochs"),
        ({"layers": 2.5}, "layers is 2.5; give a whole number"),
        ({"layers": True}, "layers is True; give a whole number"),
        ({"layers": Text("many")}, "layers is 'many'; give a whole number"),
        ({"tied": Text("maybe")}, "tied is 'maybe'; give true or false"),
        ({"weight": "0.1"}, "weight is '0.1'; give a number"),
        ({"loss": 1}, "loss is 1; give a text"),
        ({"loss": {"a": 1}}, "give a text"),
        ({"epochs": 1, "steps": 1}, "not epochs and steps"),
        ({"epochs": 0}, "epochs is 0; give at least 1"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"seed": Text(str(1 << 63))}, "seed is 9223372036854775808; give at most 9223372036854775807"),
        ({"steps": 10**400}, "steps is 10{400}; give at most"),
        ({"minutes": 0.0}, "minutes is 0.0; give a number above 0"),
        ({"learning_rate": Text("nan")}, "learning_rate is nan"),
        ({"minutes": Text("inf")}, "minutes is inf"),
        ({"held_back": 1.0}, "held_back is 1.0"),
        ({"held_back": 0.0, "patience": 3}, "patience needs"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        combine(OwnRecipe, wrong)
    assert "\n" not in str(caught.value)


def test_a_recipe_may_replace_settings_by_others() -> None:
    class Thick(OwnRecipe):
        @classmethod
        def translated(cls, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"weight" if name == "layers" else name: float(value) for name, value in chosen.items()}

    found = combine(Thick, {"layers": Text("4")})
    assert found.model == Own(weight=4.0)
    assert found.given == {"weight"}


def test_a_recipe_without_a_length_asks_for_one() -> None:
    class Endless(OwnRecipe):
        run = RunOptions()

    with pytest.raises(ValueError, match="give one of epochs, steps, minutes"):
        combine(Endless)
    assert combine(Endless, {"steps": 1}).run.steps == 1


def test_a_setting_may_not_have_the_name_of_a_run_option() -> None:
    @dataclass(frozen=True)
    class Clash:
        crop: int = 3

    class Clashing(OwnRecipe):
        settings = Clash

    with pytest.raises(PluginError, match=r"failed: TypeError: the setting 'crop'"):
        settings_of(Clashing)


def test_every_option_of_a_run_has_a_line_of_help() -> None:
    assert all(
        setting.help and "\n" not in setting.help for setting in settings_of(OwnRecipe).values() if setting.of_run
    )


def test_toml_is_read_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('layers = 4\nloss = "bce"\n')
    assert combine(OwnRecipe, read_toml(path)).model == Own(layers=4, loss="bce")
    path.write_text("layers: 4")
    with pytest.raises(ValueError, match=r"mine\.toml is not TOML") as caught:
        read_toml(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is not TOML"):
        read_toml(path)
