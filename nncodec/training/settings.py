"""Settings by name: from the command line and TOML files to a recipe's dataclass and `RunOptions`.

Both share one flat set of names, so a user need not know which belongs where.
"""

from __future__ import annotations

import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from nncodec.errors import NncError, first_line
from nncodec.training.options import LENGTHS, RunOptions
from nncodec.training.recipe import Recipe, guard_of

_KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Setting:
    """A setting that a user can choose.

    Args:
        name: its key.
        kind: int, float, str or bool.
        default: value if it is not set; may be None.
        help: one line.
        of_run: whether it belongs to `RunOptions` rather than to the architecture.
    """

    name: str
    kind: type
    default: Any
    help: str
    of_run: bool

    def checked(self, value: Any) -> Any:
        """Return a value converted to this setting's type; whole numbers serve as numbers.

        Raises:
            ValueError: it has another type.
        """
        if self.kind is float and type(value) is int:
            return float(value)
        if type(value) is not self.kind:
            raise ValueError(f"{self.name} is {value!r}; give {_KINDS[self.kind]}")
        return value

    def parsed(self, text: str) -> Any:
        """Return the value of a text from the command line; raises ValueError likewise."""
        try:
            return _BOOLEANS[text.lower()] if self.kind is bool else self.kind(text)
        except (ValueError, KeyError):
            raise ValueError(f"{self.name} is {text!r}; give {_KINDS[self.kind]}") from None


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run: options of the engine and settings of the architecture.

    Args:
        run, model: both, with defaults.
        given: names of the settings that are not left to their defaults.
    """

    run: RunOptions
    model: Any
    given: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return all values by name, without those that are None."""
        names = [(part, field.name) for part in (self.run, self.model) for field in fields(part)]
        return {name: getattr(part, name) for part, name in names if getattr(part, name) is not None}


def settings_of(recipe: type[Recipe]) -> dict[str, Setting]:
    """Return the settings of a recipe by name, the architecture's own first.

    Raises:
        PluginError: the recipe's settings are not as `Recipe` requires.
    """
    return guard_of(recipe).run(_declared, recipe)


def _declared(recipe: type[Recipe]) -> dict[str, Setting]:
    if not isinstance(recipe.run, RunOptions):
        raise TypeError(f"its recipe's run is {recipe.run!r:.80}, not RunOptions")
    if not is_dataclass(recipe.settings):
        raise TypeError(f"its recipe's settings are {recipe.settings!r:.80}, not a dataclass")
    settings: dict[str, Setting] = {}
    for cls, defaults, of_run in ((recipe.settings, recipe.settings(), False), (RunOptions, recipe.run, True)):
        kinds = typing.get_type_hints(cls)
        for field in fields(cls):
            kind = _kind_of(kinds[field.name])
            if kind is None or field.name in settings:
                raise TypeError(f"the setting {field.name!r} has a type or name that settings cannot have")
            help_text = str(field.metadata.get("help", ""))
            settings[field.name] = Setting(field.name, kind, getattr(defaults, field.name), help_text, of_run)
    return settings


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys of a TOML file of settings.

    Raises:
        OSError, ValueError: it cannot be read, or is not TOML; the message is one line.
    """
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from error


def combine(recipe: type[Recipe], *sources: Mapping[str, Any]) -> RunSettings:
    """Return a recipe's defaults with what each source sets; later sources win.

    Args:
        recipe: gives the defaults.
        sources: values by name. A `Text` is parsed, anything else must have the right type. Setting one length
            (epochs, steps or minutes) overrides the others.

    Raises:
        ValueError: an unknown name, a wrong type or a value out of range; one line that lists what is possible.
        PluginError: the recipe cannot take values that are as it declares them.
    """
    known = settings_of(recipe)
    chosen: dict[str, Any] = {}
    for source in sources:
        lengths = [name for name in LENGTHS if name in source]
        if len(lengths) > 1:
            raise ValueError(f"give one of {', '.join(LENGTHS)}, not {' and '.join(lengths)}")
        if lengths:
            chosen.update(dict.fromkeys(LENGTHS))
        for name, value in source.items():
            if name not in known:
                raise ValueError(_unknown(name, known))
            chosen[name] = known[name].parsed(value) if isinstance(value, Text) else known[name].checked(value)
    try:
        chosen = dict(recipe.translated(chosen))
        of_run = {name: value for name, value in chosen.items() if known[name].of_run}
        of_model = recipe.settings(**{name: value for name, value in chosen.items() if not known[name].of_run})
    except (NncError, ValueError):  # what the user can mend
        raise
    except (Exception, SystemExit) as error:  # third-party code: anything can happen
        raise guard_of(recipe).error(f"{type(error).__name__}: {first_line(error)}") from error
    run = replace(recipe.run, **of_run)
    run.length  # noqa: B018 - raises unless exactly one is set
    return RunSettings(run, of_model, frozenset(chosen))


class Text(str):
    """A value still to be parsed."""

    __slots__ = ()


def _kind_of(hint: Any) -> type | None:
    if isinstance(hint, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        hint = parts[0] if len(parts) == 1 else None
    return hint if hint in _KINDS else None


def _unknown(name: str, known: Mapping[str, Setting]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"there is no setting {name!r}; {hint}there are {', '.join(known)}"
