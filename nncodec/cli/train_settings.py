"""The settings of an architecture as options of `nncodec train`, and how the arguments determine the architecture."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, read_model
from nncodec.training.recipe import find_recipe, trainable_architectures
from nncodec.training.settings import Text, settings_of

ARGUMENTS = f"{__name__}.arguments"
"""Key in a context's `meta` of the command's arguments, for the command that resumes a run."""

_ARCHITECTURE = f"{__name__}.architecture"
_SETTINGS = f"{__name__}.settings"
_PREFIX = "setting_"  # of the parameters that are settings of the architecture


class SettingOption(click.Option):
    """A setting of an architecture as an option."""


class SettingsCommand(click.Command):
    """A command that has the settings of an architecture as options, and lists the architectures in its help.

    Every setting of the architecture named in the arguments is also an option. Finding a recipe imports torch, so that
    happens only if an option is not among the command's own, or if the user asks for help.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        if not ctx.resilient_parsing:
            ctx.meta[_SETTINGS] = self._settings_options(ctx, args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *ctx.meta.get(_SETTINGS, ())]

    def _settings_options(self, ctx: click.Context, args: list[str]) -> list[SettingOption]:
        parser = self.make_parser(ctx)
        parser.ignore_unknown_options = True
        try:
            known, _, _ = parser.parse_args(list(args))
        except click.UsageError:  # the real parsing will raise and report it
            return []
        what = known.get("what")
        rest = list(what) if isinstance(what, tuple) else []  # without arguments, click gives a marker object
        unknown = [argument for argument in rest if argument.startswith("-")]
        helping = self.get_help_option(ctx)
        if not unknown and not (helping and helping.name and known.get(helping.name)):
            return []
        architecture = next((argument for argument in rest if argument in registry.catalog().architectures), None)
        if architecture is None and isinstance(known.get("base"), str):
            base = read_base(known["base"])
            architecture = base.architecture if base else None
        if architecture is None:
            if rest and not rest[0].startswith("-"):
                raise click.UsageError(no_architecture(rest[0]), ctx)
            return []
        taken = {name for param in super().get_params(ctx) for name in param.opts}
        ctx.meta[_ARCHITECTURE] = architecture
        return [option for option in _setting_options(architecture) if not taken.intersection(option.opts)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        settings: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                (settings if isinstance(param, SettingOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        if settings:
            with formatter.section(f"Settings of {ctx.meta[_ARCHITECTURE]}"):
                formatter.write_dl(settings)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        names = ", ".join(trainable_architectures()) or "none, see 'nncodec plugins'"
        formatter.write_text(f"Architectures that can be trained here: {names}.")


def _setting_options(architecture: str) -> list[SettingOption]:
    return [
        SettingOption(
            [f"--{setting.name.replace('_', '-')}", f"{_PREFIX}{setting.name}"],
            metavar="true|false" if setting.kind is bool else "TEXT" if setting.kind is str else "N",
            help=setting.help + ("" if setting.default in (None, "") else f"  [default: {shown(setting.default)}]"),
        )
        for setting in settings_of(find_recipe(architecture)).values()
    ]


def setting_values(options: Mapping[str, Any]) -> dict[str, Text]:
    """Return the architecture's settings among a command's parameters, by name."""
    return {
        name.removeprefix(_PREFIX): Text(value)
        for name, value in options.items()
        if name.startswith(_PREFIX) and value is not None
    }


def no_architecture(name: str) -> str:
    """Return the message for an unknown architecture, with suggestions."""
    names = trainable_architectures()
    if Path(name).exists():
        example = "hyperprior" if "hyperprior" in names else next(iter(names), "ARCHITECTURE")
        return (
            f"add an architecture before {name}, such as 'nncodec train {example} {name}', or continue a model with "
            f"--from photo; these can be trained: {', '.join(names) or 'none'}"
        )
    close = [candidate for candidate in names if candidate.startswith(name)] or difflib.get_close_matches(name, names)
    if len(close) == 1:
        return f"there is no architecture {name!r}; did you mean {close[0]!r}?"
    if close:
        return f"there is no architecture {name!r}; did you mean one of {', '.join(close)}?"
    return f"there is no architecture {name!r}; these can be trained: {', '.join(names) or 'none'}"


def read_base(name: str | None) -> ModelFile | None:
    """Return the model to continue from: a file, or an installed model by name or alias."""
    if name is None:
        return None
    if name.endswith(".safetensors"):
        return read_model(Path(name))
    return read_model(registry.catalog().find(name).path)


def shown(value: object) -> str:
    """Return a setting's value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
