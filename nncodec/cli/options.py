"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from nncodec._support.files import descriptor_of
from nncodec.api import DEFAULT_MODEL, DEFAULT_QUALITY
from nncodec.batch.coding import KEEP
from nncodec.cli.files import STANDARD
from nncodec.coding.enhancing import checked_strength
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.errors import InvalidOption, NncError
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.region import Box, checked_box
from nncodec.plugin import registry
from nncodec.plugin.device import chosen_device
from nncodec.plugin.hooks import CODEC, ENHANCER, LOSSLESS

_F = TypeVar("_F", bound=Callable[..., Any])

_STDOUT = 1
_P = TypeVar("_P", str, Path, None)

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}


@dataclass(frozen=True)
class Rate:
    """The quality, or one of the targets of `nncodec.encode`; at most one is set."""

    quality: int | Literal["keep"] | None = None
    target_size: int | None = None
    target_bpp: float | None = None
    target_psnr: float | None = None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Rate:
        """Pop the options of `rate_options` from a command's options; raises click.UsageError if several are given."""
        values = {name: options.pop(name) for name in [field.name for field in fields(cls)]}
        rate = cls(**values)
        if len(rate.given) > 1:
            raise click.UsageError(excluding(*rate.given[:2]))
        return rate

    @property
    def given(self) -> list[str]:
        """The options that are set."""
        names = [field.name for field in fields(self)]
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


@dataclass(frozen=True)
class Manner:
    """How a command runs its jobs.

    Args:
        jobs: files at once.
        threads: computing threads for each file; None shares the processors among the jobs.
        force: overwrite files.
        skip_existing: leave out inputs whose output is there.
        update: leave out inputs whose output is at least as new, and overwrite older outputs.
        verbose: report every file.
        quiet: report failures only.
    """

    jobs: int = 1
    threads: int | None = None
    force: bool = False
    skip_existing: bool = False
    update: bool = False
    verbose: bool = False
    quiet: bool = False

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Manner:
        """Pop the options of `manner_options` from a command's options; raises click.UsageError if two contradict."""
        manner = cls(*(options.pop(field.name) for field in fields(cls)))
        for group in (("force", "skip_existing", "update"), ("verbose", "quiet")):
            given = [f"--{name.replace('_', '-')}" for name in group if getattr(manner, name)]
            if len(given) > 1:
                raise click.UsageError(excluding(*given[:2]))
        return manner


def excluding(one: str, other: str) -> str:
    """Return what is wrong with two options that are given together."""
    return f"{one} and {other} exclude each other; give one"


def _installed(_: click.Context, __: click.Parameter, name: str) -> str:
    return _checked(name, CODEC)


def _stores_pictures(_: click.Context, __: click.Parameter, name: str) -> str:
    return name if is_lossless_model(name) else _checked(name, CODEC)


def is_lossless_model(name: str) -> bool:
    """Return whether a name or alias is that of an installed lossless model."""
    catalog = registry.catalog()
    return name in {*catalog.models, *catalog.aliases} and catalog.kind_of(catalog.find(name)) == LOSSLESS


