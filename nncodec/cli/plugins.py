"""`nncodec plugins`: lists the plugins, and why one failed; resolves all that they refer to."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial

import click

from nncodec._support.text import describe
from nncodec.cli.options import json_option
from nncodec.cli.text import complain, show_traceback, table
from nncodec.plugin import discovery, registry
from nncodec.plugin.catalog import Catalog, PluginInfo
from nncodec.plugin.codec import EngineDecoder
from nncodec.plugin.hooks import ArchitectureSpec
from nncodec.training.recipe import find_recipe
from nncodec.training.settings import settings_of


@click.command("plugins", short_help="List the plugins, and why one failed.")
@click.option(
    "--check", is_flag=True, help="Import every architecture and recipe, open every model; status 1 if one fails."
)
@json_option
def plugins_command(check: bool, as_json: bool) -> None:
    """List the plugins, what each provides, and why one failed."""
    installed = registry.catalog()
    faults = dict(_faults(installed)) if check else {}
    if as_json:
        click.echo(json.dumps([_entry(plugin, faults if check else None) for plugin in installed.plugins], indent=2))
    else:
        _show(installed)
    for what, fault in faults.items():
        complain(f"does not load: {fault}", what)
    if faults or (check and installed.failures):
        sys.exit(1)


def _entry(plugin: PluginInfo, faults: dict[str, str] | None) -> dict[str, object]:
    """Return a plugin for other programs; with `faults`, if it was checked, those of what it provides."""
    if faults is None:
        return dataclasses.asdict(plugin)
    own = {f"{kind} {name}" for kind in ("architecture", "recipe", "decoder") for name in plugin.architectures}
    own |= {f"model {name}" for name in plugin.models}
    return {**dataclasses.asdict(plugin), "faults": {what: faults[what] for what in sorted(own & faults.keys())}}


def _faults(installed: Catalog) -> Iterator[tuple[str, str]]:
    """Resolve every reference and open every model; yield what does not load, and why."""
    for what, load in _loads(installed):
        try:
            load()
        except (Exception, SystemExit) as error:  # third-party code: anything can happen
            show_traceback()
            yield what, describe(error)


def _loads(installed: Catalog) -> Iterator[tuple[str, Callable[[], object]]]:
    for name, spec in sorted(installed.architectures.items()):
        yield f"architecture {name}", partial(registry.resolve, spec, spec.reference, registry.BASES[spec.kind])
        if spec.training:
            yield f"recipe {name}", partial(_resolve_recipe, name)
        if spec.decoder:
            yield f"decoder {name}", partial(_resolve_decoder, spec)
    for name, model_info in sorted(installed.models.items()):
        yield f"model {name}", partial(registry.open_any, model_info)


def _resolve_decoder(spec: ArchitectureSpec) -> None:
    registry.resolve(spec, spec.decoder, EngineDecoder)  # type: ignore[type-abstract]


def _resolve_recipe(architecture: str) -> None:
    settings_of(find_recipe(architecture))


def _show(installed: Catalog) -> None:
    rows = [
        [p.name, p.status, p.distribution, _architectures(p) or "-", ", ".join(p.models) or "-"]
        for p in installed.plugins
    ]
    if rows:
        click.echo(table(["PLUGIN", "STATUS", "DISTRIBUTION", "ARCHITECTURES", "MODELS"], rows))
    else:
        complain("no plugins are installed; reinstall nncodec-image")
    for failure in installed.failures:
        complain(failure)
    if any(p.status == "disabled" for p in installed.plugins):
        complain(f"{discovery.DISABLED_VARIABLE} disables plugins")
    for name in sorted(discovery.disabled_plugins() - {p.name for p in installed.plugins}):
        complain(f"{discovery.DISABLED_VARIABLE} names {name}, but there is no such plugin")


def _architectures(plugin: PluginInfo) -> str:
    pairs = zip(plugin.architectures, plugin.kinds, strict=True)
    return ", ".join(f"{name} ({kind})" for name, kind in pairs)
