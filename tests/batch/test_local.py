"""The engine of local processes: workers that die, a parent that dies, and pixels in flight."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import toys
from batches import results_below, write_pictures
from PIL import Image

from nncodec import batch
from nncodec.batch.local import LocalEngine, _Group
from nncodec.batch.manifest import Item
from nncodec.errors import NncError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")


def encoding(source: Path, dest: Path, model: str = "tiny/means", **run: object) -> batch.Batch:
    options = batch.BatchOptions(**{"workers": 1} | run)  # type: ignore[arg-type]
    return batch.encoding(source, dest, model, lossless=False, run=options)


def workers() -> list[multiprocessing.process.BaseProcess]:
    return multiprocessing.active_children()


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_picture_that_kills_its_worker_is_named_and_takes_nobody_with_it(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 9)
    Image.new("RGB", (12, 12), "white").save(tmp_path / "in/sub/00004.png")
    report = encoding(tmp_path / "in", tmp_path / "out", "tiny/deadly").run()
    assert (report.done, report.failed, report.restarts) == (8, 1, 3)  # once among others, twice alone
    (error,) = report.errors
    assert (error["source"], error["kind"]) == ("sub/00004.png", "killed")
    assert "SIGKILL" in error["error"]
    assert len(results_below(tmp_path / "out")) == 8
    assert not workers()
    # Later runs leave it out, unless they are asked to try.
    for retry, restarts in ((False, 0), (True, 2)):
        again = encoding(tmp_path / "in", tmp_path / "out", "tiny/deadly", retry_killed=retry).run()
        assert (again.done, again.skipped, again.failed, again.restarts) == (0, 8, 1, restarts)


def test_workers_that_are_killed_cost_nothing_but_time(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 160)
    killed: list[int] = []

    def kill(source: str, result: str, outcome: batch.Outcome) -> None:
        if len(killed) < 2:
            victim = workers()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            killed.append(victim.pid)

    report = encoding(tmp_path / "in", tmp_path / "out", workers=2).run(kill)
    assert (report.done, report.failed) == (160, 0)
    assert report.restarts == len(set(killed))
    assert len(results_below(tmp_path / "out")) == 160
    assert not list((tmp_path / "out").rglob("*.part")) or report.restarts


def test_a_command_that_is_killed_leaves_whole_files_and_is_resumed(tmp_path: Path, in_process: None) -> None:
    write_pictures(tmp_path / "in", 160)
    command = [sys.executable, "-m", "nncodec", "batch", "encode", "in", "out", "-m", "tiny/means", "--never-lossless"]
    process = subprocess.Popen([*command, "-j", "1", "-v"], stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stderr is not None
        process.stderr.readline()  # the first picture is done
        process.kill()
        process.wait()
        done = results_below(tmp_path / "out")
        # Its worker sees the closed pipe and ends; nothing new appears then.
        wait_until(lambda: not _group_lives(process.pid))
    finally:
        process.stderr.close()
    left = results_below(tmp_path / "out")
    assert done.items() <= left.items()
    assert len(left) < 160
    report = encoding(tmp_path / "in", tmp_path / "out").run()
    assert report.done + report.skipped == 160
    assert report.done < 160
    assert not list((tmp_path / "out").rglob("*.part"))
    encoding(tmp_path / "in", tmp_path / "whole").run()
    assert results_below(tmp_path / "out") == results_below(tmp_path / "whole")
    lines = (tmp_path / "out/.nncodec-batch/encode/1-of-1/manifest.jsonl").read_bytes().splitlines()
    assert {json.loads(line)["source"] for line in lines} == {
        path.relative_to(tmp_path / "in").as_posix() for path in (tmp_path / "in").rglob("*.png")
    }


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_model_that_does_not_open_ends_the_run_with_one_line(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 2)
    bad = toys.write_toy(tmp_path / "bad.safetensors", "bad", "blocks", {"fail": "ValueError"})
    with pytest.raises(NncError, match="does not fit"):
        encoding(tmp_path / "in", tmp_path / "out", str(bad)).run()
    assert not workers()


class _FakeProcess:
    def __init__(self) -> None:
        self.granted, self.asked, self.sent = 0, 0, 0
        self.connection = self

    def send(self, message: object) -> None:
        self.sent += 1


def test_large_pictures_wait_until_their_pixels_fit() -> None:
    engine = LocalEngine(None, 3, pixels_in_flight=100)  # type: ignore[arg-type]
    first, second, third = processes = [_FakeProcess() for _ in range(3)]
    engine._processes = processes  # type: ignore[assignment]
    for process, pixels in zip(processes, (70, 40, 500), strict=True):
        process.asked = pixels
        engine._asking.append(process)  # type: ignore[arg-type]
        engine._admit()
    assert [process.sent for process in processes] == [1, 0, 0]
    first.granted = 0
    engine._admit()
    assert [process.sent for process in processes] == [1, 1, 0]
    second.granted = 0
    engine._admit()  # one alone may exceed the bound
    assert third.sent == 1


def test_a_group_forgets_what_is_done() -> None:
    group = _Group([Item("a", "a.nnc"), Item("b", "b.nnc")])
    assert group.left.pop("a").result == "a.nnc"
    assert list(group.left) == ["b"]
