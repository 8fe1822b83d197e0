"""Stores: folders, archives and URLs of fsspec; and attempts that are made again."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from batches import results_below
from PIL import Image

from nncodec import batch, torch
from nncodec.batch.stores import LocalStore, Store, UrlStore, open_store
from nncodec.batch.transport import is_transport_error, retried
from nncodec.errors import NncError


def test_paths_and_urls_open_the_right_store(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    assert isinstance(open_store(str(tmp_path)), LocalStore)
    assert isinstance(open_store(f"file://{tmp_path}"), LocalStore)
    assert isinstance(open_store("C:\\pictures"), LocalStore)
    assert isinstance(open_store(str(tmp_path / "a.zip")), UrlStore)
    assert isinstance(open_store("memory://a"), UrlStore)
    with pytest.raises(NncError, match="nosuch"):
        open_store("nosuch://bucket")


@pytest.mark.parametrize(
    "folder", ["my::pics", "a::s3:", "zip::x", "my::pics/a:b::c", "pics/s3:/bucket", "::", "x.y+z::1"]
)
def test_a_path_with_double_colons_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(folder).mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(Path(folder) / "p.png")
    with tarfile.open(f"{folder}/t.tgz", "w:gz") as tar:
        tar.add(f"{folder}/p.png", "p.png")
    with tarfile.open(f"{folder}/t.tar", "w") as tar:
        tar.add(f"{folder}/p.png", "p.png")
    with zipfile.ZipFile(f"{folder}/z.zip", "w") as packed:
        packed.write(f"{folder}/p.png", "p.png")
    for source in (folder, f"./{folder}", f"file://{folder}", f"file://{tmp_path}/{folder}"):
        assert isinstance(open_store(source), LocalStore)
        for name in ("z.zip", "t.tgz", "t.tar"):
            store = open_store(f"{source}/{name}")
            assert [file.name for file in store.listing("")[0]] == ["p.png"]
            assert open_store(store.url).read("p.png") == Path(folder, "p.png").read_bytes()
    # A destination is not there yet.
    report = batch.encoding(f"{folder}/z.zip", f"{folder}-out", "tiny/means").run()
    assert (report.done, report.failed) == (1, 0)
    assert (Path(f"{folder}-out") / "p.nnc").is_file()
    assert torch.NncDataset(f"{folder}-out").keys == torch.NncDataset(f"{folder}-out/p.nnc").keys == ["p"]


@pytest.mark.parametrize(
    "url", ["s3://b", "simplecache::s3://b", "dask::simplecache::s3://b", "zip://x::s3://b/a.zip", "s3://b::c"]
)
def test_what_begins_with_a_protocol_is_a_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    opened = []
    monkeypatch.setattr(UrlStore, "__init__", lambda store, url, scratch: opened.append(url))
    open_store(url)
    assert opened == [url]


@pytest.fixture(params=["", "local://", "memory://"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A local folder, a store of fsspec where files are renamed, and an object store."""
    return open_store(f"{request.param}{tmp_path}/store", "encode/1-of-1/tmp")


