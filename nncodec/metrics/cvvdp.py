"""ColorVideoVDP, a model of human vision: a second perceptual measure, which nothing in this project is trained for.

It comes from package `cvvdp`, which asks for more than a still image needs: video readers, a model hub, and
torchvision, which cannot be imported beside every build of torch. So the package is installed without its
dependencies, and what the measure of still images uses of torchvision, one Gaussian blur, is given here.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec._support.extras import is_installed
from nncodec.errors import NncError

PACKAGE = "pycvvdp"
DISPLAY = "standard_4k"
"""The display and distance that images are seen at: 30 inches, 3840 x 2160 pixels, 200 cd/m2, 0.75 m."""

# What the package imports for video, training and other measures; none of it is called for still images.
_UNUSED = (
    "torchvision",
    "torchvision.ops",
    "huggingface_hub",
    "einops",
    "einops.layers",
    "einops.layers.torch",
    "ffmpeg",
    "pyexr",
)
_BLUR = "torchvision.transforms"


def is_available() -> bool:
    """Check whether the package is installed, without importing it."""
    return is_installed(PACKAGE)


def require_package() -> None:
    """Raise NncError unless the package is installed; one line says how to install it."""
    if not is_available():
        raise NncError(detail="ColorVideoVDP needs cvvdp without its dependencies; pip install --no-deps cvvdp")


def score(original: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return the quality of a decoded sRGB image in just-objectionable differences: 10 is none, lower is worse.

    Args:
        original, decoded: one shape (height, width, 3).

    Raises:
        NncError: the package is not installed.

    References:
        R. K. Mantiuk et al., ColorVideoVDP: a visual difference predictor for image, video and display distortions,
        ACM TOG (SIGGRAPH) 2024.
    """
    require_package()
    value, _ = _measure().predict(decoded, original, dim_order="HWC")
    return float(value)


@functools.cache
def _measure() -> Any:
    import torch

    with _stand_ins():
        package = importlib.import_module(PACKAGE)
    return package.cvvdp(display_name=DISPLAY, device=torch.device("cpu"))


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """Let the package import what it does not use; nothing of it is left in `sys.modules` afterwards."""
    added = {name: _Unused(name) for name in _UNUSED if name not in sys.modules}
    if _BLUR not in sys.modules:
        added[_BLUR] = _Unused(_BLUR)
        added[_BLUR].GaussianBlur = _gaussian_blur_class()  # type: ignore[attr-defined]
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


class _Unused(types.ModuleType):
    """A module with every name that is asked for; using one fails."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def _gaussian_blur_class() -> type:
    import torch
    import torch.nn.functional as F

    class GaussianBlur(torch.nn.Module):
        """A Gaussian blur with mirrored edges, as torchvision's; the number of taps is odd."""

        def __init__(self, kernel_size: int, sigma: float) -> None:
            super().__init__()
            position = torch.arange(kernel_size) - (kernel_size - 1) / 2
            taps = torch.exp(-0.5 * (position / sigma) ** 2)
            self._taps = taps / taps.sum()

        def forward(self, planes: torch.Tensor) -> torch.Tensor:
            taps, reach = self._taps.to(planes), len(self._taps) // 2
            flat = planes.reshape(-1, 1, *planes.shape[-2:])
            flat = F.pad(flat, (reach,) * 4, mode="reflect")
            blurred = F.conv2d(F.conv2d(flat, taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
            return blurred.reshape(planes.shape)

    return GaussianBlur
