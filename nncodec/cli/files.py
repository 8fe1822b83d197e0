"""Input and output files of a command: collects the inputs and plans where each result goes."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import click

from nncodec._support.files import descriptor_of, is_file, is_folder, is_link, is_special, is_there
from nncodec._support.text import describe
from nncodec.cli.text import complain
from nncodec.errors import InvalidOption
from nncodec.picture.openers import names_another_format
from nncodec.picture.writing import check_quality, extension_of, format_of

STANDARD = "-"
"""The argument that means stdin or stdout."""

DEFAULT_FORMAT = "png"
"""Extension of the images that commands write, unless the options choose another."""


@dataclass(frozen=True)
class InputFile:
    """An input file.

    Args:
        path: None for stdin.
        relative: path below the folder that was given, or the bare name.
        in_folder: whether the folder was given, not the file itself.
        problem: why it cannot be read; empty if nothing is known.
    """

    path: Path | None
    relative: Path
    in_folder: bool = False
    problem: str = ""

    @property
    def name(self) -> str:
        """Name in messages."""
        return STANDARD if self.path is None else str(self.path)


@dataclass(frozen=True)
class Job:
    """One input and where its result goes.

    Args:
        name: of the input, for messages.
        source: the input file, or all bytes of stdin or of a pipe.
        target: the output file; None for stdout.
        problem: why the job cannot run; empty if it can.
        overwrites: whether a file that is already there may be replaced at all.
    """

    name: str
    source: Path | bytes
    target: Path | None
    problem: str = ""
    overwrites: bool = True

    @property
    def source_bytes(self) -> int:
        """Size of the input; 0 if it is gone."""
        try:
            return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size
        except OSError:  # it was removed since it was read
            return 0

    @property
    def takes_one_file(self) -> bool:
        """Whether the output is stdout, an open file, a pipe or a device, so that no second file can lie beside it."""
        return self.target is None or descriptor_of(self.target) is not None or is_special(self.target)

    def is_done(self, target: Path | None, *, update: bool) -> bool:
        """Whether an output is there; with `update`, whether it is also at least as new as the input."""
        if target is None or not is_file(target) or descriptor_of(target) is not None:
            return False
        if not update or isinstance(self.source, bytes):
            return not update
        try:
            return self.source.stat().st_mtime <= target.stat().st_mtime
        except OSError:
            return False

    def open(self) -> BinaryIO:
        """Open the input for reading."""
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


def collect(
    inputs: Sequence[str],
    *,
    recursive: bool,
    wanted: Callable[[Path], bool],
    unwanted: Callable[[Path], bool] = lambda folder: False,
    listed: str | None = None,
    quiet: bool = False,
) -> list[InputFile]:
    """Return the input files; for a folder, all `wanted` files below it, in order, without hidden ones.

    Several folders keep their names: the results of `a` and `b` go below `a` and `b`. A folder below that cannot be
    listed is among the files, with its problem. Links to folders are not followed, as `cp -r` does not, since they may
    lead anywhere and around in circles; each gets a line on stderr.

    Args:
        inputs: files, folders, or "-" for stdin.
        recursive: descend into folders.
        wanted: which files of a folder to take.
        unwanted: which folders below a folder to leave out.
        listed: a file with further inputs, see `read_list`.
        quiet: write no lines about links.

    Raises:
        click.UsageError: no input, a folder without `recursive`, an empty one, or stdin twice.
        OSError: the list cannot be read.
    """
    if inputs.count(STANDARD) + (listed == STANDARD) > 1:
        raise click.UsageError("'-' (stdin) can be given once only")
    if not inputs and listed is None:
        raise click.UsageError("Missing argument 'FILE...'")
    paths = [None if given == STANDARD else Path(given) for given in inputs]
    if listed is not None:
        paths += [Path(name) for name in read_list(listed)]
    several = len({path for path in paths if path is not None and is_folder(path)}) > 1
    files: list[InputFile] = []
    for path in paths:
        if path is None:
            files.append(InputFile(None, Path("stdin")))
        elif not is_folder(path):
            files.append(InputFile(path, Path(path.name)))
        elif not recursive:
            raise click.UsageError(f"{path} is a folder; use -r to take the files in it, or -o to write into it")
        else:
            root = Path(path.resolve().name if several else "")
            below = list(_files_below(path, root, wanted, unwanted, quiet=quiet))
            if not below:
                raise click.UsageError(f"there is no suitable file in {path}")
            files += below
    return files


def read_list(listed: str) -> list[str]:
    """Return the paths in a file, or in stdin for "-": one a line, or separated by NUL bytes if there is one."""
    data = _read_stdin() if listed == STANDARD else Path(listed).read_bytes()
    names = data.split(b"\0") if b"\0" in data else [line.rstrip(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def output_among(
    inputs: Sequence[str], writes: Callable[[Path], bool], example: str
) -> tuple[Sequence[str], str | None]:
    """Return the inputs and the output of `COMMAND IN OUT`, where OUT was meant as `-o OUT`.

    Args:
        inputs: what was given without -o.
        writes: whether the command can write a file of this name.
        example: name of such a file.

    Returns:
        Both inputs and None, unless there are two and the second is not there but can be written.

    Raises:
        click.UsageError: the last of them may be meant as an output, but is not a new file of such a name.
    """
    if len(inputs) < 2:
        return inputs, None
    last = Path(inputs[-1])
    if writes(last) and not is_there(last) and not is_link(last) and len(inputs) == 2:
        return inputs[:1], inputs[1]
    if writes(last) and not is_folder(last):
        state = f"{last} is already there" if is_there(last) else f"several files do not go into {last}"
        raise click.UsageError(f"{state}; name the output with -o: a file such as {example} for one input, or a folder")
    if len(inputs) == 2 and inputs[1] != STANDARD and not is_there(last):
        raise click.UsageError(f"{last} does not exist; if it is the output, name it with -o, such as -o {example}")
    return inputs, None


def is_output(output: str | None) -> Callable[[Path], bool]:
    """Return what tells the folder of `-o`: a run that is repeated must not take its own results as inputs."""
    where = None if output in (None, STANDARD) else place(Path(output))
    return lambda folder: place(folder) == where


def sources(files: Iterable[InputFile]) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """Yield the name of each input and a function that opens it."""
    for file in files:
        yield file.name, functools.partial(_open, file)


def plan(
    files: Sequence[InputFile], output: str | None, rename: Callable[[str], str], *, protects: bool = False
) -> list[Job]:
    """Return a job for each input, with the file that its result goes to.

    Args:
        files: the inputs.
        output: a file, a folder or "-"; None writes beside each input, and from stdin, or what names it, to stdout.
        rename: maps the name of an input to the name of its result.
        protects: never replace a file beside its input unless `output` names it, nor any other without `output`.

    Returns:
        One job for each input; if two would write the same file, one would replace an input, or an input cannot be
        read, they have a `problem`.

    Raises:
        click.UsageError: the only result would replace its input, or bytes would go to a terminal.
    """
    folder = output is not None and output != STANDARD and _is_folder(output, files)
    jobs: list[Job] = []
    for file in files:
        if file.path is not None and file.problem:
            jobs.append(Job(file.name, file.path, None, file.problem))
            continue
        target = _target(file, output, folder, rename)
        source = _read_stdin() if file.path is None else file.path
        if isinstance(source, Path) and _is_pipe(source):
            try:
                source = source.read_bytes()
            except OSError as error:
                jobs.append(Job(file.name, source, None, describe(error)))
                continue
        overwrites = not protects or (output is not None and not (folder and _is_beside(target, file, rename)))
        jobs.append(Job(file.name, source, target, overwrites=overwrites))
    to_stdout = any(job.target is None and not job.problem for job in jobs)
    if to_stdout and len(jobs) > 1:
        raise click.UsageError("several files cannot all go to stdout; give a folder with -o")
    if to_stdout and sys.stdout is None:
        raise click.UsageError("stdout is closed; give a file with -o")
    if to_stdout and sys.stdout.buffer.isatty():
        raise click.UsageError("stdout is a terminal; give a file with -o, or pipe the output into a program")
    if len(jobs) == 1 and jobs[0].problem:
        return jobs
    jobs = _checked(jobs)
    if len(jobs) == 1 and jobs[0].problem:
        raise click.UsageError(jobs[0].problem)
    return jobs


def _is_beside(target: Path | None, file: InputFile, rename: Callable[[str], str]) -> bool:
    """Whether a target is where the result would go without an output."""
    beside = _target(file, None, False, rename)
    return target is not None and beside is not None and place(target) == place(beside)


def format_to_write(extension: str, output: str | None, jobs: Sequence[Job], quality: int | None) -> str:
    """Return Pillow's name of the format to write: that of --format, else of a single output file, else PNG.

    Raises:
        click.UsageError: Pillow writes no such format, it has no qualities but one is given, or the output file has no
            extension, or that of another format.
    """
    try:
        if not extension and output not in (None, STANDARD) and len(jobs) == 1 and jobs[0].target is not None:
            extension = extension_of(jobs[0].target)
        kind = format_of(extension or DEFAULT_FORMAT)
        check_quality(kind, quality)
    except InvalidOption as error:
        raise click.UsageError(error.reason) from None
    for job in jobs:
        if job.target is not None and names_another_format(job.target, kind):
            raise click.UsageError(f"{job.target} names another format than --format {extension}; drop one of them")
    return kind


def write_stdout(data: bytes) -> None:
    """Write to stdout."""
    stream = sys.stdout.buffer
    stream.write(data)
    stream.flush()


def is_taken(target: Path) -> bool:
    """Whether a file, folder or dangling link is there that a result must not replace silently."""
    if descriptor_of(target) is not None:
        return False
    return is_file(target) or is_folder(target) or is_dangling(target)


def is_dangling(path: Path) -> bool:
    """Whether a path is a link to nothing."""
    return is_link(path) and not is_there(path)


def names_a_picture(path: Path) -> bool:
    """Whether a name has the extension of a format that Pillow writes."""
    try:
        return bool(path.suffix) and bool(format_of(path.suffix))
    except InvalidOption:
        return False


def _open(file: InputFile) -> BinaryIO:
    if file.problem:
        raise OSError(file.problem)
    path = file.path
    if path is None:
        return io.BytesIO(_read_stdin())
    return io.BytesIO(path.read_bytes()) if _is_pipe(path) else path.open("rb")


def _is_pipe(path: Path) -> bool:
    return is_special(path) and path.is_fifo()


def _is_stream(path: Path) -> bool:
    """Whether a path is an open file such as /dev/stdin, or a device: no result should lie beside it."""
    return descriptor_of(path) is not None or (is_special(path) and not path.is_fifo())


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise click.UsageError("stdin is closed; give a file")
    return sys.stdin.buffer.read()


def _files_below(
    folder: Path, root: Path, wanted: Callable[[Path], bool], unwanted: Callable[[Path], bool], *, quiet: bool
) -> Iterator[InputFile]:
    """Yield the wanted files below a folder, and the folders that cannot be listed; see `collect`."""
    unlisted: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=unlisted.append):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not unwanted(Path(where, name)))
        for name in folders:
            if not quiet and is_link(Path(where, name)):
                complain(
                    "a link to a folder, which is not followed; give it as an input to take its files",
                    f"{Path(where, name)}",
                )
        for path in (Path(where, name) for name in sorted(names) if not name.startswith(".")):
            if wanted(path) and not is_special(path):
                yield InputFile(path, root / path.relative_to(folder), in_folder=True)
    for error in unlisted:
        path = Path(error.filename)
        problem = f"cannot list it: {describe(error)}"
        yield InputFile(path, root / path.relative_to(folder), in_folder=True, problem=problem)


def _is_folder(output: str, files: Sequence[InputFile]) -> bool:
    several = len(files) > 1 or any(file.in_folder for file in files)
    path = Path(output)
    if several and is_there(path) and not is_folder(path):
        raise click.UsageError(f"{output} is not a folder, and several results need one")
    return several or is_folder(path) or output.endswith(("/", os.sep))


def _target(file: InputFile, output: str | None, folder: bool, rename: Callable[[str], str]) -> Path | None:
    path = None if file.path is None or _is_stream(file.path) else file.path
    if output == STANDARD or (output is None and path is None):
        return None
    if output is not None and not folder:
        return Path(output)
    if path is None:
        raise click.UsageError(f"input from {file.path or 'stdin'} has no name; give a file with -o")
    if output is None:
        return path.with_name(rename(path.name))
    return Path(output, file.relative.with_name(rename(file.relative.name)))


def _checked(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs without repetitions; those that would write over each other or over an input have a problem."""
    origins = {place(job.source) for job in jobs if isinstance(job.source, Path)}
    takers: dict[str, dict[str, Job]] = {}
    for number, job in enumerate(jobs):
        if job.target is not None:
            origin = place(job.source) if isinstance(job.source, Path) else str(number)
            takers.setdefault(place(job.target), {}).setdefault(origin, job)
    checked = [job for job in jobs if job.target is None]
    for where, sharing in takers.items():
        names = [job.name for job in sharing.values()]
        for job in sharing.values():
            problem = ""
            if len(sharing) > 1:
                problem = (
                    f"{' and '.join(names)} would {'both' if len(names) == 2 else 'all'} be written to {job.target}; "
                    "rename one, keep the extensions "
                    "with --keep-extension, or write them to different folders"
                )
            elif where in origins:
                problem = f"{job.target} is an input; give another output with -o"
            checked.append(replace(job, problem=problem))
    order = {job.name: number for number, job in reversed(list(enumerate(jobs)))}
    return sorted(checked, key=lambda job: order[job.name])


def place(path: Path) -> str:
    """Return the same string for all spellings of a path."""
    return os.path.normcase(os.path.realpath(path))