def test_a_store_lists_and_reads_what_is_published(store: Store) -> None:
    assert store.is_empty()
    assert not store.has_state()
    for name in ("b.png", "a.png", "sub/c.png", ".hidden", ".nncodec-batch/x.json"):
        store.publish(name, name.encode())
    store.publish("a.png", b"again")
    files, folders = store.listing("")
    assert [(file.name, file.size) for file in files] == [("a.png", 5), ("b.png", 5)]
    assert folders == ["sub"]
    assert [file.name for file in store.listing("sub")[0]] == ["sub/c.png"]
    assert store.read("a.png") == b"again"
    assert not store.is_empty()
    assert store.has_state()
    with pytest.raises(FileNotFoundError):
        store.listing("nowhere")
    store.clean("encode/1-of-1/tmp")


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.gz"])
def test_files_that_an_archive_calls_dot_slash_are_found(tmp_path: Path, name: str) -> None:
    contents = {"./a.png": b"a", "./sub/b.png": b"bb", "sub/c.png": b"ccc", "d.png": b"dddd"}
    for place, data in contents.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(data)
    with tarfile.open(tmp_path / name, "w:" if name == "a.tar" else "w:gz") as archive:
        for place in contents:
            archive.add(tmp_path / place, place)
    store = open_store(str(tmp_path / name))
    files, folders = store.listing("")
    inner = store.listing("sub")[0]
    assert ([file.name for file in files], folders) == (["a.png", "d.png"], ["sub"])
    assert [(file.name, file.size) for file in inner] == [("sub/b.png", 2), ("sub/c.png", 3)]
    assert [store.read(file.name) for file in (*files, *inner)] == [b"a", b"dddd", b"bb", b"ccc"]


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_names_that_lead_outside_an_archive_are_left_out_and_counted(tmp_path: Path, name: str) -> None:
    names = ["../x.png", "a/../../y.png", "/z.png", "/b/z.png", "b/ok.png", "..ok.png", "a..png"]
    if name == "a.tar":
        with tarfile.open(tmp_path / name, "w") as archive:
            for place in names:
                archive.addfile(tarfile.TarInfo(place))
    else:
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            for place in names:
                packed.writestr(place, b"")
    store = open_store(str(tmp_path / name))
    files, waiting = list[str](), [""]
    for folder in waiting:
        entries, folders = store.listing(folder)
        files += [entry.name for entry in entries]
        waiting += folders
    assert (files, waiting) == (["a..png", "b/ok.png"], ["", "a", "b"])
    assert store.outside >= 3


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("kept", "files"), [(3072, 3), (2248, 2), (2048, 2)])
def test_a_cut_tar_file_is_told_and_what_it_holds_is_done(tmp_path: Path, kept: int, files: int) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number in range(3):
            png = io.BytesIO()
            Image.new("RGB", (4, 4), (number, 0, 0)).save(png, "PNG")
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(png.getvalue())
            tar.addfile(member, io.BytesIO(png.getvalue()))
    (tmp_path / "a.tar").write_bytes(archive.getvalue()[:kept])
    assert open_store(str(tmp_path / "a.tar")).is_cut
    report = batch.encoding(tmp_path / "a.tar", tmp_path / "out", "tiny/means").run()
    assert (report.done, report.failed) == (files, 1)
    assert report.errors[0]["source"] == "a.tar"
    assert "it is cut: it has no end marker, so files may be missing" in report.errors[0]["error"]
    assert batch.encoding(tmp_path / "a.tar", tmp_path / "out", "tiny/means").estimate().failed == 1
    with pytest.raises(NncError, match="is cut"):
        batch.pack(tmp_path / "a.tar", tmp_path / "packed")
    (tmp_path / "a.tar").write_bytes(archive.getvalue())
    report = batch.encoding(tmp_path / "a.tar", tmp_path / "out", "tiny/means").run()
    assert (report.done + report.skipped, report.failed) == (3, 0)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_what_is_no_archive_is_said_with_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(NncError, match=rf"cannot open .*{name}"):
        open_store(str(tmp_path / name))


