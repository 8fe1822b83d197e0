"""`nncodec plugins`: lists the plugins, and why one failed."""

from __future__ import annotations

import dataclasses
import json

import click

from nncodec.cli.options import json_option
from nncodec.cli.text import complain, table
from nncodec.plugin import discovery, registry
from nncodec.plugin.catalog import PluginInfo


@click.command("plugins", short_help="List the plugins, and why one failed.")
@json_option
def plugins_command(as_json: bool) -> None:
    """List the plugins, what each provides, and why one failed."""
    installed = registry.catalog()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(plugin) for plugin in installed.plugins], indent=2))
        return
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


def _architectures(plugin: PluginInfo) -> str:
    pairs = zip(plugin.architectures, plugin.kinds, strict=True)
    return ", ".join(f"{name} ({kind})" for name, kind in pairs)
