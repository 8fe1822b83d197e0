"""`nncodec check`: verifies the checksums of .nnc files."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

import nncodec
from nncodec._support.text import describe, plain
from nncodec.cli.files import collect, sources
from nncodec.cli.info import HEADERS_ONLY
from nncodec.cli.options import input_options, json_option
from nncodec.cli.text import complain, show_traceback
from nncodec.picture.naming import is_nnc
from nncodec.picture.no_nnc import telling_what_else


@click.command("check", short_help="Verify the checksums of .nnc files.")
@input_options
@json_option
def check_command(inputs: tuple[str, ...], recursive: bool, as_json: bool) -> None:
    """Verify every checksum of .nnc files; this needs no models. - is stdin.

    Lists intact files on stdout and damaged ones on stderr; the exit status is 1 if a file is damaged.
    """
    entries: list[dict[str, Any]] = []
    for name, opener in sources(collect(inputs, recursive=recursive, wanted=is_nnc)):
        try:
            with opener() as stream, telling_what_else(stream):
                nncodec.check(stream, limits=HEADERS_ONLY)
        except OSError as error:
            show_traceback()
            complain(describe(error), name)
            entries.append({"file": name, "ok": False, "error": describe(error)})
            continue
        entries.append({"file": name, "ok": True})
        if not as_json:
            click.echo(plain(f"{name}: ok"))
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    sys.exit(0 if all(entry["ok"] for entry in entries) else 1)
