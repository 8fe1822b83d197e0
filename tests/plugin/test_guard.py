"""Whatever a plugin's code raises becomes an error that names the plugin and the model."""

from __future__ import annotations

import pytest

from nncodec.errors import PluginError, Truncated
from nncodec.plugin.guard import PluginGuard, is_in_plugin
from nncodec.training.guarding import guarded

GUARD = PluginGuard("tiny", "tiny-codec 1.0", "tiny/one")


@pytest.mark.parametrize(
    "error", [AssertionError("a\nb"), OSError(5, "x"), ImportError("y"), KeyError("z"), SystemExit(3)]
)
def test_whatever_a_plugin_raises_becomes_one_line_that_names_it(error: BaseException) -> None:
    def fail() -> None:
        raise error

    start = r"the plugin 'tiny' \(tiny-codec 1.0\) failed with the model 'tiny/one': "
    with pytest.raises(PluginError, match=start + type(error).__name__) as caught:
        GUARD.run(fail)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_errors_of_this_package_lack_of_memory_and_ctrl_c_pass_through_a_plugin() -> None:
    def fail(error: BaseException) -> None:
        raise error

    for error in (Truncated(part="header"), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            GUARD.run(fail, error)


def test_a_thread_knows_that_it_runs_the_code_of_a_plugin() -> None:
    assert GUARD.run(is_in_plugin)
    assert guarded(GUARD, GUARD.run, is_in_plugin)
    assert not is_in_plugin()
    with pytest.raises(PluginError):
        GUARD.run(int, "x")
    assert not is_in_plugin()
