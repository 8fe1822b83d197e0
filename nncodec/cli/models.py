"""`nncodec models`: lists the installed models, adds and removes your own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nncodec.cli.options import json_option
from nncodec.cli.text import complain, table
from nncodec.plugin import registry
from nncodec.plugin.catalog import Catalog
from nncodec.plugin.model_file import LONG_ID_BYTES, ModelInfo

_YOURS = "yours"


@click.group("models", invoke_without_command=True)
@json_option
@click.pass_context
def models_command(ctx: click.Context, as_json: bool) -> None:
    """List the installed models; add and remove your own."""
    if ctx.invoked_subcommand is not None:
        return
    installed = registry.catalog()
    entries = [_entry(model_info, installed) for _, model_info in sorted(installed.models.items())]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    rows = [
        [e["name"], ", ".join(e["aliases"]), e["kind"], e["architecture"], e["id"], e["source"], _summary(e["card"])]
        for e in entries
    ]
    if rows:
        click.echo(table(["NAME", "ALIAS", "KIND", "ARCHITECTURE", "ID", "FROM", "ABOUT"], rows))
    else:
        complain("no models are installed; 'nncodec plugins' says why")
    for failure in installed.failures:
        complain(f"not available: {failure}")


@models_command.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add_command(file: Path) -> None:
    """Install a model file (.safetensors) as your own, to encode with it and to decode its pictures."""
    before = registry.catalog().models.values()
    model_info = registry.install_model(file)
    if any(model_info is known for known in before):  # not a copy of it that was damaged, and is replaced
        click.echo(f"{model_info.name} is already installed")
        return
    click.echo(f"added {model_info.name} ({model_info.digest[: 2 * LONG_ID_BYTES]})")
    if model_info.architecture not in registry.catalog().architectures:
        complain(
            f"no installed plugin provides its architecture {model_info.architecture!r}; install one to use it",
            model_info.name,
        )


@models_command.command("remove")
@click.argument("name")
def remove_command(name: str) -> None:
    """Remove one of your own models; pictures encoded with it can no longer be decoded here."""
    path = registry.remove_model(name)
    click.echo(f"removed {path}")


def _entry(model_info: ModelInfo, installed: Catalog) -> dict[str, Any]:
    plugin = next((p.name for p in installed.plugins if model_info.name in p.models), None)
    return {
        "name": model_info.name,
        "aliases": sorted(alias for alias, name in installed.aliases.items() if name == model_info.name),
        "kind": installed.kind_of(model_info),
        "architecture": model_info.architecture,
        "id": model_info.digest[: 2 * LONG_ID_BYTES],
        "digest": model_info.digest,
        "source": f"plugin {plugin}" if plugin else _YOURS,
        "path": str(model_info.path),
        "config": dict(model_info.config),
        "card": dict(model_info.card),
    }


def _summary(card: Mapping[str, Any]) -> str:
    entries = [card.get("summary"), card.get("licence")]
    return "; ".join(" ".join(entry.split()) for entry in entries if isinstance(entry, str) and entry)
