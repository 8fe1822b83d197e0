"""Tries a model once before it is installed: a file may be well-formed, and its network return nothing usable."""

from __future__ import annotations

import numpy as np

from nncodec.errors import BadModelFile, NncError
from nncodec.plugin.codec import CodecModel, FixedSize
from nncodec.plugin.enhancer import EnhancerModel
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import Pixels, kind_of_array, problem_with, problem_with_analysis
from nncodec.plugin.lossless import LosslessModel, problem_with_samples
from nncodec.plugin.model_file import ModelInfo
from nncodec.plugin.self_test import problem_with_contexts

MOST_PIXELS = 1 << 22
"""The largest picture that a model of fixed size is tried on; readers would refuse larger ones as a block."""

InstalledModel = CodecModel | EnhancerModel | LosslessModel
"""A model of any kind."""


def try_model(model: InstalledModel, model_info: ModelInfo, guard: PluginGuard) -> None:
    """Run a model on the smallest picture that it takes.

    Args:
        model: freshly built.
        model_info: of its file, for the message.
        guard: runs the model's code.

    Raises:
        BadModelFile: it fails, or returns something else than it declares, or numbers that are not finite.
    """
    try:
        problem = guard.run(_problem, model)
    except NncError as error:
        raise BadModelFile(path=model_info.path, reason=f"it fails when it is tried: {error}") from error
    if problem:
        raise BadModelFile(path=model_info.path, reason=f"it was tried, and {problem}")


def _problem(model: InstalledModel) -> str | None:
    if isinstance(model, CodecModel):
        return _problem_with_codec(model)
    if isinstance(model, EnhancerModel):
        pixels = _ramp(model.traits.multiple, model.traits.multiple, 3)
        return _problem_with_pixels(model.enhance(pixels, 0.0), pixels, model.traits.factor)
    samples = _ramp(8, 8, 1).astype(np.uint16)
    payload = model.encode(samples, 8, model.traits.efforts[0])
    decoded = model.decode(payload, samples.shape, 8)
    if problem := problem_with_samples(decoded, samples.shape, 8):
        return problem
    return None if np.array_equal(decoded, samples) else "does not return the samples that it coded"


def _problem_with_codec(model: CodecModel) -> str | None:
    traits = model.traits
    size = traits.size
    width, height = (size.width, size.height) if isinstance(size, FixedSize) else (size.multiple, size.multiple)
    if width * height > MOST_PIXELS:
        return f"its pictures of {width} x {height} pixels are too large"
    if problem := problem_with_contexts(model):
        return problem
    pixels = _ramp(width, height, 3 if "RGB" in traits.modes else 1)
    quality, effort = 50 if traits.qualities else 0, traits.efforts[0]
    arrays = model.analysis(pixels, quality, effort)
    problem = problem_with_analysis(arrays, traits.latents, pixels.shape[:3])
    if problem is None and not all(np.isfinite(array).all() for array in arrays.values()):
        problem = "its analysis gives values that are not finite"
    if problem is None:
        latents = model.quantize(arrays, pixels, quality, effort)
        problem = problem_with(latents, traits.latents, pixels.shape[:3])
        problem = problem or _problem_with_pixels(model.synthesis(latents, quality), pixels, 1)
    return problem


def _problem_with_pixels(result: Pixels, pixels: Pixels, factor: int) -> str | None:
    count, height, width, _ = pixels.shape
    if not isinstance(result, np.ndarray):
        return f"it returns {kind_of_array(result)}"
    fits = result.ndim == 4 and result.shape[:3] == (count, factor * height, factor * width)
    if result.dtype == np.uint8 and fits and result.shape[3] in (1, 3):
        return None
    return f"it returns {kind_of_array(result)} for a picture of {width} x {height} pixels"


def _ramp(width: int, height: int, planes: int) -> Pixels:
    """Return one picture (1, H, W, C) whose levels rise from the upper left to the lower right corner."""
    levels = np.add.outer(np.arange(height), np.arange(width)) * 255 // max(1, height + width - 2)
    return np.repeat(levels.astype(np.uint8)[None, ..., None], planes, axis=3)
