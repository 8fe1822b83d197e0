"""The engine of Dask: the same results, also when workers or the scheduler die, and model files that travel."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import toys
from batches import results_below, write_pictures
from PIL import Image

from nncodec import batch
from nncodec.errors import NncError

pytest.importorskip("distributed", reason="needs the extra 'dask'")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

COUNT = 96


class Cluster:
    """A scheduler and workers in processes of their own, which are killed at the end."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self._options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        self._started: list[subprocess.Popen[bytes]] = []

    def scheduler(self) -> subprocess.Popen[bytes]:
        return self._start("scheduler", *self._options)

    def worker(self) -> subprocess.Popen[bytes]:
        options = ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(Path.cwd())]
        return self._start("worker", self.address, *options, "--death-timeout", "20")

    def close(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", kind, *options]
        null = subprocess.DEVNULL
        self._started.append(subprocess.Popen(command, stdout=null, stderr=null, start_new_session=True))
        return self._started[-1]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


def encoding(source: Path, dest: Path, model: Any = "tiny/means", **run: Any) -> batch.Batch:
    return batch.encoding(source, dest, model, lossless=False, run=batch.BatchOptions(**run))


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, bytes]:
    """The results of an undisturbed run in local processes."""
    write_pictures(tmp_path / "in", COUNT)
    encoding(tmp_path / "in", tmp_path / "whole", workers=1).run()
    return results_below(tmp_path / "whole")


def once(act: Callable[[], object]) -> Callable[[str, str, batch.Outcome], None]:
    """Return what acts when the first picture is done."""
    left = [act]

    def on_outcome(source: str, result: str, outcome: batch.Outcome) -> None:
        if left:
            left.pop()()

    return on_outcome


def test_workers_of_a_scheduler_get_a_model_file_and_a_killed_one_costs_nothing(
    cluster: Cluster, expected: dict[str, bytes], tmp_path: Path
) -> None:
    mine = toys.write_toy(tmp_path / "mine.safetensors", "mine", "blocks", {"mode": "RGB"}, fill=9)
    cluster.scheduler()
    first = cluster.worker()
    made = encoding(tmp_path / "in", tmp_path / "out", mine, scheduler=cluster.address)

    def replace_worker() -> None:
        cluster.worker()
        os.killpg(first.pid, signal.SIGKILL)  # with its nanny, which would start it again

    report = made.run(once(replace_worker))
    assert (report.done, report.failed) == (COUNT, 0)
    found = results_below(tmp_path / "out")
    assert found.keys() == expected.keys()
    assert made.run().skipped == COUNT


def test_a_run_that_loses_its_scheduler_says_so_and_is_resumed(
    cluster: Cluster, expected: dict[str, bytes], tmp_path: Path
) -> None:
    scheduler = cluster.scheduler()
    cluster.worker()
    made = encoding(tmp_path / "in", tmp_path / "out", scheduler=cluster.address)
    with pytest.raises(NncError, match=r"scheduler .* is gone; repeat the command"):
        made.run(once(lambda: os.killpg(scheduler.pid, signal.SIGKILL)))
    left = results_below(tmp_path / "out")
    assert left.items() <= expected.items()
    report = encoding(tmp_path / "in", tmp_path / "out", workers=1).run()
    assert report.skipped
    assert report.done + report.skipped == COUNT
    assert results_below(tmp_path / "out") == expected


def test_a_picture_that_kills_dask_workers_is_named(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 5)
    Image.new("RGB", (12, 12), "white").save(tmp_path / "in/sub/00004.png")
    report = encoding(tmp_path / "in", tmp_path / "out", "tiny/deadly", engine="dask", workers=1).run()
    assert (report.done, report.failed) == (4, 1)
    assert (report.errors[0]["source"], report.errors[0]["kind"]) == ("sub/00004.png", "killed")


def test_a_scheduler_that_is_not_there_is_one_line(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "in", 1)
    monkeypatch.setattr("nncodec.batch.dask_engine._JOIN_S", 1)
    with pytest.raises(NncError, match="no Dask scheduler at"):
        encoding(tmp_path / "in", tmp_path / "out", scheduler=cluster.address).run()
