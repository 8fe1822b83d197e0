"""What carries out the networks that decode: torch, plain NumPy or ONNX Runtime.

All engines decode files to the same latents, and to pixels within one level of torch's in float32. Importing torch
takes longer than decoding a small picture without it, so small pictures are decoded in NumPy as long as nothing else
has loaded torch.
"""

from __future__ import annotations

import os
import sys
from typing import Literal, cast, get_args

from nncodec._support import extras
from nncodec.errors import InvalidOption

Engine = Literal["torch", "numpy", "onnx"]
"""Who carries out networks: PyTorch, plain NumPy or ONNX Runtime."""

ENGINE_VARIABLE = "NNCODEC_ENGINE"
"""Environment variable that names the engine; models that lack it decode with torch."""

PIXELS_WITHOUT_TORCH = 1 << 20
"""A process decodes so many pixels in NumPy before it loads torch; that takes about as long as loading it."""


class _Count:
    """Pixels that this process has decoded without torch."""

    pixels = 0


def chosen_engine(pixels: int) -> Engine:
    """Return the engine to decode some pixels with.

    Args:
        pixels: of all frames of a file.

    Raises:
        InvalidOption: $NNCODEC_ENGINE names no engine.
        NncError: it is "onnx", and ONNX Runtime is not installed.
    """
    chosen = os.environ.get(ENGINE_VARIABLE, "")
    if not chosen:
        few = _Count.pixels + pixels <= PIXELS_WITHOUT_TORCH
        return "numpy" if few and "torch" not in sys.modules else "torch"
    if chosen not in get_args(Engine):
        raise InvalidOption(option=ENGINE_VARIABLE, reason=f"{chosen!r:.40} is not torch, numpy or onnx")
    if chosen == "onnx":
        extras.check("onnxruntime", "onnx", f"{ENGINE_VARIABLE}=onnx")
    return cast("Engine", chosen)


def count_without_torch(pixels: int) -> None:
    """Note that this process decodes pixels without torch; see `PIXELS_WITHOUT_TORCH`."""
    _Count.pixels += pixels
