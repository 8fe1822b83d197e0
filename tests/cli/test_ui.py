"""`nncodec ui`: what it says where it cannot start."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nncodec.cli import main


@pytest.mark.parametrize("package", ["uvicorn", "starlette"])
def test_without_the_extra_a_line_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("nncodec._support.extras.is_installed", lambda module: module != package)
    done = CliRunner().invoke(main, ["ui", "--no-browser"])
    assert done.exit_code == 1
    assert done.stderr == (
        f'nncodec: the page needs {package}, which is not installed; pip install "nncodec-image[ui]"\n'
    )


def test_a_port_that_is_taken_and_a_folder_that_is_missing_have_a_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["ui", "--no-browser", "--port", str(port)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert f"port {port} " in done.stderr
    done = CliRunner().invoke(main, ["ui", "--no-browser", str(tmp_path / "missing")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
