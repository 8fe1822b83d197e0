"""Jobs done one after another or in several processes, each result written when it is there.

Workers compute and return bytes; this process alone writes. So workers can be ended at any moment, and nothing is
left of what was not finished.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from nncodec._support.files import write_file
from nncodec._support.text import count_of, describe, line_of
from nncodec._support.workers import interrupts_held, start_worker, use_threads
from nncodec.cli.files import Job, is_taken, place, write_stdout
from nncodec.cli.options import Manner
from nncodec.cli.text import complain
from nncodec.errors import NncError

_MOST_WORKERS = 61  # more than Windows can wait for


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Args:
        parts: bytes to write, each with what is put into the target's name before its suffix.
        notes: what the user should know.
        report: the result in a few words.
        error: why there is none.
    """

    parts: tuple[tuple[str, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    report: str = ""
    error: str = ""


Work = Callable[[Job], Result]


def perform(jobs: Sequence[Job], work: Work, manner: Manner) -> None:
    """Do the jobs and write their results; what fails is said in one line each, and the rest goes on.

    Args:
        work: picklable, called in this process or in others.

    Raises:
        SystemExit: with status 1 if a job failed.
    """
    terminal = sys.stderr.isatty()
    failed = 0
    written: set[str] = set()
    with _progress(len(jobs) if terminal and len(jobs) > 1 else 0) as (say, advance):

        def finish(job: Job, result: Result) -> None:
            nonlocal failed
            error = result.error
            if not error:
                try:
                    names = _write(job, result.parts, manner.force, written)
                except NncError as problem:
                    error = str(problem)
                except OSError as problem:
                    if job.target is None:
                        raise  # stdout is closed: there is nobody left to write for
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
                    finish(job, Result(error=taken(job.target)))
                else:
                    yield job

        run(work, due(), manner, finish)
    if failed:
        if len(jobs) > 1:
            complain(f"{failed:,} of {count_of(len(jobs), 'file')} failed")
        sys.exit(1)


def run(work: Work, jobs: Iterable[Job], manner: Manner, finish: Callable[[Job, Result], None]) -> None:
    """Call `finish` in this process with every job and its result, in the order in which they are done."""
    if manner.jobs == 1:
        if manner.threads:
            use_threads(manner.threads)
        for job in jobs:
            finish(job, _attempt(work, job))
        return
    threads = manner.threads or max(1, (os.cpu_count() or 1) // manner.jobs)
    context = multiprocessing.get_context("spawn")  # a forked torch can hang
    workers = min(manner.jobs, _MOST_WORKERS)
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, start_worker, (threads,))
    attempt = functools.partial(_attempt, work)
    pending: dict[concurrent.futures.Future[Result], Job] = {}
    waiting = iter(jobs)

    def submit() -> None:
        for job in itertools.islice(waiting, 2 * workers - len(pending)):
            with interrupts_held():
                pending[pool.submit(attempt, job)] = job

    try:
        submit()
        if pending:  # a pool watches the workers it had at the last call, and that call may have started one more
            with interrupts_held():
                pool.submit(int)
        while pending:
            done, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                finish(pending.pop(future), future.result())
            submit()
        pool.shutdown()
    except concurrent.futures.process.BrokenProcessPool:
        pool.shutdown(wait=False, cancel_futures=True)
        raise NncError(detail="a worker process died, most likely for lack of memory; use a smaller -j") from None
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise


def _attempt(work: Work, job: Job) -> Result:
    try:
        return work(job)
    except Exception as error:  # one file must not stop the others, whatever is wrong with it
        return Result(error=describe(error))


def _write(job: Job, parts: Sequence[tuple[str, bytes]], force: bool, written: set[str]) -> str:
    """Write the parts of a result and return how to call them."""
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
    """Return why nothing is written to `target`."""
    return f"{target} is a folder" if target.is_dir() else f"{target} is already there; use -f to overwrite it"


@contextlib.contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Yield how to say a line and how to count a job, with a bar on the terminal unless `total` is 0."""
    if not total:
        yield lambda line: click.echo(line, err=True), lambda: None
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(total=total, unit="file", dynamic_ncols=True) as bar:
        yield lambda line: bar.write(line, file=sys.stderr), lambda: bar.update() and None
