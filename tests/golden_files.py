"""The golden files, and the script that makes them."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

GOLDEN = Path(__file__).parent / "golden"


@cache
def maker() -> ModuleType:
    """Return the script that makes the golden files as a module."""
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
