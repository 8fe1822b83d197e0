"""`nncodec train`: trains a model on the user's pictures. Modules that need torch are imported when training starts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from nncodec._support.interrupts import INTERRUPTED
from nncodec._support.text import count_of, describe
from nncodec._support.worker_process import use_threads
from nncodec.cli.options import force_option, no_stream
from nncodec.cli.text import SEE_TRACEBACK, complain, show_traceback, table
from nncodec.cli.train_display import Display, duration, figures_text
from nncodec.cli.train_settings import ARGUMENTS, SettingsCommand, no_architecture, read_base, setting_values, shown
from nncodec.errors import NncError, PluginError
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, is_model_name
from nncodec.training.recipe import find_recipe, trainable_architectures
from nncodec.training.settings import Text, combine, read_toml, settings_of

if TYPE_CHECKING:
    from nncodec.training.distributed import ProcessGroup
    from nncodec.training.engine import Run, TrainingResult

_F = TypeVar("_F", bound=Callable[..., Any])


def _setting(name: str, kind: type, help_text: str) -> Callable[[_F], _F]:
    return click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar="N", help=help_text)


_OWN_OPTIONS = ("epochs", "steps", "minutes", "batch_size", "learning_rate", "crop", "seed", "device")


@click.command("train", cls=SettingsCommand)
@click.argument("what", nargs=-1, metavar="ARCHITECTURE [FOLDER_OR_IDX]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Model file, .safetensors.")
@click.option("--name", metavar="NAME", help="Name of the model.  [default: the file's name]")
@click.option("--low", type=click.Path(path_type=Path), metavar="FOLDER", help="For enhancers: worse pictures, ...")
@click.option(
    "--high",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="... and good ones with the same names. Without --low, the same as FOLDER_OR_IDX.",
)
@click.option(
    "--from",
    "--pretrained",
    "base",
    metavar="MODEL",
    help="Continue from this model: a name, an alias or a .safetensors file.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings in TOML, one 'key = value' per line.",
)
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Set one setting; --key value does the same."
)
@click.option("--list-settings", is_flag=True, help="Show every setting of the architecture, with its default.")
@_setting("epochs", int, "Length: passes over the pictures, ...")
@_setting("steps", int, "... batches, ...")
@_setting("minutes", float, "... or minutes.")
@_setting("batch_size", int, "Pictures or crops per step.")
@_setting("learning_rate", float, "Peak learning rate.")
@_setting("crop", int, "Edge of crops, pixels.")
@_setting("seed", int, "Seed of all randomness.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads.  [default: all]")
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    callback=no_stream,
    metavar="FOLDER",
    help="Folder for checkpoints, logs, plot and samples.  [default: the output with .run]",
)
@click.option("--resume", is_flag=True, help="Continue the run in that folder.")
@click.option("--licence", metavar="TEXT", default="", help="For the model's card.")
@force_option
@click.pass_context
def train_command(ctx: click.Context, /, **options: Any) -> None:
    """Train a model on your own pictures: a folder (with its subfolders), or an IDX file.

    \b
    nncodec train hyperprior photos -o mine.safetensors
    nncodec train scans --from photo --minutes 10 -o scans.safetensors
    nncodec train dense digits-idx3-ubyte.gz --set latents=16 -o digits.safetensors
    nncodec train srgan --low small --high large -o x4.safetensors
    nncodec train srgan --help

    Every setting of the architecture is also an option: 'train ARCHITECTURE --help' shows them. Ctrl-C saves the run
    and prints the command that resumes it. With several processes:

    \b
    torchrun --nproc-per-node 2 -m nncodec train hyperprior photos -o mine.safetensors
    """
    if options["threads"]:
        use_threads(options["threads"])
    base = read_base(options["base"])
    architecture, data = _architecture_and_data(options["what"], base)
    data = _high_or_data(data, options)
    if options["list_settings"]:
        _list_settings(architecture)
        return
    run = _make_run(architecture, data, base, options)
    _train(ctx, run)


def _architecture_and_data(what: tuple[str, ...], base: ModelFile | None) -> tuple[str, Path | None]:
    """Tell architecture and data apart; with --from the architecture may be left out."""
    known = registry.catalog().architectures
    if len(what) > 2:
        raise click.UsageError(f"{len(what)} arguments are given; give an architecture and one folder or IDX file")
    if base is not None and len(what) == 1 and what[0] not in known:
        return base.architecture, Path(what[0])
    if base is not None and not what:
        return base.architecture, None
    if not what:
        names = ", ".join(trainable_architectures()) or "none"
        raise click.UsageError(f"give an architecture ({names}) and a folder of pictures or an IDX file")
    if what[0] not in known:
        raise click.UsageError(no_architecture(what[0]))
    return what[0], Path(what[1]) if len(what) == 2 else None


def _high_or_data(data: Path | None, options: dict[str, Any]) -> Path | None:
    high: Path | None = options["high"]
    if high is not None and data is not None:
        raise click.UsageError(f"the pictures are given twice, {data} and --high {high}; leave one of them out")
    if options["low"] is not None and high is None and data is None:
        raise click.UsageError("--low gives the worse pictures; give the good ones with --high")
    return high or data


def _list_settings(architecture: str) -> None:
    settings = settings_of(find_recipe(architecture)).values()
    rows = [
        [setting.name, "" if setting.default is None else shown(setting.default), setting.help] for setting in settings
    ]
    click.echo(table(["SETTING", "DEFAULT", "MEANING"], rows))


def _make_run(architecture: str, data: Path | None, base: ModelFile | None, options: dict[str, Any]) -> Run:
    from nncodec.training.engine import Run

    if data is None:
        raise click.UsageError("give a folder of pictures or an IDX file after the architecture")
    output = options["output"]
    if output is None:
        raise click.UsageError("give the model file to write with -o, such as -o mine.safetensors")
    if output.suffix != ".safetensors":
        raise click.UsageError(f"{output} does not end in .safetensors, as model files do")
    name = options["name"] or output.stem.lower()
    if options["name"] is None and not is_model_name(name):
        raise click.UsageError(f"{output.stem!r} cannot name a model; give a name with --name")
    sources = _sources(options)
    try:
        combine(find_recipe(architecture), *sources)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Run(
        architecture=architecture,
        data=data,
        output=output,
        name=name,
        folder=options["folder"] or output.with_suffix(".run"),
        settings=sources,
        base=base,
        resume=options["resume"],
        overwrite=options["force"],
        licence=options["licence"],
        low=options["low"],
    )


def _sources(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return settings from the file, from --set and from options; later ones win."""
    sources = []
    if options["config"]:
        try:
            sources.append(read_toml(options["config"]))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    assignments = {}
    for assignment in options["assignments"]:
        key, sign, value = assignment.partition("=")
        if not sign:
            raise click.UsageError(f"--set {assignment!r} is not of the form key=value")
        assignments[key.strip()] = Text(value.strip())
    own = {name: options[name] for name in _OWN_OPTIONS if options[name] is not None}
    return [*sources, assignments, own | setting_values(options)]