def enhancer_given(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Check the name of an enhancer; `recommended` passes."""
    return name if name in (None, RECOMMENDED) else _checked(name, ENHANCER)


def _enhancer(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    return None if name is None else _checked(name, ENHANCER)


def _checked(name: str, kind: str) -> str:
    try:
        registry.catalog().find(name, kind)
    except NncError as error:
        raise click.BadParameter(str(error)) from None
    return name


def _strength(_: click.Context, __: click.Parameter, strength: float | None) -> float | None:
    try:
        return None if strength is None else checked_strength(strength)
    except InvalidOption as error:
        raise click.BadParameter(error.reason) from None


def bytes_given(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Return a number of bytes that is given with a unit, such as 50k, 1.5M or 1GB."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)([kKMG]?)B?", text)
    size = round(Decimal(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if size < 1:
        raise click.BadParameter(f"{text!r} is not a number of bytes such as 50000, 50k or 1.5M")
    return size


def _box(_: click.Context, __: click.Parameter, text: str | None) -> Box | None:
    if text is None:
        return None
    try:
        return checked_box([int(edge) for edge in text.split(",")])
    except ValueError:
        raise click.BadParameter(f"{text!r} is not four whole numbers such as 0,0,640,480") from None
    except InvalidOption as error:
        raise click.BadParameter(error.reason) from None


def _output(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    return STANDARD if path is not None and descriptor_of(Path(path)) == _STDOUT else path


def no_stream(_: click.Context, __: click.Parameter, path: _P) -> _P:
    """Refuse "-" where a command reads or writes several files, or prints: it would become a name."""
    if path is not None and str(path) == STANDARD:
        raise click.BadParameter("'-' (stdin or stdout) is not possible here; give the name of a file or folder")
    return path


def _names_of(*kinds: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the names and aliases of installed models of some kinds in a shell."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        catalog = registry.catalog()
        names = [name for name, model_info in catalog.models.items() if catalog.kind_of(model_info) in kinds]
        names += [alias for alias, name in catalog.aliases.items() if name in names]
        return sorted(name for name in names if name.startswith(typed))

    return complete


complete_models, complete_enhancers = _names_of(CODEC), _names_of(ENHANCER)

precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "float32"]),
    default="auto",
    show_default=True,
    help="float32 gives the same pixels on every machine, within one level; auto may use bfloat16, which is faster.",
)


def _device(_: click.Context, __: click.Parameter, name: str) -> str:
    try:
        return chosen_device(name)
    except InvalidOption as error:
        raise click.BadParameter(error.reason) from None


device_option = click.option(
    "--device",
    default="cpu",
    show_default=True,
    metavar="NAME",
    callback=_device,
    help="Where networks compute pixels: cpu, cuda, cuda:1, ...",
)
strength_option = click.option(
    "--strength",
    type=float,
    metavar="X",
    callback=_strength,
    help="Strength of the enhancer: 0 is faithful, 1 adds the most detail, some of it invented.  [default: 0, or as "
    "recommended]",
)
force_option = click.option("-f", "--force", is_flag=True, help="Overwrite existing files.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write a JSON list with an entry for each.")
model_option = click.option(
    "-m",
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="NAME",
    callback=_installed,
    shell_complete=complete_models,
    help="Model or alias; 'nncodec models' lists them.",
)
storing_model_option = click.option(
    "-m",
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="NAME",
    callback=_stores_pictures,
    shell_complete=_names_of(CODEC, LOSSLESS),
    help="Model or alias; 'nncodec models' lists them. A lossless model implies --lossless.",
)
_QUALITY_HELP = "0 is smallest, 100 is best."
quality_option = click.option(
    "-q",
    "--quality",
    type=click.IntRange(0, 100),
    default=DEFAULT_QUALITY,
    show_default=True,
    metavar="N",
    help=_QUALITY_HELP,
)
picture_quality_option = click.option(
    "-q",
    "--quality",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Quality of the format to write, if it is lossy.  [default: one that loses nothing visible]",
)
animate_option = click.option(
    "--animate", is_flag=True, help="Write all frames to one animated PNG, instead of one PNG each."
)
box_option = click.option(
    "--box", metavar="L,U,R,D", callback=_box, help="Decode only this part: left, upper, right, lower in pixels."
)


class _Positive(click.FloatRange):
    """A number above 0; NaN and infinity are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


_POSITIVE = _Positive(0, min_open=True)
_frame_option = click.option("--frame", type=click.IntRange(0), metavar="N", help="Only this frame; the first is 0.")
_recursive_option = click.option("-r", "--recursive", is_flag=True, help="Descend into folders.")


class _QualityOrKeep(click.IntRange):
    """A quality, or `keep`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return KEEP if value == KEEP else super().convert(value, param, ctx)


def input_options(command: _F) -> _F:
    """Add the arguments `inputs` and -r."""
    return _stacked(command, click.argument("inputs", nargs=-1, required=True, metavar="FILE..."), _recursive_option)


def _listed_input_options(command: _F) -> _F:
    """Add the arguments `inputs`, -r and --files-from."""
    return _stacked(
        command,
        click.argument("inputs", nargs=-1, metavar="FILE..."),
        _recursive_option,
        click.option(
            "--files-from",
            metavar="LIST",
            help="Take further inputs from a file, - for stdin: one a line, or separated by NUL bytes.",
        ),
    )


def rate_options(command: _F) -> _F:
    """Add the options of `Rate`."""
    return _stacked(
        command,
        click.option(
            "-q",
            "--quality",
            type=_QualityOrKeep(0, 100),
            metavar="N",
            help=f"{_QUALITY_HELP} 'keep' takes that of the input, an .nnc file, and its model.  "
            f"[default: {DEFAULT_QUALITY}]",
        ),
        click.option(
            "--target-size",
            metavar="BYTES",
            callback=bytes_given,
            help="Instead of -q: the highest quality that fits, such as 50000, 50k or 1.5M.",
        ),
        click.option(
            "--target-bpp",
            type=_POSITIVE,
            metavar="X",
            help="Instead of -q: the highest quality within so many bits per pixel.",
        ),
        click.option(
            "--target-psnr",
            type=_POSITIVE,
            metavar="DB",
            help="Instead of -q: the lowest quality with at least this PSNR.",
        ),
    )


def exact_options(command: _F) -> _F:
    """Add --lossless, --never-lossless and --max-error, see `EncodeOptions`."""
    return _stacked(
        command,
        click.option(
            "--lossless",
            is_flag=True,
            help="Store pictures exactly, in any mode.  [default: where that takes fewer bytes]",
        ),
        click.option(
            "--never-lossless", is_flag=True, help="Never store pictures exactly, or nearly so at quality 100."
        ),
        click.option(
            "--max-error",
            type=click.IntRange(0, 65535),
            metavar="N",
            help="Instead of -q: no sample differs by more than N; 0 is lossless.",
        ),
    )


def recommending_options(command: _F) -> _F:
    """Add --downscale, --enhancer and --enhancer-strength, see `EncodeOptions`."""
    return _stacked(
        command,
        click.option(
            "--downscale",
            type=click.IntRange(1, 8),
            default=1,
            metavar="N",
            help="Store the picture so many times smaller along each edge; decoders restore its size.  [default: 1]",
        ),
        click.option(
            "--enhancer",
            metavar="NAME",
            callback=_enhancer,
            shell_complete=complete_enhancers,
            help="Recommend an enhancer; decoders use it only when asked to.",
        ),
        click.option(
            "--enhancer-strength",
            type=float,
            metavar="X",
            callback=_strength,
            help="Recommend this strength of the enhancer.",
        ),
    )


def coding_options(command: _F) -> _F:
    """Add what encode, decode and enhance share: `inputs`, -r, --files-from, -o, --frame, --strip, --max-pixels."""
    return _stacked(
        _listed_input_options(command),
        click.option(
            "-o",
            "--output",
            metavar="PATH",
            callback=_output,
            help="File or folder to write, - for stdout; -r mirrors folders in it.  [default: beside the input]",
        ),
        _frame_option,
        file_options,
    )


def file_options(command: _F) -> _F:
    """Add --keep-extension, --strip and --max-pixels."""
    return _stacked(
        command,
        click.option(
            "--keep-extension", is_flag=True, help="Keep the input's extension in the output's name: a.png.nnc."
        ),
        click.option("--strip", is_flag=True, help="Drop EXIF (with GPS) and XMP; the ICC profile stays."),
        click.option(
            "--max-pixels",
            type=click.IntRange(1),
            default=DEFAULT_LIMITS.pixels,
            metavar="N",
            show_default=True,
            help="Refuse larger pictures.",
        ),
    )


def manner_options(command: _F) -> _F:
    """Add the options of `Manner`."""
    return _stacked(
        command,
        click.option(
            "-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Files at once."
        ),
        click.option(
            "--threads",
            type=click.IntRange(1),
            metavar="N",
            help="Processor threads for each file.  [default: all processors, shared among -j]",
        ),
        force_option,
        click.option("--skip-existing", is_flag=True, help="Leave out inputs whose output is already there."),
        click.option("--update", is_flag=True, help="Overwrite outputs older than their input; skip the rest."),
        click.option("-v", "--verbose", is_flag=True, help="Report every file, with its size before and after."),
        click.option("--quiet", is_flag=True, help="Report failures only."),
    )


def _stacked(command: _F, *options: Callable[[_F], _F]) -> _F:
    for option in reversed(options):
        command = option(command)
    return command
