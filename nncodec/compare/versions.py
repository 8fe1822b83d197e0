"""Versions of the programs and libraries that a measurement depends on."""

from __future__ import annotations

import importlib.metadata
import platform

from PIL import features

_PACKAGES = (
    "nncodec-image",
    "pillow",
    "pillow-jxl-plugin",
    "torch",
    "numpy",
    "scikit-image",
    "pytorch-msssim",
    "ssimulacra2",
    "bjontegaard",
)
_LIBRARIES = {"libjpeg_turbo": "libjpeg-turbo", "webp": "libwebp", "avif": "libavif"}


def versions() -> dict[str, str]:
    """Return the versions of those that are installed, by name."""
    known = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            known[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    for feature, name in _LIBRARIES.items():
        if features.check(feature) and (version := features.version(feature)):
            known[name] = version
    return known
