"""Ctrl-C while the command line is still starting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")

# What pip writes for the entry point in setup.cfg.
_SCRIPT = "import re\nimport sys\nfrom nncodec.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


def started(
    how: str, *arguments: str, handler: Callable[[int, FrameType | None], None] | int = signal.default_int_handler
) -> subprocess.Popen[str]:
    """Start the command line as a user does, with Python reporting every finished import on stderr."""
    if how == "script":
        Path("bin").mkdir(exist_ok=True)
        Path("bin/nncodec").write_text(_SCRIPT)
    command = [sys.executable, *(["bin/nncodec"] if how == "script" else ["-m", "nncodec"]), *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    )


def interrupt_at(process: subprocess.Popen[str], moment: str) -> None:
    """Send Ctrl-C as soon as this module is imported."""
    assert process.stderr is not None
    next(line for line in process.stderr if line.split("|")[-1].strip() == moment)
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("how", ["script", "module"])
@pytest.mark.parametrize(
    "moment", ["nncodec._version", "numpy._core.multiarray", "PIL.Image", "nncodec.api", "click", "torch.torch_version"]
)
def test_ctrl_c_during_an_import_is_one_line(how: str, moment: str) -> None:
    with started(how, "demo", "-f") as process:
        interrupt_at(process, moment)
        out, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, out, lines) == (130, "", ["nncodec: interrupted"])


def test_other_programs_that_import_it_see_a_keyboard_interrupt() -> None:
    code = "import signal, nncodec, nncodec.cli; assert signal.getsignal(2) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_caller_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    with started("module", "--version", handler=signal.SIG_IGN) as process:
        interrupt_at(process, "nncodec.api")
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("nncodec, version")
