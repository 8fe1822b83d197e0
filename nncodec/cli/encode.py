"""`nncodec encode`: encodes pictures to .nnc files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click
from click.core import ParameterSource

import nncodec
from nncodec._support.notes import larger_than_input
from nncodec._support.text import duration_of
from nncodec.cli.files import Job, collect, is_nnc, names_a_picture, output_among, plan
from nncodec.cli.options import (
    KEEP,
    Manner,
    Rate,
    coding_options,
    exact_options,
    manner_options,
    precision_option,
    rate_options,
    recommending_options,
    storing_model_option,
)
from nncodec.cli.progress import progress
from nncodec.cli.text import complain
from nncodec.cli.work import JobResult, perform
from nncodec.coding.choice import exactness_of
from nncodec.coding.exact_encoder import DEFAULT_LOSSLESS
from nncodec.coding.expected_time import expected_seconds
from nncodec.errors import InvalidOption
from nncodec.format.container import Container
from nncodec.format.entropy import available_coders
from nncodec.format.header import MAGIC
from nncodec.limits import Limits
from nncodec.options import EncodeOptions
from nncodec.picture.reading import PictureFile, is_picture, megapixels_of, read_picture_file, stripped
from nncodec.plugin.precision import Precision

_LONG_S = 10
"""Encodings that take longer by estimate are announced."""


@dataclass(frozen=True)
class EncodeSettings:
    """How to encode every picture of a run.

    Args:
        alone: whether there is a single picture, so that the terminal counts its blocks.
    """

    model: str | None
    rate: Rate
    max_pixels: int
    precision: Precision
    verify: bool = False
    lossless: bool | None = None
    max_error: int | None = None
    effort: int = 0
    coder: str | None = None
    downscale: int = 1
    enhancer: str | None = None
    enhancer_strength: float | None = None
    preview: bool = False
    exact: bool = False
    strip: bool = False
    frame: int | None = None
    alone: bool = False

    @property
    def keeps_files(self) -> bool:
        """Whether .nnc files are to stay as they are."""
        unchanged = EncodeSettings(None, Rate(KEEP), self.max_pixels, self.precision, alone=self.alone)
        return self == unchanged


def encode_job(job: Job, settings: EncodeSettings) -> JobResult:
    """Encode one picture file."""
    choice = EncodeOptions(lossless="auto" if settings.lossless is None else settings.lossless)
    choice["max_error"] = settings.max_error
    with job.open() as stream:
        if settings.rate.quality == KEEP:
            _check_nnc(stream)
            if settings.keeps_files:
                data = Container(stream, Limits(pixels=settings.max_pixels)).copy()
                return JobResult((("", data),), report="the same file")
            pictures = _decoded(stream, settings)
        else:
            pictures = read_picture_file(
                stream,
                frame=settings.frame,
                max_pixels=settings.max_pixels,
                strip=settings.strip,
                max_error=exactness_of(settings.model, choice),
            )
    options = EncodeOptions(
        **choice,
        effort=settings.effort,
        preview=settings.preview,
        exact=settings.exact,
        precision=settings.precision,
        verify=settings.verify,
        downscale=settings.downscale,
        enhancer=settings.enhancer,
        enhancer_strength=settings.enhancer_strength,
        **pictures.metadata,
    )
    if settings.coder:
        options["coder"] = settings.coder
    rate = settings.rate
    with progress("block", shown=settings.alone) as (on_progress, _):
        data = nncodec.encode(
            pictures.frames,
            settings.model,
            rate.quality,
            target_size=rate.target_size,
            target_bpp=rate.target_bpp,
            target_psnr=rate.target_psnr,
            on_progress=on_progress,
            **options,
        )
    width, height = pictures.frames[0].size
    rate_bpp = 8 * len(data) / (width * height * len(pictures.frames))
    report = f"{rate_bpp:.3f} bits per pixel"
    info = nncodec.inspect(data)
    if info.max_error is not None:
        report += ", lossless" if info.lossless else f", errors up to {info.max_error}"
    elif rate.is_searched:
        report += f", quality {info.quality}"
    notes = pictures.notes + larger_than_input(job.source_bytes, len(data))
    return JobResult((("", data),), notes, report)


def _check_nnc(stream: BinaryIO) -> None:
    if stream.read(len(MAGIC)) != MAGIC:
        raise InvalidOption(option="-q", reason="'keep' needs an .nnc file; give a number from 0 to 100")
    stream.seek(0)


def _decoded(stream: BinaryIO, settings: EncodeSettings) -> PictureFile:
    """Return the frames of an .nnc file, to be encoded again."""
    chosen = None if settings.frame is None else range(settings.frame, settings.frame + 1)
    limits = Limits(pixels=settings.max_pixels)
    frames = list(nncodec.decode_frames(stream, frames=chosen, limits=limits, precision=settings.precision))
    return PictureFile(stripped(frames) if settings.strip else frames, EncodeOptions(), ())


@click.command("encode", short_help="Encode pictures to .nnc files.")
@coding_options
@storing_model_option
@rate_options
@exact_options
@click.option(
    "-e",
    "--effort",
    type=click.IntRange(0, 9),
    default=0,
    show_default=True,
    metavar="N",
    help="Higher is smaller and slower. A model has some of the levels, photo 0, 3, 5, 7 and 9; the others do the same "
    "as the next lower one.",
)
@click.option(
    "--coder",
    type=click.Choice([coder.name.lower() for coder in available_coders()]),
    help="Entropy coder.  [default: the model's own]",
)
@recommending_options
@click.option("--preview", is_flag=True, help="Embed a small preview that needs no model.")
@click.option("--exact", is_flag=True, help="Keep the colours of fully transparent pixels, which are filled otherwise.")
@click.option("--verify", is_flag=True, help="Decode what was encoded and compare, and store checksums for decoders.")
@precision_option
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
    if options["enhancer_strength"] is not None and options["enhancer"] is None:
        raise click.UsageError("--enhancer-strength needs --enhancer")
    rate = Rate.taken_from(options)
    keeps = rate.quality == KEEP
    is_exact = options["lossless"] or options["max_error"] is not None
    if is_exact and rate != Rate():
        raise click.UsageError("--lossless and --max-error exclude -q and the targets")
    if (is_exact or keeps) and context.get_parameter_source("model") is ParameterSource.DEFAULT:
        options["model"] = None
    if output is None and not recursive:
        inputs, output = output_among(inputs, is_nnc, "photo.nnc")
    files = collect(inputs, recursive=recursive, wanted=is_nnc if keeps else is_picture, listed=files_from)
    jobs = plan(files, output, functools.partial(_rename, keep_extension=keep_extension))
    for job in jobs:
        if job.target is not None and names_a_picture(job.target):
            raise click.UsageError(f"{job.target} names another format, but encode writes .nnc files; use .nnc")
    settings = EncodeSettings(rate=rate, alone=len(jobs) == 1 and not manner.quiet, **options)
    if settings.effort and not keeps and not manner.quiet:
        _announce_time([job for job in jobs if not job.problem], settings)
    perform(jobs, functools.partial(encode_job, settings=settings), manner)


def _announce_time(jobs: Sequence[Job], settings: EncodeSettings) -> None:
    """Write how long encoding will take by estimate, if that is long."""
    megapixels = sum(megapixels_of(job.open) for job in jobs)
    seconds = expected_seconds(settings.model or DEFAULT_LOSSLESS, settings.effort, megapixels)
    if seconds >= _LONG_S:
        complain(
            f"effort {settings.effort} takes about {duration_of(seconds)} for {megapixels:.1f} megapixels, by estimate "
            "from one processor core; lower efforts are faster"
        )


def _rename(name: str, keep_extension: bool) -> str:
    path = Path(name)
    return f"{path.stem}.nnc" if (is_picture(path) or is_nnc(path)) and not keep_extension else f"{name}.nnc"
