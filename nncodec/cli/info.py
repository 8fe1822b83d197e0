"""`nncodec info`: what .nnc files say of themselves."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import click

import nncodec
from nncodec._support.text import count_of, describe, plain
from nncodec.cli.decode import is_nnc
from nncodec.cli.files import collect, sources
from nncodec.cli.options import input_options, json_option
from nncodec.cli.text import complain
from nncodec.coding.inspection import FileInfo
from nncodec.limits import Limits

HEADERS_ONLY = Limits(pixels=1 << 80)
"""Limits where no pixel is allocated, however many a file declares."""


@click.command("info", short_help="Say what is in .nnc files.")
@input_options
@json_option
def info_command(inputs: tuple[str, ...], recursive: bool, as_json: bool) -> None:
    """Say what is in .nnc files, without decoding them; - is stdin."""
    entries: list[dict[str, Any]] = []
    failed = False
    for name, opener in sources(collect(inputs, recursive=recursive, wanted=is_nnc)):
        try:
            with opener() as stream:
                facts = nncodec.inspect(stream, limits=HEADERS_ONLY)
        except OSError as error:
            failed = True
            complain(describe(error), name)
            entries.append({"file": name, "error": describe(error)})
            continue
        entries.append({"file": name, **dataclasses.asdict(facts), "rate_bpp": round(rate_bpp(facts), 4)})
        if not as_json:
            click.echo("\n".join([name, *_lines(facts)]))
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    sys.exit(1 if failed else 0)


def rate_bpp(facts: FileInfo) -> float:
    """Return the whole file's bits per pixel of all frames."""
    return 8 * facts.file_bytes / (facts.width * facts.height * facts.frames)


def _lines(facts: FileInfo) -> list[str]:
    known = facts.model or "not known here"
    shown = {
        "size": f"{facts.width} x {facts.height} pixels, {facts.mode}",
        "stored": ""
        if facts.coded_size == (facts.width, facts.height)
        else "reduced to {} x {}".format(*facts.coded_size),
        "frames": str(facts.frames),
        "model": f"{known}, id {facts.model_id}, {'installed' if facts.installed else 'not installed'}",
        "enhancer": _enhancer(facts),
        "quality": "this model has none" if facts.quality is None else str(facts.quality),
        "coder": facts.coder,
        "blocks": "{} x {} x {} (frames, height, width)".format(*facts.blocks) if max(facts.blocks) > 1 else "",
        "bytes": f"{facts.file_bytes:,}, of which latents {facts.payload_bytes:,}",
        "rate": f"{rate_bpp(facts):.3f} bits per pixel",
        "chunks": ", ".join(f"{kind} {count_of(size, 'byte')}" for kind, size in facts.chunks.items()) or "none",
        "settings": ", ".join(f"{key} {value}" for key, value in facts.settings.items()),
    }
    return [f"  {key:<9}{plain(value)}" for key, value in shown.items() if value]


def _enhancer(facts: FileInfo) -> str:
    if facts.enhancer is None:
        return ""
    one = facts.enhancer
    known = "installed" if one.installed else "not installed"
    return f"{one.name or 'without a name'} recommended, strength {one.strength:g}, id {one.id}, {known}"
