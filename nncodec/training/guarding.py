"""Calls into a recipe and its task: what they raise names their plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nncodec.errors import NncError, first_line
from nncodec.plugin.guard import PluginGuard, code_of_plugins
from nncodec.training.events import TrainingStopped

_T = TypeVar("_T")
_P = ParamSpec("_P")


def guarded(guard: PluginGuard, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Return `call(...)` of a recipe or of its task.

    Raises:
        ValueError: the call raised one, which says what a user can do; the plugin is named behind that.
        PluginError: the call raised something else.
        NncError, TrainingStopped: as the call raised it.
        Exception: memory was short, in whatever words; see `is_memory`.
    """
    try:
        with code_of_plugins():
            return call(*args, **kwargs)
    except (NncError, TrainingStopped):
        raise
    except ValueError as error:
        distribution = guard.distribution and f" of {guard.distribution}"
        raise ValueError(f"{error} (from the plugin {guard.plugin!r}{distribution})") from error
    except (Exception, SystemExit) as error:  # third-party code: anything can happen
        if is_memory(error):
            raise
        raise guard.error(f"{type(error).__name__}: {first_line(error)}") from error


def is_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory is short; torch has several that do."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
