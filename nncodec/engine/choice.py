"""Chooses what carries out the networks that decode a file: torch, plain NumPy or ONNX Runtime.

All decode files to the same latents, and to pixels within one level of torch's in float32. Importing torch takes longer
than decoding a small picture without it, so small pictures are decoded in NumPy as long as nothing else has loaded
torch.
"""

from __future__ import annotations

import os
import sys

from nncodec.engine.arrays import ArrayLoader
from nncodec.engine.runtime import RuntimeLoader
from nncodec.errors import InvalidOption
from nncodec.plugin.device import current_device
from nncodec.plugin.engine import Loader

ENGINE_VARIABLE = "NNCODEC_ENGINE"
"""Environment variable that names the engine; models that cannot decode without torch ignore it."""

PIXELS_WITHOUT_TORCH = 1 << 20
"""A process decodes so many pixels in NumPy before it loads torch; that takes about as long as loading it."""

_LOADERS: dict[str, Loader | None] = {"torch": None, "numpy": ArrayLoader(), "onnx": RuntimeLoader()}


class _Count:
    """Pixels that this process has decoded without torch."""

    pixels = 0


def chosen_loader(pixels: int) -> Loader | None:
    """Return what makes networks ready to decode some pixels, or None for torch.

    Args:
        pixels: of all frames of a file.

    Raises:
        InvalidOption: $NNCODEC_ENGINE names no engine, or one that does not compute on the current device.
        NncError: it is "onnx", and ONNX Runtime is not installed.
    """
    chosen = os.environ.get(ENGINE_VARIABLE, "")
    device = current_device()
    if device != "cpu":
        if chosen not in ("", "torch"):
            raise InvalidOption(
                option="device", reason=f"{device!r} needs PyTorch; unset ${ENGINE_VARIABLE} ({chosen:.20})"
            )
        return None
    if not chosen:
        few = _Count.pixels + pixels <= PIXELS_WITHOUT_TORCH
        chosen = "numpy" if few and "torch" not in sys.modules else "torch"
    if chosen not in _LOADERS:
        raise InvalidOption(option=ENGINE_VARIABLE, reason=f"{chosen!r:.40} is not {' or '.join(_LOADERS)}")
    return _LOADERS[chosen]


def count_without_torch(pixels: int) -> None:
    """Note that this process decodes pixels without torch; see `PIXELS_WITHOUT_TORCH`."""
    _Count.pixels += pixels
