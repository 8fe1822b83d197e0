"""`nncodec train`: a codec for pictures of one's own. What needs torch is imported when a training begins."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from nncodec._support.text import count_of, describe
from nncodec._support.workers import use_threads
from nncodec.cli.options import force_option
from nncodec.cli.text import complain, table
from nncodec.errors import NncError
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, is_model_name, read_model
from nncodec.training import recipes

if TYPE_CHECKING:
    from nncodec.training.distributed import Peers
    from nncodec.training.engine import Result, Run

_ARGUMENTS = f"{__name__}.arguments"
_ARCHITECTURE = f"{__name__}.architecture"
_SETTINGS = f"{__name__}.settings"
_SETTING = "setting_"  # what the parameters of such options begin with
_INTERRUPTED = 130
_F = TypeVar("_F", bound=Callable[..., Any])


class _SettingOption(click.Option):
    """A setting of an architecture as an option."""


class _Command(click.Command):
    """Remembers its arguments, to say how to go on, and lists the architectures in its help.

    Every setting of the architecture that the arguments name is an option, too. Asking a recipe for its settings
    imports torch, so that is done only where an option is not among the command's own, or help is wanted.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_ARGUMENTS] = list(args)
        if not ctx.resilient_parsing:
            ctx.meta[_SETTINGS] = self._settings_options(ctx, args)
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *ctx.meta.get(_SETTINGS, ())]

    def _settings_options(self, ctx: click.Context, args: list[str]) -> list[_SettingOption]:
        parser = self.make_parser(ctx)
        parser.ignore_unknown_options = True
        try:
            known, _, _ = parser.parse_args(list(args))
        except click.UsageError:  # it comes again, and is reported, when the arguments are parsed in earnest
            return []
        what = known.get("what")
        rest = list(what) if isinstance(what, tuple) else []  # what is no known option; click has a mark for nothing
        unknown = [one for one in rest if one.startswith("-")]
        helping = self.get_help_option(ctx)
        if not unknown and not (helping and helping.name and known.get(helping.name)):
            return []
        architecture = next((one for one in rest if one in registry.catalog().architectures), None)
        if architecture is None and isinstance(known.get("base"), str):
            base = _base_of(known["base"])
            architecture = base.architecture if base else None
        if architecture is None:
            if rest and not rest[0].startswith("-"):
                raise click.UsageError(_no_architecture(rest[0]), ctx)
            return []
        taken = {name for one in super().get_params(ctx) for name in one.opts}
        ctx.meta[_ARCHITECTURE] = architecture
        return [option for option in _options_of(architecture) if not taken.intersection(option.opts)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        settings: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                (settings if isinstance(param, _SettingOption) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        if settings:
            with formatter.section(f"Settings of {ctx.meta[_ARCHITECTURE]}"):
                formatter.write_dl(settings)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        names = ", ".join(recipes.trainable()) or "none, see 'nncodec plugins'"
        formatter.write_text(f"Architectures that can be trained here: {names}.")


def _setting(name: str, kind: type, help_text: str) -> Callable[[_F], _F]:
    return click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar="N", help=help_text)


def _options_of(architecture: str) -> list[_SettingOption]:
    from nncodec.training.settings import settings_of

    return [
        _SettingOption(
            [f"--{one.name.replace('_', '-')}", f"{_SETTING}{one.name}"],
            metavar="true|false" if one.kind is bool else "TEXT" if one.kind is str else "N",
            help=one.help + ("" if one.default in (None, "") else f"  [default: {_shown(one.default)}]"),
        )
        for one in settings_of(recipes.recipe_of(architecture)).values()
    ]


_OWN_OPTIONS = ("epochs", "steps", "minutes", "batch_size", "learning_rate", "crop", "seed", "device")


@click.command("train", cls=_Command)
@click.argument("what", nargs=-1, metavar="ARCHITECTURE [FOLDER_OR_IDX]")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Model file, .safetensors.")
@click.option("--name", metavar="NAME", help="What the model is called.  [default: the file's name]")
@click.option("--low", type=click.Path(path_type=Path), metavar="FOLDER", help="For enhancers: worse pictures, ...")
@click.option(
    "--high",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="... and good ones by the same names. Alone, it is the FOLDER_OR_IDX.",
)
@click.option(
    "--from",
    "--pretrained",
    "base",
    metavar="MODEL",
    help="Go on from this model: a name, an alias or a .safetensors file.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings in TOML, one 'key = value' a line.",
)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="One setting; --key value does the same.")
@click.option("--list-settings", is_flag=True, help="Show every setting of the architecture, with its default.")
@_setting("epochs", int, "How long: passes over the pictures, ...")
@_setting("steps", int, "... batches, ...")
@_setting("minutes", float, "... or minutes.")
@_setting("batch_size", int, "Pictures or crops a step.")
@_setting("learning_rate", float, "At its highest.")
@_setting("crop", int, "Edge of crops, pixels.")
@_setting("seed", int, "Of all randomness.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, ...")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads.  [default: all]")
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="For checkpoints, logs, plot and samples.  [default: the output with .run]",
)
@click.option("--resume", is_flag=True, help="Go on with the run in that folder.")
@click.option("--licence", metavar="TEXT", default="", help="For the model's card.")
@force_option
@click.pass_context
def train_command(ctx: click.Context, /, **options: Any) -> None:
    """Train a model on your own pictures: a folder (and those below it), or an IDX file.

    \b
    nncodec train hyperprior photos -o mine.safetensors
    nncodec train scans --from photo --minutes 10 -o scans.safetensors
    nncodec train dense digits-idx3-ubyte.gz --set latents=16 -o digits.safetensors
    nncodec train srgan --low small --high large -o x4.safetensors
    nncodec train srgan --help

    Every setting of the architecture is an option, too: 'train ARCHITECTURE --help' shows them. Ctrl-C saves and says
    how to go on. With several processes:

    \b
    torchrun --nproc-per-node 2 -m nncodec.training hyperprior photos -o mine.safetensors
    """
    if options["threads"]:
        use_threads(options["threads"])
    base = _base_of(options["base"])
    architecture, data = _what(options["what"], base)
    data = _good_pictures(data, options)
    if options["list_settings"]:
        _list_settings(architecture)
        return
    run = _run_of(architecture, data, base, options)
    _train(ctx, run)


