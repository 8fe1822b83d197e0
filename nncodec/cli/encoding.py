"""The options of `encode` and `batch encode`, and the settings that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from nncodec.batch.coding import KEEP, EncodeSettings
from nncodec.cli.options import (
    Rate,
    device_option,
    exact_options,
    excluding,
    is_lossless_model,
    precision_option,
    rate_options,
    recommending_options,
)
from nncodec.format.entropy import available_coders

if TYPE_CHECKING:
    from nncodec.picture.options import EncodeOptions

_F = TypeVar("_F", bound=Callable[..., Any])

# Options that are left out of `EncodeOptions` at these values, which say nothing.
_UNSET = {
    "lossless": None,
    "max_error": None,
    "effort": 0,
    "coder": None,
    "downscale": 1,
    "enhancer": None,
    "enhancer_strength": None,
    "preview": False,
    "exact": False,
    "verify": False,
}


def encoding_options(command: _F) -> _F:
    """Add the options that `encode_settings` takes, except the model and those of `file_options`."""
    options = [
        rate_options,
        exact_options,
        click.option(
            "-e",
            "--effort",
            type=click.IntRange(0, 9),
            default=0,
            show_default=True,
            metavar="N",
            help="Higher is smaller and slower. A model has some of the levels, photo 0, 3, 5, 7 and 9; the others do "
            "the same as the next lower one.",
        ),
        click.option(
            "--coder",
            type=click.Choice([coder.name.lower() for coder in available_coders()]),
            help="Entropy coder.  [default: the model's own]",
        ),
        recommending_options,
        click.option("--preview", is_flag=True, help="Embed a small preview that needs no model."),
        click.option(
            "--exact", is_flag=True, help="Keep the colours of fully transparent pixels, which are filled otherwise."
        ),
        click.option(
            "--verify", is_flag=True, help="Decode what was encoded and compare, and store checksums for decoders."
        ),
        precision_option,
        device_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def encode_settings(context: click.Context, options: dict[str, Any]) -> EncodeSettings:
    """Return the settings that the options of a command make: the model, `encoding_options` and `file_options`.

    Raises:
        click.UsageError: two options contradict each other.
    """
    if options["enhancer_strength"] is not None and options["enhancer"] is None:
        raise click.UsageError("--enhancer-strength needs --enhancer")
    rate = Rate.taken_from(options)
    _check_exact(options, rate)
    is_exact = options["lossless"] or options["max_error"] is not None
    lossless = True if options["lossless"] else False if options["never_lossless"] else None
    is_default = context.get_parameter_source("model") is ParameterSource.DEFAULT
    model = None if is_default and (is_exact or rate.quality == KEEP) else options["model"]
    options = options | {"lossless": lossless}
    chosen = {key: options[key] for key, unset in _UNSET.items() if options[key] != unset}
    return EncodeSettings(
        model=model,
        quality=rate.quality,
        target_size=rate.target_size,
        target_bpp=rate.target_bpp,
        target_psnr=rate.target_psnr,
        strip=options["strip"],
        frame=options.get("frame"),
        max_pixels=options["max_pixels"],
        options=cast("EncodeOptions", chosen | {name: options[name] for name in ("precision", "device")}),
    )


def _check_exact(options: dict[str, Any], rate: Rate) -> None:
    """Raise click.UsageError if what stores pictures exactly is given together with what such a file cannot have."""
    asking = {
        "--lossless": options["lossless"],
        "--max-error": options["max_error"] is not None,
        f"-m {options['model']}": is_lossless_model(options["model"]),
    }
    exact = next((name for name, is_given in asking.items() if is_given), None)
    if exact is None:
        return
    if options["lossless"] and options["max_error"]:
        raise click.UsageError(excluding("--lossless", f"--max-error {options['max_error']}"))
    unset = {"--never-lossless": False, "--coder": None, "--downscale": 1, "--enhancer": None}
    others = [name for name, value in unset.items() if options[name[2:].replace("-", "_")] != value]
    if given := [*rate.given, *others]:
        raise click.UsageError(excluding(exact, given[0]))
