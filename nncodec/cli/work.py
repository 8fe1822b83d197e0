"""Run the jobs of a command, in this process or in several, and write each result as soon as it is there.

Workers only compute and return bytes; this process does all the writing. So workers can be terminated at any moment
without leaving half-written files.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from nncodec._support.files import write_file
from nncodec._support.text import count_of, describe, line_of
from nncodec._support.workers import each
from nncodec.cli.files import Job, is_taken, place, write_stdout
from nncodec.cli.options import Manner
from nncodec.cli.text import complain
from nncodec.errors import NncError


@dataclass(frozen=True)
class JobResult:
    """JobResult of one job.

    Args:
        parts: files to write: what goes into the target's name before its suffix, and the bytes.
        notes: lines for the user.
        report: the result in a few words.
        error: why the job failed; empty if it did not.
    """

    parts: tuple[tuple[str, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    report: str = ""
    error: str = ""


Work = Callable[[Job], JobResult]


def perform(jobs: Sequence[Job], work: Work, manner: Manner) -> None:
    """Run the jobs and write their results; each failure is one line on stderr, and the rest goes on.

    Args:
        work: picklable; called in this process or in workers.

    Raises:
        SystemExit: with status 1 if a job failed.
    """
    terminal = sys.stderr.isatty()
    failed = 0
    written: set[str] = set()
    with _progress(len(jobs) if terminal and len(jobs) > 1 else 0) as (say, advance):

        def finish(job: Job, result: JobResult) -> None:
            nonlocal failed
            error = result.error
            if not error:
                try:
                    names = _write(job, result.parts, manner.force, written)
                except NncError as problem:
                    error = str(problem)
                except OSError as problem:
                    if job.target is None:
                        raise  # stdout is closed: nobody reads on
                    error = f"cannot write {job.target}: {describe(problem)}"
            for note in result.notes:
                say(line_of(note, job.name))
            if error:
                failed += 1
                say(line_of(error, job.name))
            elif manner.verbose or (terminal and len(jobs) == 1):
                say(f"{job.name} -> {names}: {result.report}")
            advance()

        def due() -> Iterator[Job]:
            for job in jobs:
                if job.target is not None and is_taken(job.target) and not manner.force:
                    finish(job, JobResult(error=taken(job.target)))
                else:
                    yield job

        attempt = functools.partial(_attempt, work)
        with contextlib.closing(each(attempt, due(), manner.jobs, threads=manner.threads)) as results:
            for job, result in results:
                finish(job, result)
    if failed:
        if len(jobs) > 1:
            complain(f"{failed:,} of {count_of(len(jobs), 'file')} failed")
        sys.exit(1)


def _attempt(work: Work, job: Job) -> JobResult:
    try:
        return work(job)
    except Exception as error:  # one file must not stop the others, whatever is wrong with it
        return JobResult(error=describe(error))


def _write(job: Job, parts: Sequence[tuple[str, bytes]], force: bool, written: set[str]) -> str:
    """Write the parts of a result and return the names of the files for a message."""
    if job.target is None:
        write_stdout(parts[0][1])
        return "stdout"
    targets = [job.target.with_name(f"{job.target.stem}{infix}{job.target.suffix}") for infix, _ in parts]
    for target in targets:
        if place(target) in written:
            raise NncError(detail=f"another input was already written to {target}")
        if is_taken(target) and not force:
            raise NncError(detail=taken(target))
    for target, (_, data) in zip(targets, parts, strict=True):
        write_file(target, data)
        written.add(place(target))
    return str(targets[0]) if len(targets) == 1 else f"{targets[0]} to {targets[-1].name}"


def taken(target: Path) -> str:
    """Return why a file that is there keeps `target` from being written."""
    return f"{target} is a folder" if target.is_dir() else f"{target} is already there; use -f to overwrite it"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Yield functions that write a line and count a job, with a progress bar unless `total` is 0."""
    if not total:
        yield lambda line: click.echo(line, err=True), lambda: None
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(total=total, unit="file", dynamic_ncols=True) as bar:
        yield lambda line: bar.write(line, file=sys.stderr), lambda: bar.update() and None
