"""Many files: batches that resume, in local processes or on Dask, from and to folders, object stores and archives.

    batch = nncodec.batch.encoding("photos", "s3://bucket/small", quality=40)
    batch.estimate()
    report = batch.run()

`coding` does one file; `operations` says what a batch does with each; `planning` finds what is due; `work` runs in
workers; `local` and `dask_engine` are engines; `stores` reads and publishes; `manifest` notes what was done; `run` ties
them together. `packing` makes tar files of the results, for training.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal, Unpack

from nncodec.batch.coding import DecodeSettings, EncodeSettings
from nncodec.batch.manifest import Outcome
from nncodec.batch.operations import Checking, Decoding, Encoding
from nncodec.batch.packing import PackReport, pack
from nncodec.batch.run import Batch, BatchOptions, Estimate, Place, Report
from nncodec.coding.enhancing import checked_strength
from nncodec.coding.envelope import require_range
from nncodec.coding.recommendation import RECOMMENDED
from nncodec.coding.request import check_request
from nncodec.errors import InvalidOption
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.options import EncodeOptions
from nncodec.picture.writing import check_quality, format_of
from nncodec.plugin import registry
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import Device
from nncodec.plugin.precision import Precision

__all__ = [
    "Batch",
    "BatchOptions",
    "Estimate",
    "Outcome",
    "PackReport",
    "Report",
    "checking",
    "decoding",
    "encoding",
    "pack",
]

_MODEL_FILE = ".safetensors"


def encoding(
    source: Place,
    dest: Place,
    model: Place | None = None,
    quality: int | Literal["keep"] | None = None,
    *,
    target_size: int | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
    strip: bool = False,
    max_pixels: int = DEFAULT_LIMITS.pixels,
    keep_extension: bool = False,
    run: BatchOptions | None = None,
    **options: Unpack[EncodeOptions],
) -> Batch:
    """Return a batch that encodes all pictures below a folder to .nnc files below another.

    A picture is done again if it, its result, an option or a model has changed. Results have the names that
    `nncodec encode -r` gives them. A file that fails is noted and stops nothing.

    Args:
        source: folder, zip or tar file, or URL that fsspec opens.
        dest: folder or URL. It holds the manifest, in `.nncodec-batch`.
        model: name or alias of an installed model, or a model file (`mine.safetensors`), whose content workers get.
        quality, target_size, target_bpp, target_psnr: see `nncodec.encode`.
        strip: omit EXIF and XMP, and apply the orientation of EXIF.
        max_pixels: refuse pictures with more pixels.
        keep_extension: `a.png` becomes `a.png.nnc`, so that `a.jpg` may lie beside it.
        run: how to run; by default in as many processes as there are processors.
        **options: see `EncodeOptions`.

    Raises:
        NncError: an option, a model or a store cannot be used.
    """
    name, run = _with_model("model", model, _options(run))
    enhancer, run = _with_model("enhancer", options.get("enhancer"), run)
    if enhancer is not None:
        options["enhancer"] = enhancer
    check_request(name, quality, target_size, target_bpp, target_psnr, options)
    require_range("max_pixels", max_pixels, 1)
    settings = EncodeSettings(
        name, quality, target_size, target_bpp, target_psnr, strip=strip, max_pixels=max_pixels, options=options
    )
    return Batch(Encoding(settings, keep_extension), source, dest, run)


def decoding(
    source: Place,
    dest: Place,
    format: str = "png",
    quality: int | None = None,
    *,
    enhancer: Place | None = None,
    strength: float | None = None,
    precision: Precision = "auto",
    device: Device | None = None,
    strip: bool = False,
    animate: bool = False,
    max_pixels: int = DEFAULT_LIMITS.pixels,
    keep_extension: bool = False,
    run: BatchOptions | None = None,
) -> Batch:
    """Return a batch that decodes all .nnc files below a folder to pictures below another.

    Args:
        source, dest, strip, max_pixels, keep_extension, run: see `encoding`.
        format: extension of a format that Pillow writes.
        quality: of that format, 0 to 100, if it is lossy; by default one that loses nothing visible.
        enhancer, strength, precision, device: see `nncodec.decode`; the enhancer may also be a model file.
        animate: write all frames to one animated PNG, instead of one PNG each.

    Raises:
        InvalidOption: Pillow writes no such format, or it has no quality.
        NncError: see `encoding`.
    """
    kind, run = format_of(format), _options(run)
    check_quality(kind, quality)
    require_range("max_pixels", max_pixels, 1)
    if strength is not None:
        checked_strength(strength)
    Computing.chosen(precision, device)
    for path in run.models:
        registry.use_model(path)
    name = RECOMMENDED if enhancer == RECOMMENDED else None
    if name is None:
        name, run = _with_model("enhancer", enhancer, run)
    settings = DecodeSettings(
        kind,
        quality,
        animate=animate,
        enhancer=name,
        strength=strength,
        strip=strip,
        max_pixels=max_pixels,
        precision=precision,
        device=device,
    )
    return Batch(Decoding(settings, format.lower().removeprefix("."), keep_extension), source, dest, run)


def checking(source: Place, dest: Place, *, keep_extension: bool = False, run: BatchOptions | None = None) -> Batch:
    """Return a batch that verifies that every picture has a sound result: it is there, and its checksums hold.

    This needs no models. Results that an earlier check found sound, and that have not changed since, are skipped.

    Args:
        source: of the pictures; only their names matter.
        dest: of their results.
        keep_extension, run: see `encoding`.

    Raises:
        NncError: see `encoding`.
    """
    return Batch(Checking(keep_extension), source, dest, _options(run))


def _options(run: BatchOptions | None) -> BatchOptions:
    if run is not None and not isinstance(run, BatchOptions):
        raise InvalidOption(option="run", reason=f"expected nncodec.batch.BatchOptions, got {type(run).__name__}")
    return run or BatchOptions()


def _with_model(option: str, model: Place | None, run: BatchOptions) -> tuple[str | None, BatchOptions]:
    """Return the name of a model, and options whose workers get its file if it does not ship with a plugin.

    Raises:
        InvalidOption: it is neither a name nor a path.
        UnknownModel, BadModelFile, WeightsMismatch: the model cannot be used.
    """
    if model is None:
        return None, run
    if not isinstance(model, str | os.PathLike):
        reason = f"expected the name of an installed model, or a model file, got {type(model).__name__}"
        raise InvalidOption(option=option, reason=reason)
    text = os.fspath(model)
    is_file = text.endswith(_MODEL_FILE)
    model_info = registry.use_model(Path(text)) if is_file else registry.catalog().find(text)
    if registry.catalog().is_bundled(model_info):
        return text, run
    return model_info.name, replace(run, models=(*run.models, model_info.path))
