"""`nncodec batch`: encodes, decodes and checks very many files, and goes on where an earlier run ended."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from nncodec import batch
from nncodec._support.files import require_writable, write_file
from nncodec._support.text import count_of, duration_of, line_of, plain, size_of
from nncodec.api import DEFAULT_MODEL
from nncodec.batch.packing import SIBLINGS
from nncodec.batch.run import OnOutcome
from nncodec.cli.encoding import encode_settings, encoding_options
from nncodec.cli.files import DEFAULT_FORMAT, STANDARD, is_taken, place
from nncodec.cli.options import (
    animate_option,
    bytes_given,
    complete_models,
    device_option,
    excluding,
    file_options,
    no_stream,
    picture_quality_option,
    precision_option,
    strength_option,
)
from nncodec.cli.text import complain
from nncodec.cli.work import taken
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.errors import NncError

_F = TypeVar("_F", bound=Callable[..., Any])

_NOTES_SHOWN = 10
_RUN = ("engine", "scheduler", "workers", "shard", "force", "retry_killed")
_OUTPUT = ("dry_run", "sample", "report", "as_json", "verbose", "quiet")


def _run_options(command: _F) -> _F:
    """Add the arguments SOURCE and DEST, and the options of `BatchOptions` and `_perform`."""
    options = [
        click.argument("source", callback=no_stream),
        click.argument("dest", callback=no_stream),
        click.option(
            "--engine",
            type=click.Choice(["local", "dask"]),
            default="local",
            show_default=True,
            help="Processes of this machine, or Dask distributed.",
        ),
        click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler that runs, such as tcp://host:8786."),
        click.option(
            "-j",
            "--jobs",
            "workers",
            type=click.IntRange(1),
            metavar="N",
            help="Processes on this machine, with one thread each.  [default: one for each processor]",
        ),
        click.option(
            "--shard", default="1/1", metavar="I/N", help="Only part I of N, from 1/N to N/N, as in arrays of jobs."
        ),
        click.option("--dry-run", is_flag=True, help="Write nothing; estimate time and bytes from a sample."),
        click.option(
            "--sample",
            type=click.IntRange(2),
            default=16,
            show_default=True,
            metavar="N",
            help="Files that --dry-run tries.",
        ),
        click.option("--retry-killed", is_flag=True, help="Try files again that killed their worker earlier."),
        click.option("--report", metavar="FILE", help="Write what was done to a JSON file, too; - is --json."),
        click.option("--json", "as_json", is_flag=True, help="Write what was done to stdout as JSON."),
        click.option(
            "-f",
            "--force",
            is_flag=True,
            help="Write into a folder that has files which no batch made, and replace what is no report.",
        ),
        click.option("-v", "--verbose", is_flag=True, help="Report every file."),
        click.option("--quiet", is_flag=True, help="Report failures only."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group("batch", short_help="Encode, decode or check very many files.")
def batch_command() -> None:
    """Encode, decode or check very many files: a run that is repeated does only what is missing or has changed.

    SOURCE and DEST are folders, or URLs of object stores (s3://bucket/folder); SOURCE may also be a zip or tar file.
    What was done is in DEST/.nncodec-batch. Files that fail are noted, and stop nothing.
    """


@batch_command.command("encode", short_help="Encode all pictures below SOURCE.")
@click.option(
    "-m",
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="Model or alias, or a model file: mine.safetensors goes to all workers.",
)
@encoding_options
@file_options
@_run_options
@click.pass_context
def batch_encode(context: click.Context, /, source: str, dest: str, **options: Any) -> None:
    """Encode all pictures below SOURCE to .nnc files below DEST; folders are mirrored."""
    run, output = _taken(options, source)
    settings = encode_settings(context, options)
    made = batch.encoding(
        source,
        dest,
        settings.model,
        settings.quality,
        target_size=settings.target_size,
        target_bpp=settings.target_bpp,
        target_psnr=settings.target_psnr,
        strip=settings.strip,
        max_pixels=settings.max_pixels,
        keep_extension=options["keep_extension"],
        run=run,
        **settings.options,
    )
    _perform(made, **output)


@batch_command.command("decode", short_help="Decode all .nnc files below SOURCE.")
@click.option("--format", default=DEFAULT_FORMAT, show_default=True, metavar="EXT", help="Format to write.")
@picture_quality_option
@animate_option
@click.option(
    "--enhancer",
    metavar="NAME",
    help=f"Enhance the pictures; '{RECOMMENDED}' uses the enhancer that each file recommends, if any.",
)
@strength_option
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Model file that files were encoded with; goes to all workers.",
)
@precision_option
@device_option
@file_options
@_run_options
def batch_decode(source: str, dest: str, **options: Any) -> None:
    """Decode all .nnc files below SOURCE to pictures below DEST; folders are mirrored."""
    run, output = _taken(options, source, models=options.pop("models"))
    if options["strength"] is not None and options["enhancer"] is None:
        raise click.UsageError("--strength needs --enhancer")
    _perform(batch.decoding(source, dest, run=run, **options), **output)


@batch_command.command("check", short_help="Check that all pictures have sound results.")
@click.option("--keep-extension", is_flag=True, help="As it was given to 'batch encode'.")
@_run_options
def batch_check(source: str, dest: str, keep_extension: bool, **options: Any) -> None:
    """Check that every picture below SOURCE has a sound .nnc file below DEST: it is there, and its checksums hold."""
    run, output = _taken(options, source)
    _perform(batch.checking(source, dest, keep_extension=keep_extension, run=run), **output)


@batch_command.command("pack", short_help="Pack .nnc files into tar files for training.")
@click.argument("source", callback=no_stream)
@click.argument("dest", callback=no_stream)
@click.option(
    "--shards",
    "shard_bytes",
    default="1GB",
    show_default=True,
    metavar="SIZE",
    callback=bytes_given,
    help="Size of the tar files.",
)
@click.option(
    "--beside",
    callback=no_stream,
    metavar="FOLDER",
    help=f"Where files of the same name ({', '.join(SIBLINGS)}) lie that go along, if not in SOURCE.",
)
@click.option("--seed", type=int, metavar="N", help="Of the order, which is random.  [default: 0]")
@click.option("--in-order", is_flag=True, help="Keep the order of names.")
@click.option("--json", "as_json", is_flag=True, help="Write what was done to stdout as JSON.")
@click.option("--quiet", is_flag=True, help="Report failures only.")
def batch_pack(
    source: str,
    dest: str,
    shard_bytes: int,
    beside: str | None,
    seed: int | None,
    in_order: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Pack the .nnc files below SOURCE into tar files in DEST, as WebDataset and nncodec.torch read them.

    SOURCE and DEST are folders or URLs. A run that is repeated writes only what is missing or has changed.
    """
    if in_order and seed is not None:
        raise click.UsageError(excluding("--seed", "--in-order"))
    order = None if in_order else seed or 0
    report = batch.pack(source, dest, shard_bytes=shard_bytes, beside=beside, seed=order)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    elif not quiet:
        made = f"{count_of(report.samples, 'picture')} in {count_of(report.shards, 'tar file')}"
        click.echo(f"{made}, {size_of(report.bytes)}; {report.written:,} written", err=True)


def _taken(
    options: dict[str, Any], source: str, models: tuple[Path, ...] = ()
) -> tuple[batch.BatchOptions, dict[str, Any]]:
    """Pop the options of `_run_options`; return those of the run, and those of `_perform`."""
    if options["verbose"] and options["quiet"]:
        raise click.UsageError(excluding("--verbose", "--quiet"))
    if options["report"] == STANDARD:
        options["report"], options["as_json"] = None, True
    if options["report"] is not None:
        _check_report(Path(options["report"]), source, force=options["force"])
    run = batch.BatchOptions(models=models, **{name: options.pop(name) for name in _RUN})
    return run, {name: options.pop(name) for name in _OUTPUT}


def _check_report(path: Path, source: str, *, force: bool) -> None:
    """Refuse to replace anything but an earlier report, unless forced, and files of SOURCE in any case."""
    if is_taken(path) and not _is_report(path):
        if Path(place(path)).is_relative_to(place(Path(source.removeprefix("file://")))):
            raise click.UsageError(f"{path} belongs to SOURCE; give another file for the report")
        if path.is_dir() or not force:
            raise NncError(detail=taken(path))
    require_writable(path)


def _is_report(path: Path) -> bool:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.keys() >= {"source_bytes", "result_bytes", "work_seconds"}


def _perform(
    made: batch.Batch, *, dry_run: bool, sample: int, report: str | None, as_json: bool, verbose: bool, quiet: bool
) -> None:
    """Run a batch, or estimate it; exit with status 1 if a file failed."""
    if dry_run:
        _write(made.estimate(sample), report, as_json, _line_of_estimate, quiet=quiet)
        return
    with _shown(verbose=verbose, quiet=quiet) as on_outcome:
        done = made.run(on_outcome)
    if not verbose and not quiet:
        _tell(done.notes)
    _write(done, report, as_json, _line_of_report, quiet=quiet)
    if done.failed:
        complain(f"{done.failed:,} of {count_of(done.done + done.skipped + done.failed, 'file')} failed")
        sys.exit(1)


def _write(
    values: batch.Report | batch.Estimate, path: str | None, as_json: bool, line: Callable[[Any], str], *, quiet: bool
) -> None:
    text = json.dumps(asdict(values), indent=2)
    if path is not None:
        write_file(Path(path), text.encode() + b"\n")
    if as_json:
        click.echo(text)
    elif not quiet:
        click.echo(line(values), err=True)


@contextlib.contextmanager
def _shown(*, verbose: bool, quiet: bool) -> Iterator[OnOutcome]:
    """Yield what shows the outcome of each file: a line for failures, with `verbose` for all, and a bar of progress."""
    with contextlib.ExitStack() as stack:
        bar = None
        if sys.stderr.isatty() and not quiet:
            from tqdm import tqdm  # type: ignore[import-untyped]

            bar = stack.enter_context(tqdm(unit="file", dynamic_ncols=True))

        def say(line: str) -> None:
            if bar is None:
                click.echo(line, err=True)
            else:
                bar.write(line, file=sys.stderr)

        def show(source: str, result: str, outcome: batch.Outcome) -> None:
            if outcome.error:
                say(line_of(outcome.error, source))
            elif verbose:
                for note in outcome.notes:
                    say(line_of(note, source))
                say(plain(f"{source} -> {result}: {count_of(outcome.bytes, 'byte')}, {outcome.seconds:.2f} s"))
            if bar is not None:
                bar.update()

        yield show


def _tell(notes: Mapping[str, int]) -> None:
    """Write the most frequent notes, each with the number of files that it is of."""
    for note, files in sorted(notes.items(), key=lambda kind: -kind[1])[:_NOTES_SHOWN]:
        complain(f"{count_of(files, 'file')}: {note}")
    if len(notes) > _NOTES_SHOWN:
        complain(f"and {len(notes) - _NOTES_SHOWN:,} more kinds of notes; -v shows those of each file")


def _line_of_report(report: batch.Report) -> str:
    made = f" -> {size_of(report.result_bytes)}" if report.result_bytes else ""
    sizes = f"{size_of(report.source_bytes)}{made}"
    parts = [count_of(report.done, "file"), sizes, duration_of(report.seconds)]
    told = {"skipped": report.skipped, "failed": report.failed, "without a picture": report.extra}
    parts += [f"{number:,} {what}" for what, number in told.items() if number]
    if report.links:
        parts.append(f"{count_of(report.links, 'link')} to folders not followed")
    if report.outside:
        parts.append(f"{count_of(report.outside, 'name')} outside the archive left out")
    if report.restarts:
        parts.append(f"{count_of(report.restarts, 'worker')} died")
    return ", ".join(parts)


def _line_of_estimate(estimate: batch.Estimate) -> str:
    spread = "" if estimate.uncertainty != estimate.uncertainty else f" (+-{100 * estimate.uncertainty:.0f}%)"
    return (
        f"{count_of(estimate.files, 'file')} due, {size_of(estimate.source_bytes)} -> about "
        f"{size_of(estimate.result_bytes)} in about {duration_of(estimate.seconds)}{spread}, by a sample of "
        f"{estimate.sampled:,}; {estimate.skipped:,} done already"
    )
