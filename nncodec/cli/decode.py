"""`nncodec decode`: decodes .nnc files to pictures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import nncodec
from nncodec.cli.files import (
    DEFAULT_FORMAT,
    Job,
    collect,
    format_to_write,
    is_nnc,
    names_a_picture,
    output_among,
    plan,
)
from nncodec.cli.options import (
    Manner,
    animate_option,
    box_option,
    coding_options,
    complete_enhancers,
    enhancer_given,
    manner_options,
    picture_quality_option,
    precision_option,
    strength_option,
)
from nncodec.cli.progress import progress
from nncodec.cli.work import JobResult, perform
from nncodec.coding.inspection import pillow_mode
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.errors import InvalidOption
from nncodec.format.container import Container
from nncodec.limits import Limits
from nncodec.picture.region import Box
from nncodec.picture.sizes import check_size
from nncodec.picture.writing import holds_all_frames, save_frames
from nncodec.plugin.precision import Precision


@dataclass(frozen=True)
class DecodeSettings:
    """How to decode every file of a run.

    Args:
        format: Pillow's name of the format to write.
        quality: of a lossy format; None for its default.
        animate: see `writing.holds_all_frames`.
        alone: whether there is a single file, so that the terminal counts its blocks.
        frame: number of the frame to decode; None decodes all.
        box: part of every frame to decode; None decodes all of it.
        enhancer, strength: see `nncodec.decode`.
    """

    format: str
    quality: int | None
    animate: bool
    alone: bool
    frame: int | None
    box: Box | None
    enhancer: str | None
    strength: float | None
    strip: bool
    max_pixels: int
    precision: Precision


def decode_job(job: Job, settings: DecodeSettings) -> JobResult:
    """Decode one .nnc file."""
    limits = Limits(pixels=settings.max_pixels)
    with job.open() as stream:
        container = Container(stream, limits)
        stream.seek(0)
        count = container.header.frames
        chosen = range(count) if settings.frame is None else range(settings.frame, settings.frame + 1)
        in_one_file = holds_all_frames(settings.format, animate=settings.animate)
        if job.target is None and len(chosen) > 1 and not in_one_file:
            raise InvalidOption(option="-o", reason=f"the file holds {count} frames; choose one with --frame")
        left, upper, right, lower = settings.box or (0, 0, *container.header.display_size)
        mode = pillow_mode(container)
        check_size(settings.format, right - left, lower - upper, mode)
        with progress("block", shown=settings.alone) as (on_progress, _):
            frames = nncodec.decode_frames(
                stream,
                frames=chosen,
                box=settings.box,
                enhancer=settings.enhancer,
                strength=settings.strength,
                limits=limits,
                precision=settings.precision,
                on_progress=on_progress,
            )
            parts, notes = save_frames(
                frames,
                chosen,
                settings.format,
                strip=settings.strip,
                quality=settings.quality,
                animate=settings.animate,
            )
    return JobResult(parts, notes, f"{right - left} x {lower - upper}, {mode}")


@click.command("decode", short_help="Decode .nnc files to pictures.")
@coding_options
@click.option("--format", "extension", metavar="EXT", help="Format to write.  [default: that of -o, else png]")
@picture_quality_option
@animate_option
@box_option
@click.option(
    "--enhancer",
    metavar="NAME",
    callback=enhancer_given,
    shell_complete=complete_enhancers,
    help=f"Enhance the pictures; '{RECOMMENDED}' uses the enhancer that each file recommends, if any.",
)
@strength_option
@precision_option
@manner_options
def decode_command(
    inputs: Sequence[str],
    output: str | None,
    recursive: bool,
    files_from: str | None,
    keep_extension: bool,
    extension: str | None,
    **options: Any,
) -> None:
    """Decode .nnc files to pictures: photo.nnc becomes photo.png beside it.

    Writes any format that Pillow writes; - is stdin. EXIF, ICC profile and XMP go into the picture if its format can
    hold them. Several frames become name-0000.png and so on, or a single GIF, TIFF, WebP or AVIF file.

    'decode photo.nnc other.jpg' names the output like -o.
    """
    manner = Manner.taken_from(options)
    if options["strength"] is not None and options["enhancer"] is None:
        raise click.UsageError("--strength needs --enhancer")
    extension = (extension or "").lower().removeprefix(".")
    if output is None and not recursive:
        inputs, output = output_among(inputs, names_a_picture, f"photo.{extension or DEFAULT_FORMAT}")
    files = collect(inputs, recursive=recursive, wanted=is_nnc, listed=files_from)
    # A .nnc file usually lies beside the picture that it was made from.
    jobs = plan(files, output, lambda name: _rename(name, extension or DEFAULT_FORMAT, keep_extension), protects=True)
    kind = format_to_write(extension, output, jobs, options["quality"])
    settings = DecodeSettings(format=kind, alone=len(jobs) == 1 and not manner.quiet, **options)
    perform(jobs, functools.partial(decode_job, settings=settings), manner)


def _rename(name: str, extension: str, keep_extension: bool) -> str:
    return f"{Path(name).stem if is_nnc(Path(name)) and not keep_extension else name}.{extension}"
