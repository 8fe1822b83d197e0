"""What a batch does again and what not, how results are named, and what it reports; all in one process."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from batches import results_below, write_pictures
from PIL import Image

import nncodec
from nncodec import batch
from nncodec.batch.stores import LocalStore
from nncodec.errors import BadModelFile, InvalidOption, NncError
from nncodec.plugin import registry

pytestmark = pytest.mark.usefixtures("in_process")

MANIFEST = ".nncodec-batch/encode/1-of-1/manifest.jsonl"


def encode(source: Path, dest: Path, model: Any = "tiny/means", quality: int = 40, **rest: Any) -> batch.Report:
    run = batch.BatchOptions(**{name: rest.pop(name) for name in ("shard", "force", "retry_killed") if name in rest})
    return batch.encoding(source, dest, model, quality, lossless=False, run=run, **rest).run()


def counts(report: batch.Report) -> tuple[int, int, int]:
    return report.done, report.skipped, report.failed


# --- again --------------------------------------------------------------------------------------------------------


def test_results_are_those_of_encode_and_a_second_run_does_nothing(pictures: Path, tmp_path: Path) -> None:
    report = encode(pictures, tmp_path / "out")
    assert counts(report) == (7, 0, 0)
    made = results_below(tmp_path / "out")
    assert sorted(made) == sorted(
        path.relative_to(pictures).with_suffix(".nnc").as_posix() for path in pictures.rglob("*.png")
    )
    for name, data in made.items():
        image = Image.open(pictures / Path(name).with_suffix(".png"))
        assert data == nncodec.encode(image, "tiny/means", 40, lossless=False)
    assert report.result_bytes == sum(map(len, made.values()))
    assert report.pixels == 7 * 144
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.nnc")}
    assert counts(encode(pictures, tmp_path / "out")) == (0, 7, 0)
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}


def test_results_below_the_source_are_no_input_of_the_next_run(pictures: Path, tmp_path: Path) -> None:
    encode(pictures, tmp_path / "nnc")
    for done, skipped in ((7, 0), (0, 7)):
        report = encode(tmp_path / "nnc", Path("nnc/again"), model=None, quality="keep", strip=True)
        assert counts(report) == (done, skipped, 0)


@pytest.mark.parametrize(
    ("change", "due"),
    [
        (lambda source, dest: write_pictures(source, 1, start=90), 1),
        (lambda source, dest: os.utime(source / "00000.png", (1, 1)), 1),
        (lambda source, dest: (dest / "sub/00001.nnc").unlink(), 1),
        (lambda source, dest: (dest / "sub/00001.nnc").write_bytes(b"short"), 1),
        (lambda source, dest: (dest / MANIFEST).unlink(), 7),
    ],
    ids=["new", "changed", "result missing", "result cut", "no manifest"],
)
def test_what_is_missing_or_changed_is_done_again(
    pictures: Path, tmp_path: Path, change: Callable[[Path, Path], object], due: int
) -> None:
    encode(pictures, tmp_path / "out")
    change(pictures, tmp_path / "out")
    assert encode(pictures, tmp_path / "out").done == due


def test_other_options_or_another_model_of_the_same_name_do_all_again(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    mine = toys.write_toy(tmp_path / "mine.safetensors", "mine", "blocks", {"mode": "RGB"}, fill=1)
    assert encode(pictures, out, mine).done == 7
    assert encode(pictures, out, mine, 41).done == 7
    assert encode(pictures, out, mine, 41, preview=True).done == 7
    assert counts(encode(pictures, out, mine, 41, preview=True)) == (0, 7, 0)
    registry.refresh()
    toys.write_toy(mine, "mine", "blocks", {"mode": "RGB"}, fill=2)
    assert encode(pictures, out, mine, 41, preview=True).done == 7


def test_a_line_that_a_crash_has_cut_costs_one_file(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    encode(pictures, out)
    whole = (out / MANIFEST).read_bytes()
    for cut in (10, 1):
        (out / MANIFEST).write_bytes(whole[:-cut])
        assert encode(pictures, out).done == (cut > 1)
    assert counts(encode(pictures, out)) == (0, 7, 0)
    lines = (out / MANIFEST).read_bytes().splitlines()
    assert sum(line.endswith(b"}") for line in lines) == len(lines) == 7


def test_a_line_says_what_became_of_a_file(pictures: Path, tmp_path: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    encode(pictures, tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / MANIFEST).read_text().splitlines()]
    by_source = {line["source"]: line for line in lines}
    good, bad = by_source["sub/00001.png"], by_source["bad.png"]
    assert good["result"] == "sub/00001.nnc"
    assert good["size"] == (pictures / "sub/00001.png").stat().st_size
    assert good["version"] == f"mtime {(pictures / 'sub/00001.png').stat().st_mtime_ns}"
    assert (good["files"], good["pixels"], good["error"]) == (1, 144, "")
    assert "not a picture" in bad["error"]


# --- failures -----------------------------------------------------------------------------------------------------


def test_failures_stop_nothing_and_are_tried_again(pictures: Path, tmp_path: Path) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    report = encode(pictures, tmp_path / "out")
    assert counts(report) == (7, 0, 1)
    assert report.errors[0]["source"] == "bad.png"
    assert not (tmp_path / "out/bad.nnc").exists()
    Image.new("RGB", (8, 8)).save(pictures / "bad.png")
    assert counts(encode(pictures, tmp_path / "out")) == (1, 7, 0)


def test_a_full_disk_fails_the_file_and_leaves_nothing(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = LocalStore.publish

    def fail(self: LocalStore, name: str, data: bytes) -> None:
        if name.endswith("00003.nnc"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        publish(self, name, data)

    monkeypatch.setattr(LocalStore, "publish", fail)
    report = encode(pictures, tmp_path / "out")
    assert counts(report) == (6, 0, 1)
    assert report.errors == [{"source": "00003.png", "error": "No space left on device", "kind": ""}]


def test_pictures_that_would_share_a_result_fail_and_keep_extension_helps(pictures: Path, tmp_path: Path) -> None:
    Image.open(pictures / "00000.png").save(pictures / "00000.bmp")
    report = encode(pictures, tmp_path / "out")
    assert counts(report) == (6, 0, 2)
    assert "00000.bmp and 00000.png would both be written to 00000.nnc" in report.errors[0]["error"]
    assert counts(encode(pictures, tmp_path / "kept", keep_extension=True)) == (8, 0, 0)
    assert {"00000.bmp.nnc", "00000.png.nnc"} <= results_below(tmp_path / "kept").keys()


def test_a_folder_with_files_of_others_is_not_written_to(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/00000.nnc").write_bytes(b"precious")
    with pytest.raises(NncError, match="has files already"):
        encode(pictures, tmp_path / "out")
    assert results_below(tmp_path / "out") == {"00000.nnc": b"precious"}
    assert encode(pictures, tmp_path / "out", force=True).done == 7


def test_a_second_run_at_the_same_time_is_refused(pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="locks as on POSIX")
    store = LocalStore(tmp_path / "out", "")
    with store.locked("encode/1-of-1"), pytest.raises(NncError, match="another run"):
        encode(pictures, tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"source": Path("nowhere")}, NncError),
        ({"shard": "0/2"}, NncError),
        ({"shard": "3/2"}, NncError),
        ({"model": "no/such"}, NncError),
        ({"model": "bad.safetensors"}, BadModelFile),
        ({"quality": 50, "target_size": 9}, InvalidOption),
        ({"quality": 300}, InvalidOption),
        ({"foo": 3}, InvalidOption),
        ({"effort": 10}, InvalidOption),
        ({"coder": "zip"}, InvalidOption),
        ({"downscale": 9}, InvalidOption),
        ({"frames_per_block": 0}, InvalidOption),
        ({"enhancer_strength": 2}, InvalidOption),
        ({"preview": 3}, InvalidOption),
        ({"max_error": 3}, InvalidOption),
        ({"device": "abacus"}, InvalidOption),
        ({"exif": 3}, InvalidOption),
        ({"loop": -1}, InvalidOption),
        ({"max_pixels": 0}, InvalidOption),
    ],
)
def test_what_cannot_work_is_said_at_once(
    pictures: Path, tmp_path: Path, arguments: dict[str, Any], kind: type[NncError]
) -> None:
    Path("bad.safetensors").write_bytes(b"none")
    with pytest.raises(kind):
        encode(**{"source": pictures, "dest": tmp_path / "out"} | arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong", [{"quality": 3}, {"strength": 2}, {"device": "abacus"}, {"precision": "half"}, {"max_pixels": 1.5}]
)
def test_what_cannot_be_decoded_is_said_at_once(pictures: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        batch.decoding(pictures, "out", **wrong)
    assert caught.value.option in wrong


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": -1},
        {"workers": 0},
        {"workers": "2"},
        {"workers": 1.5},
        {"workers": True},
        {"pixels_in_flight": 0},
        {"engine": "spark"},
        {"shard": 3},
        {"shard": "0/2"},
        {"models": "mine.safetensors"},
    ],
)
def test_a_run_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption) as caught:
        batch.BatchOptions(**wrong)
    assert caught.value.option in wrong


def test_an_estimate_needs_two_files_at_least(pictures: Path) -> None:
    with pytest.raises(InvalidOption, match="1 is not a whole number from 2 on"):
        batch.encoding(pictures, "out", "tiny/means").estimate(1)


def test_nothing_is_left_where_the_source_is_none(tmp_path: Path) -> None:
    for made in (batch.encoding("nowhere", "out", "tiny/means"), batch.checking("nowhere", "out")):
        with pytest.raises(NncError, match=r"cannot list .*nowhere"):
            made.run()
    assert list(tmp_path.iterdir()) == []
    Path("empty").mkdir()
    assert counts(batch.encoding("empty", "out", "tiny/means").run()) == (0, 0, 0)


# --- shards, estimates, decoding, checking ------------------------------------------------------------------------


def test_shards_share_the_files_and_a_run_over_all_knows_what_they_did(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 24)
    parts = [encode(tmp_path / "in", tmp_path / "out", shard=f"{number}/3").done for number in (1, 2, 3)]
    assert sum(parts) == 24
    assert all(parts)
    assert counts(encode(tmp_path / "in", tmp_path / "out")) == (0, 24, 0)
    assert counts(encode(tmp_path / "in", tmp_path / "out", shard="2/3")) == (0, parts[1], 0)
    encode(tmp_path / "in", tmp_path / "whole")
    assert results_below(tmp_path / "out") == results_below(tmp_path / "whole")


def test_an_estimate_writes_nothing_and_comes_near(pictures: Path, tmp_path: Path) -> None:
    made = batch.encoding(pictures, tmp_path / "out", "tiny/means", 40, lossless=False)
    estimate = made.estimate(4)
    assert not (tmp_path / "out").exists()
    report = made.run()
    assert (estimate.files, estimate.sampled, estimate.skipped) == (7, 4, 0)
    assert estimate.result_bytes == pytest.approx(report.result_bytes, rel=0.1)
    assert estimate.source_bytes == report.source_bytes
    assert estimate.uncertainty > 0
    assert made.estimate(4).files == 0


def test_files_are_decoded_and_frames_get_files_of_their_own(pictures: Path, tmp_path: Path) -> None:
    encode(pictures, tmp_path / "nnc")
    stack = [Image.new("RGB", (8, 8), level) for level in ("red", "blue")]
    (tmp_path / "nnc/stack.nnc").write_bytes(nncodec.encode(stack, "tiny/means", lossless=False))
    made = batch.decoding(tmp_path / "nnc", tmp_path / "out", "bmp")
    assert counts(made.run()) == (8, 0, 0)
    found = results_below(tmp_path / "out")
    assert len(found) == 9
    assert {"stack-0000.bmp", "stack-0001.bmp"} <= found.keys()
    expected = nncodec.decode(tmp_path / "nnc/00000.nnc", precision="auto")
    assert np.array_equal(np.array(Image.open(tmp_path / "out/00000.bmp")), np.array(expected))
    assert counts(made.run()) == (0, 8, 0)
    (tmp_path / "out/stack-0001.bmp").unlink()
    assert counts(made.run()) == (1, 7, 0)
    with pytest.raises(InvalidOption):
        batch.decoding(tmp_path / "nnc", tmp_path / "out", "nope")


def test_a_frame_never_replaces_the_result_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "nnc").mkdir()
    stack = [Image.new("RGB", (8, 8), level) for level in ("red", "blue")]
    for name, images in (("a", stack), ("a-0001", stack[:1]), ("b-0001", stack[:1])):
        (tmp_path / f"nnc/{name}.nnc").write_bytes(nncodec.encode(images, "tiny/means", lossless=False))
    report = batch.decoding(tmp_path / "nnc", tmp_path / "out", "bmp").run()
    assert counts(report) == (2, 0, 1)
    assert "would be written to a-0001.bmp, which is the result of another file" in report.errors[0]["error"]
    assert results_below(tmp_path / "out").keys() == {"a-0001.bmp", "b-0001.bmp"}
    kept = batch.decoding(tmp_path / "nnc", tmp_path / "kept", "bmp", keep_extension=True).run()
    assert counts(kept) == (3, 0, 0)


def test_a_check_looks_at_what_was_encoded(pictures: Path, tmp_path: Path) -> None:
    encode(pictures, tmp_path / "out")
    (pictures / "other.nnc").write_bytes((tmp_path / "out/00000.nnc").read_bytes())
    assert counts(batch.checking(pictures, tmp_path / "out").run()) == (7, 0, 0)
    encode(pictures, tmp_path / "kept", model=None, quality="keep")
    assert counts(batch.checking(pictures, tmp_path / "kept").run()) == (1, 0, 7)  # pictures were not encoded there
    batch.decoding(tmp_path / "out", tmp_path / "decoded", "bmp").run()
    with pytest.raises(NncError, match=r"holds pictures that were decoded; check verifies the \.nnc files"):
        batch.checking(tmp_path / "out", tmp_path / "decoded").run()


def test_labels_are_not_looked_for_where_nothing_is(pictures: Path, tmp_path: Path) -> None:
    encode(pictures, tmp_path / "out")
    with pytest.raises(NncError, match=r"there are no files in .*nowhere"):
        batch.pack(tmp_path / "out", tmp_path / "shards", beside=tmp_path / "nowhere")


def test_a_check_finds_missing_damaged_and_extra_results(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    encode(pictures, out)
    assert counts(batch.checking(pictures, out).run()) == (7, 0, 0)
    assert counts(batch.checking(pictures, out).run()) == (0, 7, 0)
    data = bytearray((out / "00000.nnc").read_bytes())
    data[-1] ^= 1
    (out / "00000.nnc").write_bytes(data)
    (out / "sub/00001.nnc").rename(out / "sub/extra.nnc")
    report = batch.checking(pictures, out).run()
    assert (*counts(report), report.extra) == (0, 5, 2, 1)
    said = {error["source"]: error["error"] for error in report.errors}
    assert "damaged" in said["00000.png"]
    assert "its result is to be removed, and encoded again" in said["00000.png"]
    assert "sub/00001.nnc is missing" in said["sub/00001.png"]


def test_the_report_is_in_the_destination(pictures: Path, tmp_path: Path) -> None:
    encode(pictures, tmp_path / "out")
    report = json.loads((tmp_path / "out/.nncodec-batch/encode/1-of-1/report.json").read_text())
    assert (report["done"], report["failed"], report["version"]) == (7, 0, nncodec.__version__)
    assert not list((tmp_path / "out").rglob("*.part"))


def test_pictures_that_share_passes_fail_one_by_one(pictures: Path, tmp_path: Path) -> None:
    """One that the model does not take must not fail the others of its group."""
    Image.new("RGB", (9000, 1)).save(pictures / "00000.png")
    Image.new("I", (4, 4), 1 << 20).save(pictures / "odd.tif")
    report = encode(pictures, tmp_path / "out")
    assert counts(report) == (7, 0, 1)
    assert report.errors[0]["source"] == "odd.tif"
