"""`nncodec enhance`: restores or enlarges pictures."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click
from PIL import Image

import nncodec
from nncodec._support.files import is_there
from nncodec.cli.files import (
    DEFAULT_FORMAT,
    InputFile,
    Job,
    collect,
    format_to_write,
    is_output,
    names_a_picture,
    output_among,
    plan,
)
from nncodec.cli.options import (
    Manner,
    animate_option,
    coding_options,
    complete_enhancers,
    device_option,
    manner_options,
    picture_quality_option,
    precision_option,
    strength_option,
)
from nncodec.cli.progress import progress
from nncodec.cli.work import JobResult, perform
from nncodec.coding.enhancing import DEFAULT_SCALE, Progress, default_enhancer
from nncodec.errors import InvalidOption, NncError, UnsupportedImage
from nncodec.format.header import MAGIC
from nncodec.limits import Limits
from nncodec.picture.naming import is_nnc
from nncodec.picture.reading import is_picture, read_picture_file, upright
from nncodec.picture.writing import holds_all_frames, save_frames
from nncodec.plugin import registry
from nncodec.plugin.computing import Computing
from nncodec.plugin.hooks import ENHANCER
from nncodec.plugin.precision import Precision

_ADDITION = "-enhanced"
"""What the name of a result beside its input ends in."""
_RESULT = re.compile(rf"(.+){_ADDITION}(-\d{{4,}})?")


@dataclass(frozen=True)
class EnhanceSettings:
    """How to enhance every picture of a run.

    Args:
        enhancer: name or alias.
        scale: the scale that the enhancer must have; None takes any.
        format: Pillow's name of the format to write.
        quality: of a lossy format; None for its default.
        animate: see `writing.holds_all_frames`.
        frame: number of the frame to enhance; None enhances all.
        alone: whether there is a single picture, so that the terminal counts its tiles.
    """

    enhancer: str
    scale: int | None
    strength: float | None
    side_by_side: bool
    format: str
    quality: int | None
    animate: bool
    frame: int | None
    strip: bool
    max_pixels: int
    precision: Precision
    device: str
    alone: bool


def enhance_job(job: Job, settings: EnhanceSettings) -> JobResult:
    """Enhance the frames of one picture file."""
    with job.open() as stream:
        frames, notes = _read(stream, settings)
    in_one_file = holds_all_frames(settings.format, animate=settings.animate)
    if job.takes_one_file and len(frames) > 1 and not in_one_file:
        raise InvalidOption(option="-o", reason=f"the picture has {len(frames)} frames; choose one with --frame")
    with progress("tile") if settings.alone else contextlib.nullcontext((None, None)) as (on_progress, _):
        numbers = range(len(frames)) if settings.frame is None else range(settings.frame, settings.frame + 1)
        enhanced = (_enhanced(frame, settings, on_progress) for frame in frames)
        parts, saving_notes = save_frames(
            enhanced,
            numbers,
            settings.format,
            strip=settings.strip,
            quality=settings.quality,
            animate=settings.animate,
        )
    width, height = frames[0].size
    beside = ", the input enlarged by bicubic interpolation to its left" if settings.side_by_side else ""
    report = f"{width} x {height} pixels enhanced{beside}"
    return JobResult(parts, (*notes, *saving_notes), report)


def _read(stream: BinaryIO, settings: EnhanceSettings) -> tuple[list[Image.Image], tuple[str, ...]]:
    """Return the frames of a picture or an .nnc file, with their metadata in `info`, and notes."""
    is_coded = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    if is_coded:
        chosen = None if settings.frame is None else range(settings.frame, settings.frame + 1)
        limits = Limits(pixels=settings.max_pixels)
        with Computing(settings.precision, settings.device).applied():
            return list(nncodec.decode_frames(stream, frames=chosen, limits=limits)), ()
    pictures = read_picture_file(stream, frame=settings.frame, max_pixels=settings.max_pixels, strip=settings.strip)
    return pictures.frames, pictures.notes


def _enhanced(image: Image.Image, settings: EnhanceSettings, on_progress: Progress | None) -> Image.Image:
    if settings.side_by_side:
        image = upright(image)  # a viewer that turns the result would put the two above each other
    larger = nncodec.enhance(
        image,
        settings.enhancer,
        scale=settings.scale,
        strength=settings.strength,
        limits=Limits(pixels=settings.max_pixels),
        precision=settings.precision,
        device=settings.device,
        on_progress=on_progress,
    )
    return _side_by_side(image, larger, settings.max_pixels) if settings.side_by_side else larger


def _side_by_side(image: Image.Image, larger: Image.Image, max_pixels: int) -> Image.Image:
    """Return a picture, enlarged by bicubic interpolation, with the enhanced one to its right."""
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


@click.command("enhance", short_help="Restore or enlarge pictures.")
@coding_options
@click.option(
    "--scale",
    type=click.IntRange(1),
    metavar="N",
    help=f"How many times larger along each edge; 1 restores.  [default: that of -m, or {DEFAULT_SCALE}]",
)
@click.option(
    "-m",
    "--enhancer",
    metavar="NAME",
    shell_complete=complete_enhancers,
    help="Enhancer or alias; 'nncodec models' lists them.  [default: the one for --scale]",
)
@strength_option
@click.option("--side-by-side", is_flag=True, help="Write the input, enlarged by bicubic interpolation, beside it.")
@click.option("--format", "extension", metavar="EXT", help="Format to write.  [default: that of -o, else png]")
@picture_quality_option
@animate_option
@precision_option
@device_option
@manner_options
def enhance_command(
    inputs: Sequence[str],
    output: str | None,
    recursive: bool,
    files_from: str | None,
    keep_extension: bool,
    scale: int | None,
    enhancer: str | None,
    extension: str | None,
    **options: Any,
) -> None:
    """Restore or enlarge pictures: photo.jpg becomes photo-enhanced.png beside it.

    A picture is any file that Pillow reads, or an .nnc file; - is stdin. Grey stays grey, and transparency stays. EXIF,
    ICC profile and XMP go into the result if its format can hold them. Unsupported modes are converted, with a note.
    """
    manner = Manner.taken_from(options)
    name = _installed(enhancer or default_enhancer(DEFAULT_SCALE if scale is None else scale))
    extension = (extension or "").lower().removeprefix(".")
    if output is None and not recursive and not (inputs and is_there(Path(inputs[-1]))):  # two pictures are two inputs
        inputs, output = output_among(inputs, names_a_picture, f"larger.{extension or DEFAULT_FORMAT}")
    files = collect(
        inputs,
        recursive=recursive,
        wanted=_is_input,
        unwanted=is_output(output),
        listed=files_from,
        quiet=manner.quiet,
    )
    addition = ""
    if output is None:
        files, addition = _without_results(files), _ADDITION
    jobs = plan(files, output, _renamer(extension or DEFAULT_FORMAT, addition, keep_extension))
    kind = format_to_write(extension, output, jobs, options["quality"])
    settings = EnhanceSettings(
        enhancer=name, scale=scale, format=kind, alone=len(jobs) == 1 and not manner.quiet, **options
    )
    perform(jobs, functools.partial(enhance_job, settings=settings), manner)


def _installed(name: str) -> str:
    try:
        return registry.catalog().find(name, ENHANCER).name
    except NncError as error:
        raise click.UsageError(str(error)) from None


def _is_input(path: Path) -> bool:
    return is_picture(path) or is_nnc(path)


def _without_results(files: Sequence[InputFile]) -> list[InputFile]:
    """Return the files but, of those of folders, what an earlier run has made of another one of them."""
    names = {file.relative.with_name(name) for file in files for name in (file.relative.name, file.relative.stem)}

    def is_result(file: InputFile) -> bool:
        match = _RESULT.fullmatch(file.relative.stem)
        return match is not None and file.in_folder and file.relative.with_name(match[1]) in names

    return [file for file in files if not is_result(file)]


def _renamer(extension: str, addition: str, keep_extension: bool) -> Callable[[str], str]:
    def rename(name: str) -> str:
        stem = Path(name).stem if _is_input(Path(name)) and not keep_extension else name
        return f"{stem}{addition}.{extension}"

    return rename
