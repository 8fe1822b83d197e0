"""Optional packages, of the extras in `setup.cfg`; they are imported where they are used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from nncodec.errors import NncError


def is_installed(module: str) -> bool:
    """Return whether a top-level module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def check(module: str, extra: str, purpose: str) -> None:
    """Raise what `require` would raise, without importing the module; arguments, errors: see there."""
    if not is_installed(module.split(".")[0]):
        raise _missing(module, extra, purpose)


def require(module: str, extra: str, purpose: str) -> Any:
    """Import a module that an extra of this distribution installs.

    Args:
        module: full name.
        extra: name of the extra.
        purpose: what needs the module; the message begins with it.

    Raises:
        NncError: the module is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise _missing(module, extra, purpose) from None


def _missing(module: str, extra: str, purpose: str) -> NncError:
    package = module.split(".")[0]
    return NncError(detail=f'{purpose} needs {package}, which is not installed; pip install "nncodec-image[{extra}]"')
