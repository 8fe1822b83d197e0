"""Reports appear whole, and never over anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncodec.compare.report.folder import check_folder, write_folder
from nncodec.errors import NncError

FILES = {"report.html": b"page", "plots/rate_psnr.png": b"plot", "data/means.csv": b"table"}


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_a_new_folder_holds_the_files_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "below" / "out", FILES)
    assert content(tmp_path) == {f"below/out/{name}": data for name, data in FILES.items()}


@pytest.mark.parametrize("existing", ["folder", "file", "dangling link"])
def test_what_exists_is_refused_and_left_alone(existing: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    if existing == "folder":
        place.mkdir()
    elif existing == "file":
        place.write_text("mine")
    else:
        place.symlink_to("nowhere")
    with pytest.raises(NncError, match="already there"):
        write_folder(place, FILES)
    assert len(list(tmp_path.iterdir())) == 1
    assert (place.is_dir(), place.is_file(), place.is_symlink()).count(True) == 1


def test_a_file_is_refused_even_where_overwriting_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(NncError, match="choose another name"):
        check_folder(tmp_path / "out", overwrite=True)


def test_overwriting_replaces_an_earlier_report_and_keeps_what_is_not_of_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_folder(out, FILES | {"plots/rate_ssim.png": b"old", "data/times.csv": b"old"})
    mine = {"notes.txt": b"mine", "plots/My Photo.png": b"mine", "data/mine.ods": b"mine"}
    for name, data in mine.items():
        (out / name).write_bytes(data)
    new = FILES | {"report.html": b"new page"}
    write_folder(out, new, overwrite=True)
    assert content(out) == new | mine
    assert list(tmp_path.iterdir()) == [out]


def test_a_failure_leaves_nothing_of_a_new_report_and_everything_of_an_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    write_folder(old, FILES)
    written = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "means.csv":
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    for folder, overwrite in ((tmp_path / "new", False), (old, True)):
        with pytest.raises(OSError, match="No space left"):
            write_folder(folder, dict.fromkeys(FILES, b"changed"), overwrite=overwrite)
    assert content(tmp_path) == {f"old/{name}": data for name, data in FILES.items()}


@pytest.mark.parametrize("name", ["../evil.csv", "data/../../evil.csv", "/evil.csv", "page.html", "plots/x.csv"])
def test_only_files_of_a_report_are_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a report's files"):
        write_folder(tmp_path / "out", FILES | {name: b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that takes no files")
@pytest.mark.parametrize("folder", ["/proc/new", "/proc/self/net"])
def test_a_folder_that_cannot_be_written_is_told_by_its_name(folder: str) -> None:
    for write in (
        lambda: check_folder(Path(folder), overwrite=True),
        lambda: write_folder(Path(folder), {}, overwrite=True),
    ):
        with pytest.raises(OSError, match=f"{folder}'$") as caught:
            write()
        assert caught.value.filename == folder
