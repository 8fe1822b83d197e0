"""The options that `register_nnc_opener` sets: for opening, and defaults for saving.

Pillow's `open` takes no options of a format, so they are kept here for the whole process.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict, cast

from PIL import Image

from nncodec import EncodeOptions, InvalidOption, Limits, UnknownModel
from nncodec.coding.enhancing import checked_strength
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.coding.request import check_request
from nncodec.coding.targets import TARGETS
from nncodec.limits import DEFAULT_LIMITS, checked_limits
from nncodec.plugin import registry
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import Device
from nncodec.plugin.hooks import ENHANCER
from nncodec.plugin.model_file import SHORT_ID_BYTES
from nncodec.plugin.precision import Precision


class OpenerOptions(TypedDict, total=False):
    """Options of `register_nnc_opener`; None restores the default.

    limits: bounds on what a file may ask for. `pixels` bounds the frames that are decoded or saved together. Pillow's
        `Image.MAX_IMAGE_PIXELS` applies to each frame, and without `limits` to both.
    enhancer: the enhancer to apply when images are loaded: "recommended" or a name, see `nncodec.decode`. By default
        none.
    strength: of that enhancer.
    precision: what networks compute pixels with when images are loaded or saved, "auto" or "float32", see
        `nncodec.decode`.
    device: where networks compute pixels then, see `nncodec.device`.
    model, effort, coder, preview: defaults of `save`, see `nncodec.EncodeOptions`.
    quality, target_size, target_bpp, target_psnr: likewise, see `nncodec.encode`; setting one overrides the others, and
        a call of `save` that names one overrides it.
    """

    limits: Limits | None
    enhancer: str | None
    strength: float | None
    precision: Precision | None
    device: Device | None
    model: str | None
    quality: int | None
    target_size: int | None
    target_bpp: float | None
    target_psnr: float | None
    effort: int | None
    coder: str | None
    preview: bool | int | None


RATES = ("quality", *TARGETS)
"""Save options that exclude each other."""

_OF_OPENING = {"limits", "enhancer", "strength"}

_chosen: OpenerOptions = {}


def set_options(options: OpenerOptions) -> None:
    """Change the named options and keep the others; if it raises, nothing has changed.

    Raises:
        InvalidOption: an option is unknown, out of range, or contradicts another.
        ModelError: the model or the enhancer is not installed, or is of another kind.
    """
    unknown = options.keys() - OpenerOptions.__annotations__.keys()
    if unknown:
        known = ", ".join(OpenerOptions.__annotations__)
        raise InvalidOption(option=min(unknown), reason=f"there is no such option; the options are {known}")
    if (limits := options.get("limits")) is not None:
        checked_limits(limits)
    enhancer, strength = options.get("enhancer"), options.get("strength")
    if not isinstance(enhancer, str | None):
        raise InvalidOption(option="enhancer", reason=f"expected a name, got {type(enhancer).__name__}")
    if enhancer not in (None, RECOMMENDED):
        registry.catalog().find(enhancer, ENHANCER)
    if strength is not None:
        checked_strength(strength)
    _check_saving({name: value for name, value in options.items() if name not in _OF_OPENING and value is not None})
    if any(name in RATES for name, value in options.items() if value is not None):
        _chosen.update(OpenerOptions(quality=None, target_size=None, target_bpp=None, target_psnr=None))
    _chosen.update(options)


def _check_saving(options: dict[str, Any]) -> None:
    """Check options of saving at once: when Pillow saves, it has emptied the file before it asks for the bytes."""
    rates = {name: options.pop(name, None) for name in RATES}
    model = options.pop("model", None)
    check_request(None if model is None else resolved_model(model), **rates, options=cast("EncodeOptions", options))


def resolved_model(model: object) -> str:
    """Return a model's name; `info["model"]` of a small file holds the beginning of its digest instead."""
    if not isinstance(model, str):
        raise InvalidOption(option="model", reason=f"expected a name, got {type(model).__name__}")
    catalog = registry.catalog()
    try:
        return catalog.find(model).name
    except UnknownModel:
        try:
            digest = bytes.fromhex(model)
        except ValueError:
            digest = b""
        if len(digest) < SHORT_ID_BYTES:
            raise
        return catalog.find_by_id(digest).name


def with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a call of `save`, with defaults for those that it does not set, if they go with it."""
    is_exact = given.get("lossless") is True or given.get("max_error") is not None
    rated = is_exact or any(given.get(name) is not None for name in RATES)
    taken = {*_OF_OPENING, *(RATES if rated else ()), *(("coder", "model") if is_exact else ())}
    chosen = cast("dict[str, Any]", _chosen).items()
    defaults = {name: value for name, value in chosen if name not in taken and value is not None}
    return defaults | {name: value for name, value in given.items() if name not in RATES or value is not None}


def enhancer_and_strength() -> tuple[str | None, float | None]:
    """Return the enhancer and strength for loading images, as `nncodec.decode` takes them."""
    enhancer = _chosen.get("enhancer")
    return enhancer, _chosen.get("strength") if enhancer else None


def opener_computing() -> Computing:
    """Return how and where pixels are computed when images are loaded."""
    return Computing.chosen(_chosen.get("precision"), _chosen.get("device"))


def header_limits() -> Limits:
    """Return the limits for reading a header.

    They do not limit pixels: opening allocates none, Pillow checks the size of a frame, and `pixels_together` limits
    the frames that are decoded together. So a long stack of small images opens.
    """
    return replace(_chosen.get("limits") or DEFAULT_LIMITS, pixels=sys.maxsize)


def pixels_together() -> int:
    """Return the limit on pixels of all frames that are decoded or saved together."""
    limits = _chosen.get("limits")
    if limits is not None:
        return limits.pixels
    if Image.MAX_IMAGE_PIXELS is None:
        return sys.maxsize
    return max(DEFAULT_LIMITS.pixels, 2 * Image.MAX_IMAGE_PIXELS)
