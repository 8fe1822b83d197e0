"""From arguments to jobs, and from results to files that are either whole or not there."""

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
"""What stands for stdin and stdout."""


@dataclass(frozen=True)
class Found:
    """An input file.

    Args:
        path: where it is; None for stdin.
        relative: its place below the folder it was found in, or its bare name.
        in_folder: whether a folder was given rather than the file.
    """

    path: Path | None
    relative: Path
    in_folder: bool = False

    @property
    def name(self) -> str:
        """How messages call it."""
        return STANDARD if self.path is None else str(self.path)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes.

    Args:
        name: how messages call it.
        source: the input file, or all bytes of stdin.
        target: the output file; None for stdout.
    """

    name: str
    source: Path | bytes
    target: Path | None

    def open(self) -> BinaryIO:
        """Open the input for reading."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


def collect(inputs: Sequence[str], *, recursive: bool, wanted: Callable[[Path], bool]) -> list[Found]:
    """Return the input files; of folders, all files below that are `wanted` and not hidden, in order.

    Raises:
        click.UsageError: a folder without `recursive`, an empty one, or stdin twice.
    """
    if inputs.count(STANDARD) > 1:
        raise click.UsageError("'-' (stdin) can be given once only")
    found: list[Found] = []
    for given in inputs:
        path = Path(given)
        if given == STANDARD:
            found.append(Found(None, Path("stdin")))
        elif not path.is_dir():
            found.append(Found(path, Path(path.name)))
        elif not recursive:
            raise click.UsageError(f"{given} is a folder; use -r to take the files in it")
        else:
            below = [p for p in _walk(path) if wanted(p)]
            if not below:
                raise click.UsageError(f"there is nothing to do in {given}")
            found += [Found(p, p.relative_to(path), in_folder=True) for p in below]
    return found


def sources(found: Iterable[Found]) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """Yield the name of each input and how to open it."""
    for one in found:
        yield one.name, functools.partial(_open, one.path)


def plan(found: Sequence[Found], output: str | None, rename: Callable[[str], str]) -> list[Job]:
    """Say where each result goes.

    Args:
        found: the inputs.
        output: a file, a folder or "-"; None writes beside each input, and from stdin to stdout.
        rename: the name of an input to the name of its result.

    Raises:
        click.UsageError: two results would go to one file, a result over an input, or bytes to a terminal.
    """
    folder = output is not None and output != STANDARD and _is_folder(output, found)
    jobs: list[Job] = []
    for one in found:
        target = _target(one, output, folder, rename)
        source = sys.stdin.buffer.read() if one.path is None else one.path
        jobs.append(Job(one.name, source, target))
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
    """Whether a file is there that a result must not silently replace."""
    return target.is_file() or target.is_dir()


def _open(path: Path | None) -> BinaryIO:
    return io.BytesIO(sys.stdin.buffer.read()) if path is None else path.open("rb")


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _is_folder(output: str, found: Sequence[Found]) -> bool:
    several = len(found) > 1 or any(one.in_folder for one in found)
    path = Path(output)
    if several and path.exists() and not path.is_dir():
        raise click.UsageError(f"{output} is not a folder, and several results need one")
    return several or path.is_dir() or output.endswith(("/", os.sep))


def _target(one: Found, output: str | None, folder: bool, rename: Callable[[str], str]) -> Path | None:
    if output == STANDARD or (output is None and one.path is None):
        return None
    if output is not None and not folder:
        return Path(output)
    if one.path is None:
        raise click.UsageError("what comes from stdin has no name; give a file with -o")
    if output is None:
        return one.path.with_name(rename(one.path.name))
    return Path(output, one.relative.with_name(rename(one.relative.name)))


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
    """Return what two spellings of one path have in common."""
    return os.path.normcase(os.path.realpath(path))
