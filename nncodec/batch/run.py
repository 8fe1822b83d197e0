"""Runs a batch: finds what is due, gives it to an engine, notes what became of it, and reports."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from nncodec._support.extras import require
from nncodec._support.several import several
from nncodec._support.threads import allowed_threads
from nncodec._version import __version__
from nncodec.batch.engine import Engine
from nncodec.batch.local import LocalEngine
from nncodec.batch.manifest import MANIFEST, Item, Manifest, Outcome, Shard
from nncodec.batch.operations import Checking, Operation
from nncodec.batch.planning import Plan, cannot_list, evenly, grouped
from nncodec.batch.stores import STATE_FOLDER, open_store, url_of
from nncodec.batch.work import Assignment
from nncodec.coding.envelope import require_range
from nncodec.errors import InvalidOption, NncError

Place = str | os.PathLike[str]
OnOutcome = Callable[[str, str, Outcome], None]
"""Called with the source, the result and the outcome of every file that was done or failed."""

_MAX_ERRORS = 1000
"""Errors that a report lists; the manifest has all."""
_MAX_NOTES = 1000
"""Kinds of notes that a report counts."""
_SCRATCH = "tmp"


@dataclass(frozen=True)
class BatchOptions:
    """How a batch runs, whatever it does.

    Args:
        engine: "local" for processes of this machine, "dask" for Dask distributed.
        scheduler: address of a Dask scheduler, which implies `engine="dask"`; without it Dask runs on this machine.
        workers: processes of this machine; by default one for each processor. Each computes with one thread.
        shard: `i/N`: only the files that belong to part i of N, 1 to N, by a hash of their names.
        force: write into a folder that is neither empty nor the destination of an earlier batch.
        retry_killed: try files again that killed their worker in an earlier run.
        pixels_in_flight: of all large files that local workers code at once. A file alone may exceed it.
        models: model files to use without installing them, such as those that files were encoded with; workers get
            their contents.

    Raises:
        InvalidOption: one has another type, or is out of range.
    """

    engine: Literal["local", "dask"] = "local"
    scheduler: str | None = None
    workers: int | None = None
    shard: str = "1/1"
    force: bool = False
    retry_killed: bool = False
    pixels_in_flight: int = 1 << 28
    models: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.engine not in ("local", "dask"):
            raise InvalidOption(option="engine", reason=f"{self.engine!r} is not 'local' or 'dask'")
        if self.workers is not None:
            require_range("workers", self.workers, 1)
        require_range("pixels_in_flight", self.pixels_in_flight, 1)
        try:
            Shard.of_text(self.shard)
        except ValueError as error:
            raise InvalidOption(option="shard", reason=str(error)) from None
        paths = tuple(Path(url_of("models", path)) for path in several("models", self.models))
        object.__setattr__(self, "models", paths)


@dataclass
class Report:
    """What a run has done.

    Args:
        operation: "encode", "decode" or "check".
        source, dest: where files are and where results went.
        shard: the part of the files that was due.
        done, skipped, failed: numbers of files; skipped are those that an earlier run had done.
        extra: .nnc files in `dest`, of `check`, that no picture of `source` has as its result.
        links: links to folders in `source`, which are not followed.
        outside: names in an archive that lead outside it, such as `../a.png`, which are left out.
        source_bytes, result_bytes, pixels: of the files that were done.
        work_seconds: of all workers together.
        seconds: from start to end.
        restarts: workers that died.
        errors: name, error and kind ("transport", "killed", or empty for what is wrong with the file) of files that
            failed, the first thousand.
        notes: what was noted of files that were done, such as a conversion, up to the first colon, and of how many.
        version: of this package.
    """

    operation: str
    source: str
    dest: str
    shard: str
    done: int = 0
    skipped: int = 0
    failed: int = 0
    extra: int = 0
    links: int = 0
    outside: int = 0
    source_bytes: int = 0
    result_bytes: int = 0
    pixels: int = 0
    work_seconds: float = 0.0
    seconds: float = 0.0
    restarts: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    version: str = __version__

    def count(self, item: Item, outcome: Outcome) -> None:
        """Take a file into account."""
        if outcome.error:
            self.failed += 1
            if len(self.errors) < _MAX_ERRORS:
                self.errors.append({"source": item.source, "error": outcome.error, "kind": outcome.kind})
            return
        self.done += 1
        self.source_bytes += item.size or 0
        self.result_bytes += outcome.bytes
        self.pixels += outcome.pixels
        self.work_seconds += outcome.seconds
        for note in {note.partition(":")[0] for note in outcome.notes}:
            if note in self.notes or len(self.notes) < _MAX_NOTES:
                self.notes[note] = self.notes.get(note, 0) + 1


@dataclass(frozen=True)
class Estimate:
    """What a run would do, by estimate from a sample that was done without writing.

    Args:
        files, source_bytes: that are due.
        skipped: files that an earlier run has done.
        failed: files that fail before any work.
        sampled, sample_failed: files of the sample, and those that failed.
        result_bytes: expected of all results.
        work_seconds: expected of all workers together.
        seconds: expected from start to end.
        uncertainty: of time and bytes, as a share: two standard errors of the sample.
    """

    files: int
    source_bytes: int
    skipped: int
    failed: int
    sampled: int
    sample_failed: int
    result_bytes: int
    work_seconds: float
    seconds: float
    uncertainty: float


class Batch:
    """One run of an operation.

    Args:
        operation: what to do with each file.
        source, dest: paths or URLs.
        options: how to run.

    Raises:
        InvalidOption: a place is no path or URL.
        NncError: a store cannot be used.
    """

    def __init__(self, operation: Operation, source: Place, dest: Place, options: BatchOptions) -> None:
        self._shard = Shard.of_text(options.shard)
        self._operation, self._options = operation, options
        self._folder = f"{operation.name}/{self._shard.folder}"
        scratch = f"{self._folder}/{_SCRATCH}"
        self._source, self._dest = open_store(url_of("source", source)), open_store(url_of("dest", dest), scratch)
        self._assignment = Assignment(operation, self._source.url, self._dest.url, scratch, options.models)
        self._workers = options.workers or allowed_threads()

    def run(self, on_outcome: OnOutcome | None = None) -> Report:
        """Do what is due.

        Raises:
            NncError: the source is not there, the destination belongs to something else or cannot be written, another
                run has this shard, or the engine is lost.
            OSError: the manifest cannot be written.
        """
        start = time.monotonic()
        self._check_source()
        self._check_dest()
        engine = self._engine(self._assignment)
        with self._dest.locked(self._folder):
            self._dest.clean(f"{self._folder}/{_SCRATCH}")
            plan, manifest = self._plan()
            report = Report(self._operation.name, self._source.url, self._dest.url, self._options.shard)
            self._note("run", {"source": self._source.url, "options": self._operation.digest(), "version": __version__})

            def note(item: Item, outcome: Outcome) -> None:
                manifest.add(item, outcome)
                report.count(item, outcome)
                if on_outcome is not None:
                    on_outcome(item.source, item.result, outcome)

            try:
                with contextlib.closing(engine.run(grouped(_without_failures(plan, note)))) as outcomes:
                    for item, outcome in outcomes:
                        note(item, outcome)
            finally:
                manifest.close()
                report.skipped, report.extra = plan.skipped, plan.extra
                report.links, report.outside = self._source.links, self._source.outside
                report.restarts = engine.restarts
                report.seconds = time.monotonic() - start
            self._note("report", asdict(report))
        return report

    def estimate(self, sample: int = 16) -> Estimate:
        """Do a sample of what is due, without writing anything.

        Args:
            sample: most files to do, 2 or more.

        Raises:
            NncError: see `run`.
        """
        require_range("sample", sample, 2)
        self._check_dest()
        plan, _ = self._plan()
        failed = 0

        def fail(item: Item, outcome: Outcome) -> None:
            nonlocal failed
            failed += 1

        chosen, files, source_bytes = evenly(_without_failures(plan, fail), sample)
        assignment = Assignment(**vars(self._assignment) | {"publishes": False})
        done: list[tuple[Item, Outcome]] = []
        if chosen:
            groups = ([item] for item in chosen)
            with contextlib.closing(self._engine(assignment).run(groups)) as outcomes:
                done = [(item, outcome) for item, outcome in outcomes if not outcome.error]
        # Files whose size the store does not say count as one each.
        sizes = [float(item.size or 1) for item, _ in done]
        total = float(source_bytes or files)
        work, work_error = _ratio([outcome.seconds for _, outcome in done], sizes)
        made, made_error = _ratio([float(outcome.bytes) for _, outcome in done], sizes)
        return Estimate(
            files=files,
            source_bytes=source_bytes,
            skipped=plan.skipped,
            failed=failed,
            sampled=len(chosen),
            sample_failed=len(chosen) - len(done),
            result_bytes=round(made * total),
            work_seconds=work * total,
            seconds=work * total / max(1, min(self._workers, files)),
            uncertainty=2 * max(work_error, made_error),
        )

    def _check_source(self) -> None:
        """Raise NncError if the source cannot be listed, before anything is written."""
        try:
            self._source.listing("")
        except Exception as error:  # the stores of fsspec may raise anything
            raise cannot_list(self._source, error) from error

    def _check_dest(self) -> None:
        """Raise NncError if the destination holds files that no batch has made, or none to check."""
        if isinstance(self._operation, Checking):
            if self._has_run("decode") and not self._has_run("encode"):
                reason = "pictures that were decoded; check verifies the .nnc files that pictures were encoded to"
                raise NncError(detail=f"{self._dest.url} holds {reason}")
            return
        if self._options.force:
            return
        if not self._dest.is_empty() and not self._dest.has_state():
            raise NncError(
                detail=f"{self._dest.url} has files already; choose an empty folder, or use -f to write there"
            )

    def _has_run(self, operation: str) -> bool:
        return any(True for _ in self._dest.logs(operation, MANIFEST, lambda _: True))

    def _plan(self) -> tuple[Plan, Manifest]:
        manifest = Manifest(self._dest, self._operation.name, self._shard, self._operation.digest())
        manifest.read()
        plan = Plan(
            self._source, self._dest, self._operation, self._shard, manifest, retry_killed=self._options.retry_killed
        )
        return plan, manifest

    def _engine(self, assignment: Assignment) -> Engine:
        options = self._options
        if options.engine == "dask" or options.scheduler is not None:
            require("distributed", "dask", "the engine dask")
            from nncodec.batch.dask_engine import DaskEngine

            return DaskEngine(assignment, options.scheduler, self._workers)
        return LocalEngine(assignment, self._workers, options.pixels_in_flight)

    def _note(self, name: str, values: dict[str, object]) -> None:
        data = json.dumps(values, indent=2).encode() + b"\n"
        self._dest.publish(f"{STATE_FOLDER}/{self._folder}/{name}.json", data)


def _without_failures(plan: Plan, fail: Callable[[Item, Outcome], None]) -> Iterator[Item]:
    for item, outcome in plan.due():
        if outcome is None:
            yield item
        else:
            fail(item, outcome)


def _ratio(values: list[float], sizes: list[float]) -> tuple[float, float]:
    """Return the sum of values over the sum of sizes, and the relative standard error of this estimate.

    References:
        Cochran, Sampling Techniques, 3rd edition, section 6.4 (ratio estimates).
    """
    total, size = sum(values), sum(sizes)
    if len(values) < 2 or not total or not size:
        return (total / size if size else 0.0), math.nan
    ratio = total / size
    residuals = [value - ratio * own for value, own in zip(values, sizes, strict=True)]
    return ratio, statistics.stdev(residuals) * math.sqrt(len(values)) / total
