"""Input and output files of a command: collects the inputs and plans where each result goes."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

STANDARD = "-"
"""The argument that means stdin or stdout."""


@dataclass(frozen=True)
class InputFile:
    """An input file.

    Args:
        path: None for stdin.
        relative: path below the folder that was given, or the bare name.
        in_folder: whether the folder was given, not the file itself.
    """

    path: Path | None
    relative: Path
    in_folder: bool = False

    @property
    def name(self) -> str:
        """Name in messages."""
        return STANDARD if self.path is None else str(self.path)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes.

    Args:
        name: of the input, for messages.
        source: the input file, or all bytes of stdin.
        target: the output file; None for stdout.
    """

    name: str
    source: Path | bytes
    target: Path | None

    def open(self) -> BinaryIO:
        """Open the input for reading."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


def collect(inputs: Sequence[str], *, recursive: bool, wanted: Callable[[Path], bool]) -> list[InputFile]:
    """Return the input files; for a folder, all `wanted` files below it, in order, without hidden ones.

    Raises:
        click.UsageError: a folder without `recursive`, an empty one, or stdin twice.
    """
    if inputs.count(STANDARD) > 1:
        raise click.UsageError("'-' (stdin) can be given once only")
    files: list[InputFile] = []
    for given in inputs:
        path = Path(given)
        if given == STANDARD:
            files.append(InputFile(None, Path("stdin")))
        elif not path.is_dir():
            files.append(InputFile(path, Path(path.name)))
        elif not recursive:
            raise click.UsageError(f"{given} is a folder; use -r to take the files in it")
        else:
            below = [p for p in _walk(path) if wanted(p)]
            if not below:
                raise click.UsageError(f"there is no suitable file in {given}")
            files += [InputFile(p, p.relative_to(path), in_folder=True) for p in below]
    return files


def sources(files: Iterable[InputFile]) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """Yield the name of each input and a function that opens it."""
    for file in files:
        yield file.name, functools.partial(_open, file.path)


def plan(files: Sequence[InputFile], output: str | None, rename: Callable[[str], str]) -> list[Job]:
    """Return a job for each input, with the file that its result goes to.

    Args:
        files: the inputs.
        output: a file, a folder or "-"; None writes beside each input, and from stdin to stdout.
        rename: maps the name of an input to the name of its result.

    Raises:
        click.UsageError: two results would share a file, a result would replace an input, or bytes would
            go to a terminal.
    """
    folder = output is not None and output != STANDARD and _is_folder(output, files)
    jobs: list[Job] = []
    for file in files:
        target = _target(file, output, folder, rename)
        source = sys.stdin.buffer.read() if file.path is None else file.path
        jobs.append(Job(file.name, source, target))
    if len(jobs) > 1 and any(job.target is None for job in jobs):
        raise click.UsageError("several files cannot all go to stdout; give a folder with -o")
    if any(job.target is None for job in jobs) and sys.stdout.buffer.isatty():
        raise click.UsageError("stdout is a terminal; give a file with -o, or pipe the output into a program")
    _refuse_clashes(jobs)
    return jobs


def write_stdout(data: bytes) -> None:
    """Write to stdout."""
    stream = sys.stdout.buffer
    stream.write(data)
    stream.flush()


def is_taken(target: Path) -> bool:
    """Whether a file or folder is there that a result must not replace silently."""
    return target.is_file() or target.is_dir()


def _open(path: Path | None) -> BinaryIO:
    return io.BytesIO(sys.stdin.buffer.read()) if path is None else path.open("rb")


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _is_folder(output: str, files: Sequence[InputFile]) -> bool:
    several = len(files) > 1 or any(file.in_folder for file in files)
    path = Path(output)
    if several and path.exists() and not path.is_dir():
        raise click.UsageError(f"{output} is not a folder, and several results need one")
    return several or path.is_dir() or output.endswith(("/", os.sep))


def _target(file: InputFile, output: str | None, folder: bool, rename: Callable[[str], str]) -> Path | None:
    if output == STANDARD or (output is None and file.path is None):
        return None
    if output is not None and not folder:
        return Path(output)
    if file.path is None:
        raise click.UsageError("input from stdin has no name; give a file with -o")
    if output is None:
        return file.path.with_name(rename(file.path.name))
    return Path(output, file.relative.with_name(rename(file.relative.name)))


def _refuse_clashes(jobs: Iterable[Job]) -> None:
    jobs = list(jobs)
    origins = {place(job.source) for job in jobs if isinstance(job.source, Path)}
    takers: dict[str, str] = {}
    for job in jobs:
        if job.target is None:
            continue
        where = place(job.target)
        if where in takers:
            raise click.UsageError(
                f"{takers[where]} and {job.name} would both be written to {job.target}; rename one, or write them to "
                "different folders"
            )
        if where in origins:
            raise click.UsageError(f"{job.target} is an input; give another output with -o")
        takers[where] = job.name


def place(path: Path) -> str:
    """Return the same string for all spellings of a path."""
    return os.path.normcase(os.path.realpath(path))
