"""`nncodec encode`: pictures to .nnc files."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import nncodec
from nncodec._support.text import count_of
from nncodec.cli.files import Job, collect, plan
from nncodec.cli.options import (
    Manner,
    Rate,
    coding_options,
    manner_options,
    model_option,
    rate_options,
    recommending_options,
)
from nncodec.cli.work import JobResult, perform
from nncodec.format.entropy import available_coders
from nncodec.options import EncodeOptions
from nncodec.picture.reading import is_picture, read_picture_file


@dataclass(frozen=True)
class EncodeSettings:
    """How every picture of a run is encoded."""

    model: str
    rate: Rate
    effort: int
    coder: str | None
    downscale: int
    enhancer: str | None
    enhancer_strength: float | None
    preview: bool
    strip: bool
    frame: int | None
    max_pixels: int


def encode_job(job: Job, settings: EncodeSettings) -> JobResult:
    """Encode one picture file."""
    with job.open() as stream:
        pictures = read_picture_file(stream, frame=settings.frame, max_pixels=settings.max_pixels, strip=settings.strip)
    options = EncodeOptions(
        effort=settings.effort,
        preview=settings.preview,
        downscale=settings.downscale,
        enhancer=settings.enhancer,
        enhancer_strength=settings.enhancer_strength,
        **pictures.metadata,
    )
    if settings.coder:
        options["coder"] = settings.coder
    rate = settings.rate
    data = nncodec.encode(
        pictures.frames,
        settings.model,
        rate.quality,
        target_size=rate.target_size,
        target_bpp=rate.target_bpp,
        target_psnr=rate.target_psnr,
        **options,
    )
    width, height = pictures.frames[0].size
    rate_bpp = 8 * len(data) / (width * height * len(pictures.frames))
    report = f"{count_of(len(data), 'byte')}, {rate_bpp:.3f} bits per pixel"
    if rate.is_searched:
        report += f", quality {nncodec.inspect(data).quality}"
    return JobResult((("", data),), pictures.notes, report)


@click.command("encode", short_help="Encode pictures to .nnc files.")
@coding_options
@model_option
@rate_options
@click.option(
    "-e",
    "--effort",
    type=click.IntRange(0, 9),
    default=0,
    show_default=True,
    metavar="N",
    help="Higher is smaller and slower, as far as the model knows the difference.",
)
@click.option(
    "--coder",
    type=click.Choice([coder.name.lower() for coder in available_coders()]),
    help="Entropy coder.  [default: the model's own]",
)
@recommending_options
@click.option("--preview", is_flag=True, help="Embed a small preview that needs no model.")
@manner_options
def encode_command(inputs: tuple[str, ...], output: str | None, recursive: bool, **options: Any) -> None:
    """Encode pictures to .nnc files: photo.png becomes photo.nnc beside it.

    A picture is any file that Pillow reads; - is stdin. Modes that .nnc has no place for are converted, and it is
    said. Of GIF, APNG, WebP, AVIF and TIFF files all frames are encoded. EXIF, ICC profile and XMP are kept.

    With --target-size, --target-bpp or --target-psnr the quality is searched for, file by file, in up to seven rounds.
    """
    manner = Manner.taken_from(options)
    if options["enhancer_strength"] is not None and options["enhancer"] is None:
        raise click.UsageError("--enhancer-strength is that of an enhancer; give --enhancer, too")
    settings = EncodeSettings(rate=Rate.taken_from(options), **options)
    jobs = plan(collect(inputs, recursive=recursive, wanted=is_picture), output, _rename)
    perform(jobs, functools.partial(encode_job, settings=settings), manner)


def _rename(name: str) -> str:
    path = Path(name)
    return f"{path.stem}.nnc" if is_picture(path) else f"{name}.nnc"
