"""Run the jobs of a command, in this process or in several, and write each result as soon as it is there.

Workers only compute and return bytes; this process does all the writing. So workers can be terminated at any moment
without leaving half-written files.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from nncodec._support.files import is_folder, write_file
from nncodec._support.text import count_of, describe, duration_of, line_of, plain, size_of
from nncodec._support.workers import each
from nncodec.cli.files import Job, is_dangling, is_taken, place, write_stdout
from nncodec.cli.options import Manner
from nncodec.cli.text import complain, show_traceback
from nncodec.errors import NncError


@dataclass(frozen=True)
class JobResult:
    """JobResult of one job.

    Args:
        parts: files to write: what goes into the target's name before its suffix, and the bytes.
        notes: lines for the user.
        report: the result in a few words.
        error: why the job failed; empty if it did not.
        run_notes: lines that hold for every job; each is written once.
    """

    parts: tuple[tuple[str, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    report: str = ""
    error: str = ""
    run_notes: tuple[str, ...] = ()


_SKIPPED = JobResult()

Work = Callable[[Job], JobResult]


def perform(jobs: Sequence[Job], work: Work, manner: Manner) -> None:
    """Run the jobs and write their results; each failure is one line on stderr, and the rest goes on.

    Args:
        work: picklable; called in this process or in workers.

    Raises:
        SystemExit: with status 1 if a job failed.
    """
    terminal = sys.stderr.isatty() and not manner.quiet
    batch = _Batch(manner, terminal, len(jobs))
    with _progress(len(jobs) if terminal and len(jobs) > 1 else 0) as (say, advance):

        def finish(job: Job, result: JobResult) -> None:
            for line in batch.lines_of(job, result):
                say(line)
            advance()

        def due() -> Iterator[Job]:
            for job in jobs:
                if result := batch.refusal(job):
                    finish(job, result)
                else:
                    yield job

        attempt = functools.partial(_attempt, work)
        results = each(attempt, due(), manner.jobs, threads=manner.threads, lost=_lost)
        with contextlib.closing(results):
            for job, result in results:
                finish(job, result)
    if len(jobs) > 1 and (manner.verbose or terminal):
        click.echo(batch.summary(), err=True)
    if batch.failed:
        if len(jobs) > 1:
            complain(f"{batch.failed:,} of {count_of(len(jobs), 'file')} failed")
        sys.exit(1)


class _FramesAreThere(Exception):
    """All files of a result with several are already there, and --skip-existing or --update is given."""


class _Batch:
    """Writes the results of a command's jobs, and counts them.

    Args:
        manner: of the command.
        terminal: whether somebody watches.
        total: number of jobs.

    Attributes:
        failed: jobs that failed so far.
    """

    def __init__(self, manner: Manner, terminal: bool, total: int) -> None:
        self._manner, self._alone = manner, terminal and total == 1
        self._written: set[str] = set()
        self._told: set[str] = set()
        self._start = time.monotonic()
        self._done = self._skipped = self._before = self._after = 0
        self.failed = 0

    def refusal(self, job: Job) -> JobResult | None:
        """Return the result of a job that must not run; None if it must."""
        if job.problem:
            return JobResult(error=job.problem)
        if self._is_done(job, job.target):
            return _SKIPPED
        if job.target is not None and is_taken(job.target) and not self._may_replace(job):
            return JobResult(error=taken(job.target, job))
        return None

    def lines_of(self, job: Job, result: JobResult) -> list[str]:
        """Write a result; return the lines to show."""
        manner, error, names = self._manner, result.error, ""
        if result is _SKIPPED:
            self._skipped += 1
            return [plain(f"{job.name}: skipped, {job.target} is there")] if manner.verbose else []
        if not error:
            try:
                names = self._write(job, result.parts)
            except _FramesAreThere:
                self._skipped += 1
                return [plain(f"{job.name}: skipped, its frames are there")] if manner.verbose else []
            except NncError as problem:
                error = str(problem)
            except OSError as problem:
                if job.target is None:
                    raise  # stdout is closed: nobody reads on
                error = f"cannot write {job.target}: {describe(problem)}"
        lines = [] if manner.quiet else self._notes_of(job, result)
        if error:
            self.failed += 1
            return [*lines, line_of(error, job.name)]
        before, after = job.source_bytes, sum(len(data) for _, data in result.parts)
        self._done += 1
        self._before += before
        self._after += after
        if manner.verbose or self._alone:
            sizes = f"{before:,} -> {count_of(after, 'byte')}"
            lines.append(plain(f"{job.name} -> {names}: {sizes}, {result.report}"))
        return lines

    def _notes_of(self, job: Job, result: JobResult) -> list[str]:
        new = [note for note in result.run_notes if note not in self._told]
        self._told.update(new)
        return [*map(line_of, new), *(line_of(note, job.name) for note in result.notes)]

    def summary(self) -> str:
        """Return what was done in one line: `20 files, 12.3 MB -> 1.4 MB, 31 s`."""
        parts = [
            count_of(self._done, "file"),
            f"{size_of(self._before)} -> {size_of(self._after)}",
            duration_of(time.monotonic() - self._start),
        ]
        if self._skipped:
            parts.append(f"{self._skipped:,} skipped")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        return ", ".join(parts)

    def _is_done(self, job: Job, target: Path | None) -> bool:
        skips = self._manner.skip_existing or self._manner.update
        return skips and job.is_done(target, update=self._manner.update)

    def _may_replace(self, job: Job) -> bool:
        force, update = self._manner.force, self._manner.update
        return job.overwrites and (force or (update and (job.target is None or not is_dangling(job.target))))

    def _write(self, job: Job, parts: Sequence[tuple[str, bytes]]) -> str:
        """Write the parts of a result and return the names of the files; raises _FramesAreThere to skip the job."""
        if job.target is None:
            write_stdout(parts[0][1])
            return "stdout"
        targets = [job.target.with_name(f"{job.target.stem}{infix}{job.target.suffix}") for infix, _ in parts]
        due: list[tuple[Path, bytes]] = []
        for target, (_, data) in zip(targets, parts, strict=True):
            if place(target) in self._written:
                raise NncError(detail=f"another input was already written to {target}")
            if self._is_done(job, target):
                continue
            if not is_taken(target) or self._may_replace(job):
                due.append((target, data))
            else:
                raise NncError(detail=taken(target, job))
        if not due:
            raise _FramesAreThere
        _write_all(due)
        self._written.update(place(target) for target, _ in due)
        return str(targets[0]) if len(targets) == 1 else f"{targets[0]} to {targets[-1].name}"


def _write_all(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write files; if one cannot be written, none of those stays that were not there before."""
    new: list[Path] = []
    try:
        for target, data in files:
            is_new = not os.path.lexists(target)
            try:
                write_file(target, data)
            except OSError as problem:
                raise NncError(detail=f"cannot write {target}: {describe(problem)}") from problem
            if is_new:
                new.append(target)
    except BaseException:
        for target in new:
            target.unlink(missing_ok=True)
        raise


def _attempt(work: Work, job: Job) -> JobResult:
    try:
        return work(job)
    except Exception as error:  # one file must not stop the others, whatever is wrong with it
        show_traceback()
        return JobResult(error=describe(error))


def _lost(_: Job, reason: str) -> JobResult:
    return JobResult(error=reason)


def taken(target: Path, job: Job | None = None) -> str:
    """Return why what is there keeps `target` from being written, by a job if it is given."""
    if is_folder(target):
        return f"{target} is a folder"
    if is_dangling(target):
        return f"{target} is a link to a file that does not exist; use -f to replace the link"
    if job is not None and not job.overwrites:
        return f"{target} is already there, and may be the original; to overwrite it, name it with -o and use -f"
    return f"{target} is already there; use -f to overwrite it"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Yield functions that write a line and count a job, with a progress bar unless `total` is 0."""
    if not total:
        yield lambda line: click.echo(line, err=True), lambda: None
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(total=total, unit="file", dynamic_ncols=True) as bar:
        yield lambda line: bar.write(line, file=sys.stderr), lambda: bar.update() and None