def _what(what: tuple[str, ...], base: ModelFile | None) -> tuple[str, Path | None]:
    """Tell architecture and data apart: with --from the architecture may be left out."""
    known = registry.catalog().architectures
    if len(what) > 2:
        raise click.UsageError(f"{len(what)} arguments are given; give an architecture and one folder or IDX file")
    if base is not None and len(what) == 1 and what[0] not in known:
        return base.architecture, Path(what[0])
    if base is not None and not what:
        return base.architecture, None
    if not what:
        names = ", ".join(recipes.trainable()) or "none"
        raise click.UsageError(f"give an architecture ({names}) and a folder of pictures or an IDX file")
    if what[0] not in known:
        raise click.UsageError(_no_architecture(what[0]))
    return what[0], Path(what[1]) if len(what) == 2 else None


def _no_architecture(name: str) -> str:
    names = recipes.trainable()
    close = [one for one in names if one.startswith(name)] or difflib.get_close_matches(name, names)
    if len(close) == 1:
        return f"there is no architecture {name!r}; did you mean {close[0]!r}?"
    if close:
        return f"there is no architecture {name!r}; did you mean one of {', '.join(close)}?"
    return f"there is no architecture {name!r}; these can be trained: {', '.join(names) or 'none'}"


def _good_pictures(data: Path | None, options: dict[str, Any]) -> Path | None:
    high: Path | None = options["high"]
    if high is not None and data is not None:
        raise click.UsageError(f"the pictures are given twice, {data} and --high {high}; leave one of them out")
    if options["low"] is not None and high is None and data is None:
        raise click.UsageError("--low names the worse pictures; give the good ones with --high")
    return high or data


def _base_of(name: str | None) -> ModelFile | None:
    if name is None:
        return None
    if name.endswith(".safetensors"):
        return read_model(Path(name))
    return read_model(registry.catalog().find(name).path)