def test_a_link_to_nothing_is_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("nowhere.png")
    store = open_store(str(tmp_path))
    assert [file.name for file in store.listing("")[0]] == ["a.png"]
    with pytest.raises(FileNotFoundError):
        store.read("a.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert open_store(str(tmp_path)).listing("") == ([], [])


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(NncError, match="empty"):
        open_store("")


def test_a_file_is_read_in_parts_and_written_as_a_stream(store: Store) -> None:
    with store.publishing("sub/large.tar") as stream:
        for number in range(10):
            stream.write(bytes([number]) * 1000)
        with pytest.raises(FileNotFoundError):
            store.find("sub/large.tar")
    assert store.find("sub/large.tar").size == 10_000
    assert store.read("sub/large.tar", 1990, 20) == b"\1" * 10 + b"\2" * 10
    assert store.read("sub/large.tar", 0, 3) == bytes(3)
    with contextlib.suppress(ZeroDivisionError), store.publishing("sub/large.tar") as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert store.find("sub/large.tar").size == 10_000
    assert [file.name for file in store.listing("sub")[0]] == ["sub/large.tar"]


def test_a_store_that_sends_no_parts_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("memory://whole")
    store.publish("a", b"all of it")
    assert isinstance(store, UrlStore)
    monkeypatch.setattr(store._files, "cat_file", lambda path, start, end: b"all of it")
    with pytest.raises(NncError, match="does not send parts of files"):
        store.read("a", 0, 3)


def test_a_version_changes_with_the_file(store: Store) -> None:
    store.publish("a.png", b"one")
    before = store.listing("")[0][0].version
    assert before or store.url.startswith("memory")
    store.publish("a.png", b"two")
    assert store.listing("")[0][0].version != before or store.url.startswith("memory")


def test_lines_are_read_back_from_the_folders_that_are_wanted(store: Store) -> None:
    for folder in ("1-of-2", "2-of-2"):
        for line in (b"one\n", b"two\n"):
            log = store.append(f"encode/{folder}/manifest")
            log.add(folder.encode() + line)
            log.close()
    found = b"".join(store.logs("encode", "manifest", lambda folder: folder == "2-of-2"))
    assert found == b"2-of-2one\n2-of-2two\n"


def test_pictures_are_read_from_archives(pictures: Path, tmp_path: Path, in_process: None) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, tarfile.open(tmp_path / "b.tar", "w") as tape:
        for path in sorted(pictures.rglob("*.png")):
            packed.write(path, path.relative_to(pictures))
            tape.add(path, path.relative_to(pictures))
    made = {}
    for source in (pictures, tmp_path / "a.zip", tmp_path / "b.tar"):
        dest = tmp_path / f"out {source.name}"
        report = batch.encoding(source, dest, "tiny/means", lossless=False).run()
        assert (report.done, report.failed) == (7, 0)
        assert batch.encoding(source, dest, "tiny/means", lossless=False).run().skipped == 7
        made[source] = results_below(dest)
    assert made[pictures] == made[tmp_path / "a.zip"] == made[tmp_path / "b.tar"]
    with pytest.raises(NncError, match="can only be read"):
        batch.encoding(pictures, tmp_path / "a.zip", "tiny/means", run=batch.BatchOptions(force=True)).run()


# --- attempts -----------------------------------------------------------------------------------------------------


class ClientResponseError(Exception):
    """As of an HTTP library."""

    def __init__(self, status: int) -> None:
        self.status = status


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.EIO, "remote"), True),
        (OSError(errno.EBUSY, "SlowDown"), True),
        (ClientResponseError(503), True),
        (ClientResponseError(429), True),
        (ClientResponseError(404), False),
        (FileNotFoundError(errno.ENOENT, "none"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (ValueError("damaged"), False),
    ],
    ids=repr,
)
def test_only_errors_of_the_transport_are_tried_again(error: Exception, expected: bool) -> None:
    assert is_transport_error(error) is expected
    calls: list[int] = []
    waits: list[float] = []

    def fail() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        retried(fail, waits.append)
    assert len(calls) == (6 if expected else 1)
    assert len(waits) == len(calls) - 1
    assert all(wait <= 15 for wait in waits)


def test_delays_grow_and_success_ends_them() -> None:
    answers = iter([ConnectionError(), ConnectionError(), None])
    waits: list[float] = []

    def answer() -> str:
        if error := next(answers):
            raise error
        return "done"

    assert retried(answer, waits.append) == "done"
    assert 0.05 <= waits[0] <= 0.15
    assert 0.1 <= waits[1] <= 0.3
