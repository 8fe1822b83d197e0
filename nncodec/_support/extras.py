"""What only some installations have: packages of the extras in `setup.cfg`, imported where they are used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from nncodec.errors import NncError


def is_installed(module: str) -> bool:
    """Whether a top-level module can be found, without importing it."""
    return importlib.util.find_spec(module) is not None


def check(module: str, extra: str, purpose: str) -> None:
    """Refuse at once what `require` would refuse later, without importing anything; arguments, errors: see there."""
    if not is_installed(module.split(".")[0]):
        raise _missing(module, extra, purpose)


def require(module: str, extra: str, purpose: str) -> Any:
    """Import a module that an extra of this distribution brings.

    Args:
        module: its full name.
        extra: the extra, as pip calls it.
        purpose: what needs it, to begin the sentence with.

    Raises:
        NncError: it is not installed; one line says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise _missing(module, extra, purpose) from None


def _missing(module: str, extra: str, purpose: str) -> NncError:
    package = module.split(".")[0]
    return NncError(detail=f'{purpose} needs {package}, which is not installed; pip install "nncodec-image[{extra}]"')
