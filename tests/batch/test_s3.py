"""Batches from and to S3, played by moto's server on loopback, which fails and answers late."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from batches import results_below, write_pictures

from benchmarks.measuring.faulty_s3 import FaultyS3, serving
from nncodec import batch
from nncodec.torch import NncDataset, ShardDataset

pytest.importorskip("moto", reason="needs the extra 'batch-test'")
fsspec = pytest.importorskip("fsspec", reason="needs the extra 'batch-test'")
pytest.importorskip("s3fs", reason="needs the extra 'batch-test'")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

COUNT = 24


@pytest.fixture
def faults() -> Iterator[FaultyS3]:
    faults = FaultyS3()
    with serving(faults):
        yield faults


@pytest.fixture
def bucket(faults: FaultyS3, tmp_path: Path) -> Iterator[Any]:
    """An s3fs with a bucket of pictures; the results of an undisturbed run are in the folder whole/."""
    files = fsspec.filesystem("s3", skip_instance_cache=True, use_listings_cache=False)
    files.mkdir("bucket")
    write_pictures(tmp_path / "in", COUNT)
    files.put(f"{tmp_path}/in/", "bucket/in/", recursive=True)
    run = batch.BatchOptions(workers=1)
    batch.encoding(tmp_path / "in", tmp_path / "whole", "tiny/means", lossless=False, run=run).run()
    yield files
    faults.errors = faults.delays = 0.0
    files.rm("bucket", recursive=True)  # moto keeps its buckets as long as the process lives


def encoding(**run: Any) -> batch.Batch:
    options = batch.BatchOptions(**{"workers": 2} | run)
    return batch.encoding("s3://bucket/in", "s3://bucket/out", "tiny/means", lossless=False, run=options)


def key_of(key: str, beside: Mapping[str, bytes]) -> str:
    return key


def results(files: Any) -> dict[str, bytes]:
    names = [name for name in files.find("bucket/out") if ".nncodec-batch" not in name]
    return {name.removeprefix("bucket/out/"): files.cat_file(name) for name in names}


def test_errors_and_delays_of_the_store_change_nothing(faults: FaultyS3, bucket: Any, tmp_path: Path) -> None:
    faults.errors, faults.delays, faults.delay_s = 0.2, 0.1, 0.05
    report = encoding().run()
    assert (report.done, report.failed) == (COUNT, 0)
    assert faults.failed > COUNT / 4
    assert encoding().run().skipped == COUNT
    assert batch.checking("s3://bucket/in", "s3://bucket/out").run().done == COUNT
    faults.errors = 0.0
    assert results(bucket) == results_below(tmp_path / "whole")


def test_a_training_set_is_packed_into_a_bucket_and_read_from_it(faults: FaultyS3, bucket: Any, tmp_path: Path) -> None:
    faults.errors, faults.delays, faults.delay_s = 0.2, 0.1, 0.05
    report = batch.pack(tmp_path / "whole", "s3://bucket/shards", shard_bytes=8_000)
    assert report.samples == COUNT
    assert report.written == report.shards > 2
    assert batch.pack(tmp_path / "whole", "s3://bucket/shards", shard_bytes=8_000).written == 0
    pictures = NncDataset(tmp_path / "whole")
    expected = dict(zip(pictures.keys, pictures, strict=True))
    for dataset in (ShardDataset("s3://bucket/shards", key_of), NncDataset("s3://bucket/shards", key_of)):
        found = {key: picture for picture, key in dataset}
        assert found.keys() == expected.keys()
        assert all(torch.equal(picture, expected[key]) for key, picture in found.items())
    assert faults.failed > COUNT / 4


def test_a_store_that_is_down_ends_the_run_and_the_next_does_the_rest(
    faults: FaultyS3, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncodec.batch.transport._FIRST_DELAY_S", 0.01)
    faults.errors = 1.0
    with pytest.raises(OSError, match="injected"):
        encoding().run()
    faults.errors = 0.0
    assert encoding().run().done == COUNT
    assert results(bucket) == results_below(tmp_path / "whole")


def test_killed_workers_and_commands_leave_whole_objects(faults: FaultyS3, bucket: Any, tmp_path: Path) -> None:
    faults.errors, faults.delays, faults.delay_s = 0.1, 0.2, 0.05
    command = [sys.executable, "-m", "nncodec", "batch", "encode", "s3://bucket/in", "s3://bucket/out"]
    options = ["-m", "tiny/means", "--never-lossless", "-j", "1", "-v"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, start_new_session=True)
    assert process.stderr is not None
    process.stderr.readline()
    process.kill()
    process.wait()
    process.stderr.close()
    killed: list[int] = []

    def kill(source: str, result: str, outcome: batch.Outcome) -> None:
        if not killed:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    report = encoding().run(kill)
    assert report.failed == 0
    assert report.restarts == len(killed)
    faults.errors = 0
    assert results(bucket) == results_below(tmp_path / "whole")
    assert batch.checking("s3://bucket/in", "s3://bucket/out").run().done == COUNT
