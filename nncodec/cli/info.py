"""`nncodec info`: shows what .nnc files hold."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import click

import nncodec
from nncodec._support.text import count_of, describe, plain
from nncodec.cli.files import collect, sources
from nncodec.cli.options import input_options, json_option
from nncodec.cli.text import complain, show_traceback
from nncodec.coding.inspection import FileInfo
from nncodec.limits import Limits
from nncodec.picture.naming import is_nnc
from nncodec.picture.no_nnc import telling_what_else

HEADERS_ONLY = Limits(pixels=1 << 80)
"""Reading headers allocates no pixels, so any number may be declared."""


@click.command("info", short_help="Show what .nnc files hold.")
@input_options
@json_option
def info_command(inputs: tuple[str, ...], recursive: bool, as_json: bool) -> None:
    """Show what .nnc files hold, without decoding them; - is stdin."""
    entries: list[dict[str, Any]] = []
    failed = False
    for name, opener in sources(collect(inputs, recursive=recursive, wanted=is_nnc)):
        try:
            with opener() as stream, telling_what_else(stream):
                info = nncodec.inspect(stream, limits=HEADERS_ONLY)
        except OSError as error:
            failed = True
            show_traceback()
            complain(describe(error), name)
            entries.append({"file": name, "error": describe(error)})
            continue
        entries.append(
            {"file": name, **dataclasses.asdict(info), "lossless": info.lossless, "rate_bpp": round(rate_bpp(info), 4)}
        )
        if not as_json:
            click.echo("\n".join([plain(name), *_lines(info)]))
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    sys.exit(1 if failed else 0)


def rate_bpp(info: FileInfo) -> float:
    """Return the bits per pixel of the whole file, over all frames."""
    return 8 * info.file_bytes / (info.width * info.height * info.frames)


def _lines(info: FileInfo) -> list[str]:
    known = info.model or "not known here"
    coded = "latents" if info.max_error is None else "samples"
    shown = {
        "size": f"{info.width} x {info.height} pixels, {info.mode}",
        "stored": "" if info.coded_size == (info.width, info.height) else "reduced to {} x {}".format(*info.coded_size),
        "frames": str(info.frames),
        "model": f"{known}, id {info.model_id}, {'installed' if info.installed else 'not installed'}",
        "enhancer": _enhancer(info),
        "quality": _quality(info),
        "samples": f"{count_of(info.planes, 'plane')} of {count_of(info.bits, 'bit')}",
        "coder": info.coder,
        "blocks": "{} x {} x {} (frames, height, width)".format(*info.blocks) if max(info.blocks) > 1 else "",
        "bytes": f"{info.file_bytes:,}, of which {coded} {info.payload_bytes:,}",
        "rate": f"{rate_bpp(info):.3f} bits per pixel",
        "dpi": "" if info.dpi is None else " x ".join(f"{value:g}" for value in info.dpi),
        "shown": _timing(info),
        "chunks": ", ".join(f"{kind} {count_of(size, 'byte')}" for kind, size in info.chunks.items()) or "none",
        "settings": ", ".join(f"{key} {value}" for key, value in info.settings.items()),
    }
    return [f"  {key:<9}{plain(value)}" for key, value in shown.items() if value]


def _quality(info: FileInfo) -> str:
    if info.max_error is not None:
        return "lossless" if info.lossless else f"no sample differs by more than {info.max_error}"
    return "this model has none" if info.quality is None else str(info.quality)


def _timing(info: FileInfo) -> str:
    """Return how long the frames of an animation are shown, and how often."""
    if info.durations_ms is None:
        return ""
    times = {0: "for ever", None: "once"}.get(info.loop, f"loop count {info.loop}")
    shortest, longest = min(info.durations_ms), max(info.durations_ms)
    each = f"{longest} ms" if shortest == longest else f"{shortest} to {longest} ms"
    return f"each frame {each}, {sum(info.durations_ms):,} ms in all, {times}"


def _enhancer(info: FileInfo) -> str:
    if info.enhancer is None:
        return ""
    enhancer = info.enhancer
    known = "installed" if enhancer.installed else "not installed"
    return f"{enhancer.name or 'without a name'} recommended, strength {enhancer.strength:g}, id {enhancer.id}, {known}"
