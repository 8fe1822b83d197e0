"""Faults around the program leave whole files or none: full disks, kills, read-only folders, replaced models."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from toys import write_toy

from nncodec._support.files import creating, replacing, write_file
from nncodec.batch.stores import STATE_FOLDER, LocalStore
from nncodec.compare.report.folder import write_folder
from nncodec.errors import UnknownModel
from nncodec.plugin import discovery, registry

pytestmark = pytest.mark.usefixtures("user_models")


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("writer", [replacing, creating])
def test_a_write_that_fails_leaves_what_was_there(writer, reason: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "out.nnc"
    if writer is replacing:
        target.write_bytes(b"before")
    before = list(tmp_path.iterdir())

    def write() -> None:
        with writer(target) as temporary:
            temporary.write_bytes(b"half")
            raise OSError(reason, os.strerror(reason))

    with pytest.raises(OSError, match=os.strerror(reason)):
        write()
    assert list(tmp_path.iterdir()) == before
    assert not before or target.read_bytes() == b"before"


def _full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _append_to_log(path: Path) -> None:
    log = LocalStore(path, "encode").append("manifest")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
    try:
        log.add(b"{}\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        log.close()


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (lambda path: write_file(path, b"data"), ""),
        (lambda path: write_folder(path, {"report.html": b"data"}), ""),
        (lambda path: LocalStore(path, "encode").publish("a.nnc", b"data"), "a.nnc"),
        (_append_to_log, f"{STATE_FOLDER}/manifest.jsonl"),
    ],
    ids=["file", "report", "result of a batch", "log of a batch"],
)
def test_a_full_disk_is_said_with_the_path(
    write: Callable[[Path], None], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    monkeypatch.setattr(Path, "write_bytes", _full)
    with pytest.raises(OSError) as raised:  # noqa: PT011  its name is looked at
        write(target)
    assert raised.value.filename == str(target / named)


def test_a_full_disk_while_a_model_is_added_leaves_none(
    tmp_path: Path, user_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_toy(tmp_path / "mine.safetensors", "mine", "of-no-plugin")
    monkeypatch.setattr("shutil.copyfile", _full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        registry.install_model(path)
    assert list(user_models.iterdir()) == []


WRITE = """
import sys
from pathlib import Path
from nncodec._support.files import write_file
print("ready", flush=True)
number = 0
while True:
    write_file(Path(sys.argv[1]), bytes([number % 256]) * 2_000_000)
    number += 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 on this system")
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "out.nnc"
    write_file(target, bytes(2_000_000))
    for wait in (0.01, 0.03, 0.07):
        process = subprocess.Popen([sys.executable, "-c", WRITE, target], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        process.stdout.close()
        data = target.read_bytes()
        assert data == data[:1] * 2_000_000


def test_a_folder_of_models_that_cannot_be_made_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(blocked / "models"))
    registry.refresh()
    path = write_toy(tmp_path / "mine.safetensors", "mine", "of-no-plugin")
    with pytest.raises(OSError, match="file"):
        registry.install_model(path)
    assert "mine" not in registry.catalog().models


def test_two_versions_of_a_model_are_two_models(tmp_path: Path) -> None:
    first = registry.install_model(write_toy(tmp_path / "1.safetensors", "mine", "of-no-plugin", fill=1))
    registry.remove_model("mine")
    second = registry.install_model(write_toy(tmp_path / "2.safetensors", "mine", "of-no-plugin", fill=2))
    assert first.digest != second.digest
    with pytest.raises(UnknownModel):
        registry.catalog().find_by_id(first.id_bytes[:8])
    assert registry.catalog().find_by_id(second.id_bytes[:8]).name == "mine"
