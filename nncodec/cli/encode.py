"""`nncodec encode`: encodes pictures to .nnc files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import click

from nncodec._support.text import duration_of
from nncodec.batch.coding import KEEP, EncodeSettings, encode_file
from nncodec.cli.encoding import encode_settings, encoding_options
from nncodec.cli.files import Job, collect, is_output, output_among, plan
from nncodec.cli.options import Manner, coding_options, manner_options, storing_model_option
from nncodec.cli.progress import progress
from nncodec.cli.text import complain
from nncodec.cli.work import JobResult, perform
from nncodec.coding.exact_encoder import DEFAULT_LOSSLESS
from nncodec.coding.expected_time import expected_seconds
from nncodec.picture.naming import is_nnc, nnc_name
from nncodec.picture.openers import names_another_format
from nncodec.picture.reading import is_picture, megapixels_of

_LONG_S = 10
"""Encodings that take longer by estimate are announced."""


def encode_job(job: Job, settings: EncodeSettings, *, alone: bool) -> JobResult:
    """Encode one picture file; the terminal counts the blocks of one that is alone."""
    with job.open() as stream, progress("block", shown=alone) as (on_progress, _):
        coded = encode_file(stream, job.source_bytes, settings, on_progress)
    return JobResult(coded.parts, coded.notes, coded.report, run_notes=coded.run_notes)


@click.command("encode", short_help="Encode pictures to .nnc files.")
@coding_options
@storing_model_option
@encoding_options
@manner_options
@click.pass_context
def encode_command(
    context: click.Context,
    /,
    inputs: Sequence[str],
    output: str | None,
    recursive: bool,
    files_from: str | None,
    keep_extension: bool,
    **options: Any,
) -> None:
    """Encode pictures to .nnc files: photo.png becomes photo.nnc beside it.

    A picture is any file that Pillow reads; - is stdin. Modes other than L, LA, RGB and RGBA are converted, with a
    note, unless --lossless keeps them. A picture that takes fewer bytes without loss is stored so. All frames of GIF,
    APNG, WebP, AVIF and TIFF files are encoded. EXIF, ICC profile and XMP are kept.

    'encode photo.png small.nnc' names the output like -o.

    --target-size, --target-bpp and --target-psnr search the quality for each file, with up to seven trials.
    """
    manner = Manner.taken_from(options)
    settings = encode_settings(context, options)
    keeps = settings.quality == KEEP
    if output is None and not recursive:
        inputs, output = output_among(inputs, is_nnc, "photo.nnc")
    files = collect(
        inputs,
        recursive=recursive,
        wanted=is_nnc if keeps else is_picture,
        unwanted=is_output(output if keeps else None),
        listed=files_from,
        quiet=manner.quiet,
    )
    jobs = plan(files, output, functools.partial(nnc_name, keep_extension=keep_extension))
    for job in jobs:
        if job.target is not None and names_another_format(job.target):
            raise click.UsageError(f"{job.target} names another format, but encode writes .nnc files; use .nnc")
    if settings.options.get("effort") and not keeps and not manner.quiet:
        _announce_time([job for job in jobs if not job.problem], settings)
    alone = len(jobs) == 1 and not manner.quiet
    perform(jobs, functools.partial(encode_job, settings=settings, alone=alone), manner)


def _announce_time(jobs: Sequence[Job], settings: EncodeSettings) -> None:
    """Write how long encoding will take by estimate, if that is long."""
    megapixels, effort = sum(megapixels_of(job.open) for job in jobs), settings.options["effort"]
    seconds = expected_seconds(settings.model or DEFAULT_LOSSLESS, effort, megapixels)
    if seconds >= _LONG_S:
        complain(
            f"effort {effort} takes about {duration_of(seconds)} for {megapixels:.1f} megapixels, by estimate "
            "from one processor core; lower efforts are faster"
        )
