"""Tar files of a training set: what is in them, what a second run writes again, and what is refused."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest
from sets import write_set

from nncodec import batch
from nncodec.batch.stores import open_store
from nncodec.errors import NncError, Truncated

SHARD_BYTES = 9_000  # two samples


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    write_set(folder, 6)
    return folder


@pytest.fixture
def source(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "in"))


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {name: content.read() for name in tar.getnames() if (content := tar.extractfile(name)) is not None}


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file()}


def test_a_shard_holds_pictures_with_what_lies_beside_them_as_webdataset_reads_it(source: Path, tmp_path: Path) -> None:
    (source / "cats" / "3.cls").unlink()
    (source / "cats" / "3.md").write_text("not part of it")
    report = batch.pack(source, tmp_path / "out", shard_bytes=SHARD_BYTES, seed=None)
    made = shards(tmp_path / "out")
    assert report == batch.PackReport(3, 6, sum(map(len, made.values())), 3)
    assert [*made] == ["shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    first = members(tmp_path / "out" / "shard-000000.tar")
    assert [*first] == ["cats/1.nnc", "cats/1.json", "cats/1.cls", "cats/3.nnc", "cats/3.json"]
    assert first == {name: (source / name).read_bytes() for name in first}
    orders = []
    for seed in (0, 1, 1):
        batch.pack(source, tmp_path / f"{len(orders)}", shard_bytes=10**6, seed=seed)
        orders.append([*members(tmp_path / f"{len(orders)}" / "shard-000000.tar")])
        assert sorted(orders[-1]) == sorted(name for path in made for name in members(tmp_path / "out" / path))
    assert orders[0] != orders[1] == orders[2]


def test_what_lies_beside_pictures_may_be_in_another_folder_and_keys_have_no_dots(tmp_path: Path) -> None:
    write_set(tmp_path / "in", 1)
    (tmp_path / "labels" / "dogs").mkdir(parents=True)
    (tmp_path / "in" / "dogs" / "0.nnc").rename(tmp_path / "in" / "dogs" / "0.png.nnc")
    (tmp_path / "labels" / "dogs" / "0.png.txt").write_text("a dog")
    batch.pack(tmp_path / "in", "memory://packed", beside=tmp_path / "labels")
    store = open_store("memory://packed")
    (tmp_path / "a.tar").write_bytes(store.read("shard-000000.tar"))
    assert members(tmp_path / "a.tar").keys() == {"dogs/0_png.nnc", "dogs/0_png.txt"}
    assert store.find("shard-000000.tar").size == (tmp_path / "a.tar").stat().st_size


def test_a_second_run_writes_only_what_is_missing_or_has_changed(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert batch.pack(source, out, shard_bytes=SHARD_BYTES).written == 3
    made = shards(out)
    assert batch.pack(source, out, shard_bytes=SHARD_BYTES).written == 0
    (out / "shard-000001.tar").unlink()
    (out / "shard-000002.tar").write_bytes(b"cut")
    assert batch.pack(source, out, shard_bytes=SHARD_BYTES).written == 2
    assert shards(out) == made
    picture = source / "cats" / "1.nnc"
    picture.write_bytes(picture.read_bytes())
    assert batch.pack(source, out, shard_bytes=SHARD_BYTES).written == 1
    shutil.rmtree(out / ".nncodec-batch")
    assert batch.pack(source, out, shard_bytes=SHARD_BYTES).written == 3
    assert shards(out) == made
    shutil.rmtree(source / "cats")
    with pytest.raises(NncError, match=r"shard-000002\.tar in .* no part of this set"):
        batch.pack(source, out, shard_bytes=SHARD_BYTES)


def test_a_damaged_picture_is_named_and_its_shard_does_not_appear(source: Path, tmp_path: Path) -> None:
    (source / "dogs" / "2.nnc").write_bytes((source / "dogs" / "2.nnc").read_bytes()[:-1])
    with pytest.raises(Truncated, match=r"dogs/2\.nnc: the file ends"):
        batch.pack(source, tmp_path / "out", shard_bytes=SHARD_BYTES, seed=None)
    assert [*shards(tmp_path / "out")] == ["shard-000000.tar", "shard-000001.tar"]
    assert not [*(tmp_path / "out").rglob("*.part")]


def test_names_that_are_not_utf_8_are_packed(source: Path, tmp_path: Path) -> None:
    before = batch.pack(source, tmp_path / "before", shard_bytes=10**6)
    shutil.copy(source / "cats" / "1.nnc", source / os.fsdecode(b"bad\xff.nnc"))
    after = batch.pack(source, tmp_path / "out", shard_bytes=10**6)
    assert (before.samples, after.samples) == (6, 7)
    orders = [[*members(tmp_path / folder / "shard-000000.tar")] for folder in ("before", "out")]
    assert "bad\udcff.nnc" in orders[1]
    assert [name for name in orders[1] if name != "bad\udcff.nnc"] == orders[0]


def test_a_name_that_no_tar_file_holds_is_told(source: Path, tmp_path: Path) -> None:
    files = open_store("memory://half-a-pair")
    files.publish("\ud83d.nnc", (source / "cats" / "1.nnc").read_bytes())
    with pytest.raises(NncError, match=r"'\\ud83d\.nnc' is no name that a tar file can hold; rename the file"):
        batch.pack("memory://half-a-pair", tmp_path / "out")


def test_what_cannot_be_packed_is_told_in_one_line(source: Path, tmp_path: Path) -> None:
    with pytest.raises(NncError, match=r"cannot list .*nowhere"):
        batch.pack(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(NncError, match="0 is not a whole number from 1 on"):
        batch.pack(source, tmp_path / "out", shard_bytes=0)
    shutil.copy(source / "cats" / "1.nnc", source / "cats" / "1.a.nnc")
    shutil.copy(source / "cats" / "1.nnc", source / "cats" / "1_a.nnc")
    with pytest.raises(NncError, match=r"cats/1\.a\.nnc and cats/1_a\.nnc would both be cats/1_a\.nnc"):
        batch.pack(source, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NncError, match=r"no \.nnc files in .*empty"):
        batch.pack(tmp_path / "empty", tmp_path / "out")
    assert not [*(tmp_path / "out").glob("*.tar")]
