"""Calls into a plugin's own code, which may raise anything; errors name the plugin and the model."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from nncodec.errors import NncError, PluginError, first_line

_T = TypeVar("_T")
_P = ParamSpec("_P")


@dataclass(frozen=True)
class PluginGuard:
    """Runs the code of one plugin, for one model.

    Args:
        plugin: its entry point, as `nncodec plugins` lists it.
        distribution: name and version of the package it came with; may be empty.
        model: the model that the code is called for; may be empty.
    """

    plugin: str
    distribution: str = ""
    model: str = ""

    def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return `call(...)`; an exception of the plugin's own becomes PluginError."""
        try:
            with code_of_plugins():
                return call(*args, **kwargs)
        except (NncError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # third-party code: anything can happen
            raise self.error(f"{type(error).__name__}: {first_line(error)}") from error

    def error(self, reason: str) -> PluginError:
        """Return the error that says what this plugin did wrong."""
        return PluginError(plugin=self.plugin, distribution=self.distribution, model=self.model, reason=reason)


_threads = threading.local()


@contextlib.contextmanager
def code_of_plugins() -> Iterator[None]:
    """Mark a block that runs the code of plugins, in this thread; see `is_in_plugin`."""
    before = is_in_plugin()
    _threads.is_in_plugin = True
    try:
        yield
    finally:
        _threads.is_in_plugin = before


def is_in_plugin() -> bool:
    """Return whether this thread runs the code of a plugin, whose prints are no results of a command."""
    return getattr(_threads, "is_in_plugin", False)


def quiet_import() -> AbstractContextManager[object]:
    """Let what a plugin prints while it is imported go to stderr: stdout may be the file that is being written."""
    return contextlib.redirect_stdout(sys.stderr)


UNKNOWN_PLUGIN = PluginGuard("unknown")
"""For code that runs outside any installed model, such as an entropy model in a test."""
