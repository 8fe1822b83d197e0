"""`nncodec batch pack`: its options, what it prints and its exit status; the work itself is in tests/training_sets."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

import nncodec


def test_files_are_packed_once(run):
    Path("in").mkdir()
    for number in range(3):
        picture = Image.new("RGB", (4, 4), (number, 0, 0))
        Path(f"in/{number}.nnc").write_bytes(nncodec.encode(picture, "tiny/rgb", lossless=False))
    result = run("batch", "pack", "in", "out", "--shards", "1k", "--in-order")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "3 pictures in 3 tar files, 30.7 kB; 3 written\n"
    result = run("batch", "pack", "in", "out", "--shards", "1kB", "--in-order", "--json")
    assert json.loads(result.stdout) == {"shards": 3, "samples": 3, "bytes": 30720, "written": 0}
    assert run("batch", "pack", "in", "one", "--quiet", "--seed", 4, "--beside", "in").output == ""
    assert [path.name for path in Path("one").glob("*.tar")] == ["shard-000000.tar"]


def test_what_cannot_be_packed_is_a_line_and_a_wrong_size_wrong_usage(run):
    result = run("batch", "pack", "nowhere", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith("nncodec: cannot list ")
    assert run("batch", "pack", "in", "out", "--shards", "many").exit_code == 2
    result = run("batch", "pack", "in", "out", "--seed", "0", "--in-order")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--seed and --in-order exclude each other" in result.stderr