def _train(ctx: click.Context, run: Run) -> None:
    from nncodec.training.distributed import ProcessGroup
    from nncodec.training.engine import train
    from nncodec.training.guarding import is_memory
    from nncodec.training.loop import TrainingDiverged

    try:
        processes = ProcessGroup.from_environment()
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        with Display() as display:
            result = train(run, display, processes=processes)
    except PluginError as error:
        _blame(ctx, run, processes, error)
    except (ValueError, TrainingDiverged, NncError) as error:
        _fail(ctx, processes, str(error))
    except KeyboardInterrupt:
        _fail(ctx, processes, f"interrupted{_how_to_resume(ctx, run, processes)}", INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(ctx, processes, f"{where}{describe(error)}{_how_to_resume(ctx, run, processes)}")
    except (Exception, SystemExit) as error:  # a recipe is third-party code: anything can happen
        if is_memory(error):
            _fail(ctx, processes, "out of memory; lower --batch-size or --crop")
        if _is_connection(error, processes):
            _fail(ctx, processes, f"another process of this run has ended{_how_to_resume(ctx, run, processes)}")
        _blame(ctx, run, processes, registry.catalog().guard_of_architecture(run.architecture).error(describe(error)))
    if result is not None:
        _report(run, result)


def _blame(ctx: click.Context, run: Run, processes: ProcessGroup, error: PluginError) -> NoReturn:
    """Say in whichever process that the recipe's plugin failed."""
    show_traceback()
    complain(f"{error}; {SEE_TRACEBACK}{_how_to_resume(ctx, run, processes)}")
    ctx.exit(1)


def _fail(ctx: click.Context, processes: ProcessGroup, message: str, status: int = 1) -> NoReturn:
    if processes.is_first:
        show_traceback()
        complain(message)
    ctx.exit(status)


def _how_to_resume(ctx: click.Context, run: Run, processes: ProcessGroup) -> str:
    return f"; resume with: {_resume_command(ctx, processes.world_size)}" if run.record_path.exists() else ""


def _resume_command(ctx: click.Context, processes: int) -> str:
    arguments = list(ctx.meta[ARGUMENTS])
    if "--resume" not in arguments:
        arguments.append("--resume")
    command = "nncodec train" if processes == 1 else f"torchrun --nproc-per-node {processes} -m nncodec train"
    return f"{command} {shlex.join(arguments)}"


def _report(run: Run, result: TrainingResult) -> None:
    time = duration(result.report.elapsed_s)
    click.echo(f"{run.output}: {result.model.name}, {count_of(result.report.steps, 'step')} in {time}")
    if figures := figures_text(result.figures):
        click.echo(f"{result.measured_on}: {figures}")
    click.echo(f"logs, plot and samples: {run.folder}{os.sep}")
    click.echo(f"install it with: {shlex.join(['nncodec', 'models', 'add', str(run.output)])}")


def _is_connection(error: BaseException, processes: ProcessGroup) -> bool:
    return processes.world_size > 1 and any(word in str(error).lower() for word in ("gloo", "nccl", "connection"))
