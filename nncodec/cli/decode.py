"""`nncodec decode`: .nnc files to pictures."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import nncodec
from nncodec._support.text import count_of
from nncodec.cli.files import STANDARD, Job, collect, plan
from nncodec.cli.options import (
    Manner,
    box_option,
    coding_options,
    enhancer_given,
    manner_options,
    strength_option,
)
from nncodec.cli.saving import ANIMATED, extension_of, format_of, save_frames
from nncodec.cli.work import JobResult, perform
from nncodec.coding.inspection import pillow_mode
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.errors import InvalidOption
from nncodec.format.container import Container
from nncodec.limits import Limits
from nncodec.picture.region import Box

SUFFIX = ".nnc"
_DEFAULT_FORMAT = "png"


@dataclass(frozen=True)
class DecodeSettings:
    """How every file of a run is decoded.

    Args:
        format: Pillow's name of the format to write.
        frame: the only one to decode, or None for all.
        box: what to decode of every frame, or None for all.
        enhancer, strength: see `nncodec.decode`.
    """

    format: str
    frame: int | None
    box: Box | None
    enhancer: str | None
    strength: float | None
    strip: bool
    max_pixels: int


def is_nnc(path: Path) -> bool:
    """Whether a file's name says that it is an .nnc file."""
    return path.suffix.lower() == SUFFIX


def decode_job(job: Job, settings: DecodeSettings) -> JobResult:
    """Decode one .nnc file."""
    limits = Limits(pixels=settings.max_pixels)
    with job.open() as stream:
        container = Container(stream, limits)
        stream.seek(0)
        count = container.header.frames
        chosen = range(count) if settings.frame is None else range(settings.frame, settings.frame + 1)
        if job.target is None and len(chosen) > 1 and settings.format not in ANIMATED:
            raise InvalidOption(option="-o", reason=f"the file holds {count} frames; choose one with --frame")
        frames = nncodec.decode_frames(
            stream,
            frames=chosen,
            box=settings.box,
            enhancer=settings.enhancer,
            strength=settings.strength,
            limits=limits,
        )
        parts, notes = save_frames(frames, chosen, settings.format, strip=settings.strip)
    size = sum(len(data) for _, data in parts)
    left, upper, right, lower = settings.box or (0, 0, *container.header.display_size)
    mode = pillow_mode(container)
    return JobResult(parts, notes, f"{right - left} x {lower - upper}, {mode}, {count_of(size, 'byte')}")


@click.command("decode", short_help="Decode .nnc files to pictures.")
@coding_options
@click.option("--format", "extension", metavar="EXT", help="Format to write.  [default: that of -o, else png]")
@box_option
@click.option(
    "--enhancer",
    metavar="NAME",
    callback=enhancer_given,
    help=f"Put the pictures through an enhancer; '{RECOMMENDED}' for the one each file recommends, if any.",
)
@strength_option
@manner_options
def decode_command(
    inputs: tuple[str, ...], output: str | None, recursive: bool, extension: str | None, **options: Any
) -> None:
    """Decode .nnc files to pictures: photo.nnc becomes photo.png beside it.

    Any format that Pillow writes will do; - is stdin. EXIF, ICC profile and XMP go into the picture where its format
    has a place for them. Several frames become name-0000.png and so on, or one file if it is GIF, TIFF, WebP or AVIF.
    """
    manner = Manner.taken_from(options)
    if options["strength"] is not None and options["enhancer"] is None:
        raise click.UsageError("--strength is that of an enhancer; give --enhancer, too")
    found = collect(inputs, recursive=recursive, wanted=is_nnc)
    extension = (extension or "").lower().removeprefix(".")
    jobs = plan(found, output, lambda name: _rename(name, extension or _DEFAULT_FORMAT))
    if not extension and output not in (None, STANDARD) and len(jobs) == 1 and jobs[0].target is not None:
        extension = extension_of(jobs[0].target)
    settings = DecodeSettings(format=format_of(extension or _DEFAULT_FORMAT), **options)
    perform(jobs, functools.partial(decode_job, settings=settings), manner)


def _rename(name: str, extension: str) -> str:
    return f"{Path(name).stem if is_nnc(Path(name)) else name}.{extension}"
