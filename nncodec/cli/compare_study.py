"""What `nncodec compare` measures: from its options to a comparison."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    """What is to be measured, and how."""

    recursive: bool
    codecs: tuple[str, ...] | None
    qualities: tuple[str, ...]
    effort: int | None
    match: tuple[str, ...]
    at: int
    timings: bool
    jobs: int
    max_pixels: int


def find_pictures(inputs: Sequence[str], study: Study) -> dict[str, Path]:
    """Return the picture files by short names that no two share."""
    if STANDARD in inputs:
        raise click.UsageError("pictures to compare come from files, not from stdin")
    found = collect(inputs, recursive=study.recursive, wanted=is_picture)
    names = [one.relative.as_posix() for one in found]
    pictures = {one.name if names.count(name) > 1 else name: one for one, name in zip(found, names, strict=True)}
    if len(pictures) < len(found):
        raise click.UsageError("a picture is given twice")
    return {name: one.path for name, one in pictures.items() if one.path is not None}


def chosen_codecs(study: Study) -> tuple[str, ...]:
    """Return the codecs that were asked for, or the usual ones."""
    from nncodec.compare import default_codecs

    return default_codecs() if study.codecs is None else study.codecs


def measure(pictures: dict[str, Path], study: Study, codecs: Sequence[str], reference: str | None) -> Comparison:
    """Measure, with progress and what is to be told on stderr; raises click.UsageError for unknown options."""
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
    """Take `10,50` for all codecs and `jpeg=20,40` for one apart."""
    everywhere: dict[str, list[int]] = {}
    by_codec: dict[str, list[int]] = {}
    for one in given:
        names, _, numbers = one.rpartition("=")
        listed = [part.strip() for part in numbers.split(",")]
        if not all(part.isdecimal() for part in listed):
            raise click.UsageError(f"--qualities {one!r}: give whole numbers, as in 10,50 or jpeg=20,40")
        chosen = [int(part) for part in listed]
        if names:
            by_codec[names] = chosen
        else:
            everywhere = dict.fromkeys(codecs, chosen)
    return everywhere | by_codec
