"""A file is complete under its name or not there, whatever happens while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nncodec._support.files import descriptor_of, replacing, require_writable, write_file, written_to


def test_a_file_takes_its_name_at_the_end_of_the_block(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file"
    with replacing(target) as temporary:
        assert temporary.parent == target.parent
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail() -> None:
        with replacing(target, previous=tmp_path / "previous") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"old"


def test_the_replaced_file_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    target, previous = tmp_path / "file", tmp_path / "previous"
    for content in (b"1", b"2", b"3"):
        with replacing(target, previous=previous) as temporary:
            temporary.write_bytes(content)
    assert (target.read_bytes(), previous.read_bytes()) == (b"3", b"2")


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    synced: list[tuple[bool, int]] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append((target.exists(), os.fstat(handle).st_size)))
    with replacing(target, fsync=True) as temporary:
        temporary.write_bytes(b"12345")
    assert synced == [(False, 5)]


def test_a_disk_that_does_not_take_the_file_leaves_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    target, previous = tmp_path / "file", tmp_path / "previous"
    target.write_bytes(b"new")
    previous.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), replacing(target, fsync=True, previous=previous) as temporary:
        temporary.write_bytes(b"newest")
    assert (target.read_bytes(), previous.read_bytes()) == (b"new", b"old")
    assert sorted(tmp_path.iterdir()) == [target, previous]


def test_a_temporary_file_never_takes_the_place_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncodec._support.files.secrets.token_hex", lambda size: "fixed")
    taken = tmp_path / ".nncodec-fixed.part"
    taken.write_bytes(b"another's")
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "file", b"new")
    assert taken.read_bytes() == b"another's"


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_file(Path(os.devnull), b"nothing")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("below", ["x.nnc", "one/two/x.nnc"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, below: str) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"picture")
    with pytest.raises(NotADirectoryError) as caught:
        write_file(picture / below, b"data")
    assert caught.value.strerror == f"{picture} is a file, not a folder"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_link_to_a_file_is_written_through_and_a_link_to_nothing_replaced(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    file, link, dangling = tmp_path / "below" / "file", tmp_path / "link", tmp_path / "dangling"
    file.write_bytes(b"old")
    link.symlink_to(file)
    dangling.symlink_to(tmp_path / "nothing")
    assert written_to(link) == file.resolve()
    assert [written_to(path) for path in (file, dangling)] == [file, dangling]


def test_a_place_that_takes_no_file_is_told_before_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    before = sorted(tmp_path.iterdir())
    for name in ("x", "one/two/x", "link", "a.png"):
        require_writable(tmp_path / name)
    for name, reason in (("a.png/one/x", "a.png is a file"), ("link/x", "No such file"), (300 * "x", "too long")):
        with pytest.raises(OSError, match=reason) as caught:
            require_writable(tmp_path / name)
        assert "tmp" not in str(caught.value).replace(str(tmp_path), "")  # no name that nobody gave
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that takes no files")
def test_an_error_names_the_file_and_not_the_temporary_one() -> None:
    target = Path("/proc/x")
    for write in (require_writable, lambda path: write_file(path, b"")):
        with pytest.raises(OSError, match=r"/proc/x'$") as caught:
            write(target)
        assert caught.value.filename == str(target)


# --- open files ---------------------------------------------------------------------------------------------------

open_files = pytest.mark.skipif(not Path("/dev/fd").exists(), reason="open files have names")


@open_files
def test_an_open_file_is_written_to_where_it_stands_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/fd")
    with (tmp_path / "file").open("wb", buffering=0) as stream:
        stream.write(b"before,")
        write_file(Path(f"/dev/fd/{stream.fileno()}"), b"one,")
        write_file(tmp_path / "link" / str(stream.fileno()), b"two")
    assert (tmp_path / "file").read_bytes() == b"before,one,two"


@open_files
def test_which_paths_name_an_open_file(tmp_path: Path) -> None:
    assert [descriptor_of(Path(f"/dev/{name}")) for name in ("stdin", "stdout", "stderr", "fd/7")] == [0, 1, 2, 7]
    (tmp_path / "link").symlink_to("/dev/stdout")
    assert descriptor_of(tmp_path / "link") == 1
    (tmp_path / "round").symlink_to("round")
    for path in (tmp_path / "3", tmp_path / "round", tmp_path / "file", Path("/dev/null"), Path("/dev/fd")):
        assert descriptor_of(path) is None
