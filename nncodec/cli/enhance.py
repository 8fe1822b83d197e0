"""`nncodec enhance`: pictures to better or larger pictures."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click
from PIL import Image

import nncodec
from nncodec._support.text import count_of
from nncodec.cli.decode import is_nnc
from nncodec.cli.files import STANDARD, Job, collect, plan
from nncodec.cli.options import Manner, coding_options, manner_options, strength_option
from nncodec.cli.progress import progress
from nncodec.cli.saving import ANIMATED, extension_of, format_of, save_frames
from nncodec.cli.work import JobResult, perform
from nncodec.coding.enhancing import DEFAULT_SCALE, Progress, default_enhancer
from nncodec.errors import InvalidOption, NncError, UnsupportedImage
from nncodec.format.container import MAGIC
from nncodec.limits import Limits
from nncodec.picture.reading import is_picture, read_picture_file, upright
from nncodec.plugin import registry
from nncodec.plugin.hooks import ENHANCER

_DEFAULT_FORMAT = "png"


@dataclass(frozen=True)
class EnhanceSettings:
    """How every picture of a run is enhanced.

    Args:
        enhancer: name or alias.
        scale: what it must be, or None.
        format: Pillow's name of the format to write.
        frame: the only one to enhance, or None for all.
        alone: whether there is one picture only, so that its tiles are what is counted on the terminal.
    """

    enhancer: str
    scale: int | None
    strength: float | None
    side_by_side: bool
    format: str
    frame: int | None
    strip: bool
    max_pixels: int
    alone: bool


def enhance_job(job: Job, settings: EnhanceSettings) -> JobResult:
    """Enhance the frames of one picture file."""
    with job.open() as stream:
        frames, notes = _read(stream, settings)
    if job.target is None and len(frames) > 1 and settings.format not in ANIMATED:
        raise InvalidOption(option="-o", reason=f"the picture has {len(frames)} frames; choose one with --frame")
    with progress("tile") if settings.alone else contextlib.nullcontext((None, None)) as (on_progress, _):
        numbers = range(len(frames)) if settings.frame is None else range(settings.frame, settings.frame + 1)
        enhanced = (_enhanced(frame, settings, on_progress) for frame in frames)
        parts, told = save_frames(enhanced, numbers, settings.format, strip=settings.strip)
    width, height = frames[0].size
    size = sum(len(data) for _, data in parts)
    beside = ", the input enlarged by bicubic interpolation to its left" if settings.side_by_side else ""
    report = f"{width} x {height} pixels enhanced{beside}, {count_of(size, 'byte')}"
    return JobResult(parts, (*notes, *told), report)


def _read(stream: BinaryIO, settings: EnhanceSettings) -> tuple[list[Image.Image], tuple[str, ...]]:
    """Return the frames of a picture, `.nnc` files included, with their metadata in `info`, and notes."""
    is_coded = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    if is_coded:
        chosen = None if settings.frame is None else range(settings.frame, settings.frame + 1)
        return list(nncodec.decode_frames(stream, frames=chosen, limits=Limits(pixels=settings.max_pixels))), ()
    pictures = read_picture_file(stream, frame=settings.frame, max_pixels=settings.max_pixels, strip=settings.strip)
    for frame in pictures.frames:
        frame.info = {key: value for key, value in pictures.metadata.items() if value is not None}
    return pictures.frames, pictures.notes


def _enhanced(image: Image.Image, settings: EnhanceSettings, on_progress: Progress | None) -> Image.Image:
    if settings.side_by_side:
        image = upright(image)  # turned by a viewer, the two would stand above each other
    larger = nncodec.enhance(
        image,
        settings.enhancer,
        scale=settings.scale,
        strength=settings.strength,
        limits=Limits(pixels=settings.max_pixels),
        on_progress=on_progress,
    )
    return _side_by_side(image, larger, settings.max_pixels) if settings.side_by_side else larger


def _side_by_side(image: Image.Image, larger: Image.Image, max_pixels: int) -> Image.Image:
    """Return a picture, enlarged by plain interpolation, and to its right what the enhancer made of it."""
    width, height = larger.size
    if 2 * width * height > max_pixels:
        raise UnsupportedImage(
            detail=f"side by side they have {2 * width} x {height} pixels, over {max_pixels:,}; raise --max-pixels"
        )
    both = Image.new(larger.mode, (2 * width, height))
    both.paste(image if image.size == larger.size else image.resize(larger.size, Image.Resampling.BICUBIC), (0, 0))
    both.paste(larger, (width, 0))
    both.info = larger.info
    return both


@click.command("enhance", short_help="Make pictures better or larger.")
@coding_options
@click.option(
    "--scale",
    type=click.IntRange(1),
    metavar="N",
    help=f"How many times larger along each edge; 1 restores.  [default: what -m does, or {DEFAULT_SCALE}]",
)
@click.option("-m", "--enhancer", metavar="NAME", help="See 'nncodec models'.  [default: the one for --scale]")
@strength_option
@click.option("--side-by-side", is_flag=True, help="Write the input, enlarged by bicubic interpolation, beside it.")
@click.option("--format", "extension", metavar="EXT", help="Format to write.  [default: that of -o, else png]")
@manner_options
def enhance_command(
    inputs: tuple[str, ...],
    output: str | None,
    recursive: bool,
    scale: int | None,
    enhancer: str | None,
    extension: str | None,
    **options: Any,
) -> None:
    """Make pictures better or larger: photo.jpg becomes photo-enhanced.png beside it.

    A picture is any file that Pillow reads, or an .nnc file; - is stdin. Grey stays grey, transparency stays, EXIF, ICC
    profile and XMP go into the result where its format has a place for them. Modes that nncodec has no place for are
    converted, and it is said.
    """
    manner = Manner.taken_from(options)
    name = _installed(enhancer or default_enhancer(DEFAULT_SCALE if scale is None else scale))
    found = collect(inputs, recursive=recursive, wanted=lambda path: is_picture(path) or is_nnc(path))
    extension = (extension or "").lower().removeprefix(".")
    jobs = plan(found, output, _renamer(extension or _DEFAULT_FORMAT, "-enhanced" if output is None else ""))
    if not extension and output not in (None, STANDARD) and len(jobs) == 1 and jobs[0].target is not None:
        extension = extension_of(jobs[0].target)
    kind = format_of(extension or _DEFAULT_FORMAT)
    settings = EnhanceSettings(enhancer=name, scale=scale, format=kind, alone=len(jobs) == 1, **options)
    perform(jobs, functools.partial(enhance_job, settings=settings), manner)


def _installed(name: str) -> str:
    try:
        return registry.catalog().find(name, ENHANCER).name
    except NncError as error:
        raise click.UsageError(str(error)) from None


def _renamer(extension: str, addition: str) -> Callable[[str], str]:
    def rename(name: str) -> str:
        path = Path(name)
        return f"{path.stem if is_picture(path) or is_nnc(path) else name}{addition}.{extension}"

    return rename
