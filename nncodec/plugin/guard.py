"""Calls into a plugin's own code, which may raise anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nncodec.errors import NncError, PluginError, first_line

_T = TypeVar("_T")
_P = ParamSpec("_P")


def run_plugin(plugin: str, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Return `call(...)`, with whatever a plugin's own code raises turned into PluginError."""
    try:
        return call(*args, **kwargs)
    except (NncError, MemoryError):
        raise
    except Exception as error:  # a third party's code: anything can happen
        raise PluginError(plugin=plugin, reason=f"{type(error).__name__}: {first_line(error)}") from error