def _list_settings(architecture: str) -> None:
    from nncodec.training.settings import settings_of

    settings = settings_of(recipes.recipe_of(architecture)).values()
    rows = [[one.name, "" if one.default is None else _shown(one.default), one.help] for one in settings]
    click.echo(table(["SETTING", "DEFAULT", "MEANING"], rows))


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _run_of(architecture: str, data: Path | None, base: ModelFile | None, options: dict[str, Any]) -> Run:
    from nncodec.training.engine import Run
    from nncodec.training.settings import combine

    if data is None:
        raise click.UsageError("give a folder of pictures or an IDX file after the architecture")
    output = options["output"]
    if output is None:
        raise click.UsageError("say with -o which model file to write, such as -o mine.safetensors")
    name = options["name"] or output.stem.lower()
    if options["name"] is None and not is_model_name(name):
        raise click.UsageError(f"{output.stem!r} cannot name a model; give a name with --name")
    sources = _sources(options)
    try:
        combine(recipes.recipe_of(architecture), *sources)
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
    """Return settings from the file, from --set and from options, in this order of precedence."""
    from nncodec.training.settings import Text, read_toml

    sources = []
    if options["config"]:
        try:
            sources.append(read_toml(options["config"]))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    pairs = {}
    for pair in options["pairs"]:
        key, sign, value = pair.partition("=")
        if not sign:
            raise click.UsageError(f"--set {pair!r} is not of the form key=value")
        pairs[key.strip()] = Text(value.strip())
    own = {name: options[name] for name in _OWN_OPTIONS if options[name] is not None}
    for name, value in options.items():
        if name.startswith(_SETTING) and value is not None:
            own[name.removeprefix(_SETTING)] = Text(value)
    return [*sources, pairs, own]


def _train(ctx: click.Context, run: Run) -> None:
    from nncodec.training.display import Display
    from nncodec.training.distributed import Peers
    from nncodec.training.engine import train
    from nncodec.training.loop import TrainingDiverged

    peers = Peers.of_environment()
    try:
        with Display() as display:
            result = train(run, display, peers=peers)
    except (ValueError, TrainingDiverged, NncError) as error:
        _fail(ctx, peers, str(error))
    except KeyboardInterrupt:
        _fail(ctx, peers, f"interrupted{_how_to_go_on(ctx, run, peers)}", _INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(ctx, peers, f"{where}{describe(error)}{_how_to_go_on(ctx, run, peers)}")
    except (MemoryError, RuntimeError) as error:
        if _is_memory(error):
            _fail(ctx, peers, "out of memory; lower --batch-size or --crop")
        if not _is_connection(error, peers):
            raise
        _fail(ctx, peers, f"another process of this run has ended{_how_to_go_on(ctx, run, peers)}")
    if result is not None:
        _report(run, result)


def _fail(ctx: click.Context, peers: Peers, message: str, status: int = 1) -> NoReturn:
    if peers.is_first:
        complain(message)
    ctx.exit(status)


def _how_to_go_on(ctx: click.Context, run: Run, peers: Peers) -> str:
    return f"; go on with: {_resuming(ctx, peers.world)}" if run.facts.exists() else ""


def _resuming(ctx: click.Context, world: int) -> str:
    arguments = list(ctx.meta[_ARGUMENTS])
    if "--resume" not in arguments:
        arguments.append("--resume")
    command = "nncodec train" if world == 1 else f"torchrun --nproc-per-node {world} -m nncodec.training"
    return f"{command} {shlex.join(arguments)}"


def _report(run: Run, result: Result) -> None:
    from nncodec.training.display import duration, figures_text

    time = duration(result.report.elapsed_s)
    click.echo(f"{run.output}: {result.model.name}, {count_of(result.report.steps, 'step')} in {time}")
    click.echo(f"held-back pictures: {figures_text(result.figures)}")
    click.echo(f"logs, plot and samples: {run.folder}{os.sep}")
    click.echo(f"install it with: {shlex.join(['nncodec', 'models', 'add', str(run.output)])}")


def _is_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _is_connection(error: BaseException, peers: Peers) -> bool:
    return peers.world > 1 and any(word in str(error).lower() for word in ("gloo", "nccl", "connection"))
