"""Turns the options of `nncodec compare` into a comparison."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nncodec._support.drawings import is_drawing
from nncodec._support.text import line_of
from nncodec.cli.compare_curves import Curves
from nncodec.cli.files import STANDARD, collect
from nncodec.cli.progress import progress
from nncodec.errors import InvalidOption
from nncodec.picture.reading import is_picture

if TYPE_CHECKING:
    from nncodec.compare import Comparison, Matching


@dataclass(frozen=True)
class Study:
    """The options that say what to measure, and how."""

    recursive: bool
    codecs: tuple[str, ...] | None
    qualities: tuple[str, ...]
    effort: int | None
    match: tuple[str, ...]
    at: int
    timings: bool
    colorvideovdp: bool
    jobs: int
    max_pixels: int


def find_pictures(inputs: Sequence[str], study: Study) -> dict[str, Path]:
    """Return the picture files by short, unique names."""
    if STANDARD in inputs:
        raise click.UsageError("pictures to compare come from files, not from stdin")
    files = collect(inputs, recursive=study.recursive, wanted=_is_wanted)
    names = [file.relative.as_posix() for file in files]
    pictures = {file.name if names.count(name) > 1 else name: file for file, name in zip(files, names, strict=True)}
    if len(pictures) < len(files):
        raise click.UsageError("a picture is given twice")
    return {name: file.path for name, file in pictures.items() if file.path is not None}


def _is_wanted(path: Path) -> bool:
    return is_picture(path) and not is_drawing(path)


def chosen_codecs(study: Study) -> tuple[str, ...]:
    """Return the codecs of --codecs, or the default ones."""
    from nncodec.compare import default_codecs

    return default_codecs() if study.codecs is None else study.codecs


def measure(pictures: dict[str, Path], study: Study, codecs: Sequence[str], reference: str | None) -> Comparison:
    """Measure, with progress and notes on stderr; raises click.UsageError for invalid options."""
    from nncodec.compare import compare

    with progress("step") as (on_progress, say):
        try:
            return compare(
                pictures,
                codecs,
                qualities=_qualities(study.qualities, codecs),
                effort=study.effort,
                match=_matchings(study, reference, codecs),
                timings=study.timings,
                colorvideovdp=study.colorvideovdp,
                jobs=study.jobs,
                max_pixels=study.max_pixels,
                command=shlex.join(["nncodec", *sys.argv[1:]]),
                on_progress=on_progress,
                on_note=lambda name, note: say(line_of(note, name)),
            )
        except InvalidOption as error:
            raise click.UsageError(error.reason) from None


def _matchings(study: Study, reference: str | None, codecs: Sequence[str]) -> list[Matching]:
    from nncodec.compare import Matching

    chosen = reference or Curves(dict.fromkeys(codecs, ())).usual_reference()
    return [Matching(by, chosen or "", study.at) for by in dict.fromkeys(study.match)]


def _qualities(given: Sequence[str], codecs: Sequence[str]) -> dict[str, list[int]]:
    """Parse `10,50`, for all codecs, and `jpeg=20,40`, for one."""
    everywhere: dict[str, list[int]] = {}
    by_codec: dict[str, list[int]] = {}
    for option in given:
        names, _, numbers = option.rpartition("=")
        listed = [part.strip() for part in numbers.split(",")]
        if not all(part.isdecimal() for part in listed):
            raise click.UsageError(f"--qualities {option!r}: give whole numbers, as in 10,50 or jpeg=20,40")
        chosen = [int(part) for part in listed]
        if names:
            by_codec[names] = chosen
        else:
            everywhere = dict.fromkeys(codecs, chosen)
    return everywhere | by_codec
