"""`nncodec decode`: decodes .nnc files to pictures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from nncodec.batch.coding import DecodeSettings, decode_file
from nncodec.cli.files import (
    DEFAULT_FORMAT,
    Job,
    collect,
    format_to_write,
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
    device_option,
    enhancer_given,
    manner_options,
    picture_quality_option,
    precision_option,
    strength_option,
)
from nncodec.cli.progress import progress
from nncodec.cli.work import JobResult, perform
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.picture.naming import is_nnc, picture_name


def decode_job(job: Job, settings: DecodeSettings, *, alone: bool) -> JobResult:
    """Decode one .nnc file; the terminal counts the blocks of one that is alone."""
    settings = replace(settings, in_one_file=job.takes_one_file)
    with job.open() as stream, progress("block", shown=alone) as (on_progress, _):
        coded = decode_file(stream, settings, on_progress)
    return JobResult(coded.parts, coded.notes, coded.report)


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
@device_option
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
    files = collect(inputs, recursive=recursive, wanted=is_nnc, listed=files_from, quiet=manner.quiet)
    # A .nnc file usually lies beside the picture that it was made from.
    rename = functools.partial(picture_name, extension=extension or DEFAULT_FORMAT, keep_extension=keep_extension)
    jobs = plan(files, output, rename, protects=True)
    kind = format_to_write(extension, output, jobs, options["quality"])
    settings = DecodeSettings(format=kind, **options)
    alone = len(jobs) == 1 and not manner.quiet
    perform(jobs, functools.partial(decode_job, settings=settings, alone=alone), manner)
