"""`nncodec compare`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from nncodec.compare import Comparison, bd_rate, read_anchors

Run = Callable[..., Result]


@pytest.fixture
def anchors() -> Path:
    """A file of published curves: `old`, `new` at four fifths of its rate, one far away, and one called jpeg."""
    rates, psnr, ms_ssim = [0.5, 1.0, 2.0, 4.0], [24.0, 28.0, 32.0, 36.0], [0.9, 0.95, 0.98, 0.99]
    curves = {
        "old": {"bpp": rates, "psnr": psnr, "ms_ssim": ms_ssim, "source": "made up"},
        "new": {"bpp": [0.8 * rate for rate in rates], "psnr": psnr, "ms_ssim": ms_ssim},
        "far": {"bpp": [7.0, 8.0], "psnr": [50.0, 60.0]},
        "jpeg": {"bpp": [2 * rate for rate in rates], "psnr": psnr},
    }
    path = Path("curves.json")
    path.write_text(json.dumps(curves))
    return path


QUICK = ("--codecs", "tiny/rgb,jpeg,webp", "--qualities", "20,50,80", "--qualities", "tiny/rgb=0,50,100")


def row(output: str, *begin: str) -> list[str]:
    """Return the cells of the only line that begins with these."""
    (line,) = [one for one in output.splitlines() if one.split()[: len(begin)] == list(begin)]
    return re.split(r"\s{2,}", line.strip())


# --- tables -------------------------------------------------------------------------------------------------------


def test_means_and_differences_are_shown_as_tables(run: Run, photo_png: Path, photo: Image.Image) -> None:
    photo.rotate(180).save("other.png")
    result = run("compare", photo_png, "other.png", *QUICK)
    assert result.exit_code == 0
    assert result.stdout.startswith("2 pictures. Means:\n\nCODEC ")
    heads = re.split(r"\s{2,}", result.stdout.splitlines()[2])
    ratios = ["BITS PER PIXEL", "RATIO TO RAW", "RATIO TO PNG"]
    assert heads == ["CODEC", "QUALITY", "BYTES", *ratios, "PSNR", "SSIM", "SSIMULACRA2"]
    cells = row(result.stdout, "jpeg", "50")
    assert len(cells) == len(heads)
    assert cells[6].endswith(" dB")
    assert [row(result.stdout, "tiny/rgb", q)[1] for q in ("0", "50", "100")] == ["0", "50", "100"]
    assert re.fullmatch(r"-\d+\.\d%", row(result.stdout, "webp", "jpeg")[2])
    assert row(result.stdout, "tiny/rgb", "jpeg")[1] == "jpeg"
    assert "nncodec: other.png: an edge is below 161 pixels" in result.stderr


def test_a_folder_another_reference_and_equal_psnr(run: Run, photo: Image.Image) -> None:
    for name in ("a", "b"):
        folder = Path("photos", name)
        folder.mkdir(parents=True)
        photo.save(folder / "same name.png")
    settings = ("--codecs", "jpeg,webp", "--qualities", 50, "--match", "psnr", "--match", "bytes", "--at", 30)
    result = run("compare", "-r", "photos", *settings, "--reference", "webp")
    assert result.exit_code == 0
    assert "At equal PSNR, picture by picture, to webp at quality 30, 2 pictures:" in result.stdout
    assert "At equal bytes, picture by picture, to webp at quality 30, 2 pictures:" in result.stdout
    assert "jpeg against webp: a curve needs 2 points with PSNR at least, these have 1 and 1" in result.stdout
    stored = json.loads(run("compare", "-r", "photos", *settings, "--json").stdout)
    assert [one["name"] for one in stored["pictures"]] == ["a/same name.png", "b/same name.png"]


# --- files --------------------------------------------------------------------------------------------------------


def test_json_has_everything_and_is_what_o_keeps(run: Run, photo_png: Path) -> None:
    result = run("compare", photo_png, *QUICK, "--json", "-o", "results.json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    kept = Comparison.from_json(Path("results.json").read_bytes())
    assert Comparison.from_json(result.stdout) == kept
    assert len(kept.measurements) == 9
    found = {(one["test"], one["reference"]): one for one in document["bd"]}
    assert found.keys() == {("tiny/rgb", "jpeg"), ("webp", "jpeg")}
    value = found["webp", "jpeg"]["bd_rate_percent"]
    assert value == pytest.approx(bd_rate(kept.mean_curve("jpeg"), kept.mean_curve("webp")))

    refused = run("compare", photo_png, *QUICK, "-o", "results.json")
    assert refused.exit_code == 1
    assert "results.json is already there; use -f" in refused.stderr
    assert refused.stdout == ""
    again = run("compare", "--from", "results.json", "--bd", "webp", "jpeg")
    assert again.exit_code == 0
    assert row(again.stdout, "webp", "jpeg")[2] == f"{value:+.1f}%"
    assert "1 picture. Means:" in again.stdout


def test_plots_of_reports_and_runs_are_not_measured(run: Run, photo: Image.Image) -> None:
    for name in ("photo.png", "report/plots/rate.png", "m.run/loss.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        photo.save(name)
    Path("report/data").mkdir()
    for name in ("report/report.html", "m.run/run.json"):
        Path(name).touch()
    result = run("compare", "-r", ".", "--codecs", "jpeg", "--qualities", "50", "--json")
    assert [one["name"] for one in json.loads(result.stdout)["pictures"]] == ["photo.png"]


def test_a_report_is_written_and_not_overwritten(run: Run, photo_png: Path) -> None:
    ask = ("compare", photo_png, "--codecs", "jpeg,webp", "--qualities", "20,80", "--report", "report")
    result = run(*ask)
    assert result.exit_code == 0
    assert (Path("report", "report.html")).is_file()
    assert "report.html" in result.stderr
    refused = run(*ask)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1


# --- published curves ---------------------------------------------------------------------------------------------


def test_published_curves_need_no_pictures(run: Run, anchors: Path) -> None:
    result = run("compare", "--anchors", anchors, "--bd", "new", "old", "--bd", "far", "old")
    assert result.exit_code == 0
    assert row(result.stdout, "new", "old") == ["new", "old", "-20.0%", "+1.29 dB", "24.0 to 36.0 dB", "100%", "-20.0%"]
    assert row(result.stdout, "far", "old")[2:] == ["-", "-", "-", "0%", "-"]
    assert "far against old: no shared range of PSNR (24 to 36 and 50 to 60); no shared range of bits" in result.stdout
    document = json.loads(run("compare", "--anchors", anchors, "--bd", "new", "old", "--json").stdout)
    assert document["bd"][0]["bd_rate_percent"] == pytest.approx(-20)
    far = json.loads(run("compare", "--anchors", anchors, "--bd", "far", "old", "--json").stdout)
    assert far["bd"][0]["bd_rate_percent"] is None
    assert far["bd"][0]["shared_psnr_db"] is None


def test_without_pairs_every_curve_is_laid_to_the_reference(run: Run, anchors: Path) -> None:
    result = run("compare", "--anchors", anchors)
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:4]] == [
        ["old", "jpeg"],
        ["new", "jpeg"],
        ["far", "jpeg"],
    ]
    result = run("compare", "--anchors", anchors, "--curves", "old,new", "--reference", "old")
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:]] == [["new", "old"]]


def test_published_curves_lie_beside_measured_ones(run: Run, anchors: Path, photo_png: Path) -> None:
    result = run("compare", photo_png, "--codecs", "jpeg", "--qualities", "10,50,90", "--anchors", anchors)
    assert result.exit_code == 0
    tests = [line.split()[:2] for line in result.stdout.split("BD-RATE, MS-SSIM\n")[1].splitlines()[:4]]
    assert tests == [["old", "jpeg"], ["new", "jpeg"], ["far", "jpeg"], ["published:jpeg", "jpeg"]]
    pairs = ("--bd", "published:jpeg", "published:old")
    document = json.loads(run("compare", "--anchors", anchors, *pairs, "--json").stdout)
    assert document["bd"][0]["bd_rate_percent"] == pytest.approx(100)


def test_published_webp_against_published_jpeg_by_the_command(run: Run, data_folder: Path) -> None:
    path = data_folder / ".." / "anchors" / "kodak_published.json"
    if not path.is_file():
        pytest.skip("there is no anchors/kodak_published.json beside the data folder")
    result = run("compare", "--anchors", path, "--bd", "webp", "jpeg")
    published = read_anchors(path)
    assert row(result.stdout, "webp", "jpeg")[2] == f"{bd_rate(published['jpeg'], published['webp']):+.1f}%" == "-36.2%"


# --- what fails ---------------------------------------------------------------------------------------------------


def test_each_bad_picture_is_one_line_and_the_rest_goes_on(run: Run, photo: Image.Image) -> None:
    Path("text.png").write_text("not a picture")
    photo.crop((0, 0, 40, 5)).save("tiny.png")
    photo.convert("L").save("grey.png")
    photo.convert("RGBA").resize((20, 20)).save("opaque.png")
    alpha = photo.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(photo.size))
    alpha.save("alpha.png")
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save("deep.png")
    names = ("text.png", "missing.png", "tiny.png", "grey.png", "opaque.png", "alpha.png", "deep.png")
    result = run("compare", *names, "--codecs", "jpeg,tiny/grey", "--qualities", "20,80")
    assert result.exit_code == 1
    told = [line.removeprefix("nncodec: ") for line in result.stderr.splitlines() if "161" not in line]
    refused = "tiny/grey: this model codes grey pictures only; convert the picture to mode L"
    assert told == [
        "text.png: a text file, not a picture",
        "missing.png: No such file or directory",
        "tiny.png: 40 x 5 pixels are too few to compare; it takes 11 x 11",
        f"opaque.png: {refused}",
        "alpha.png: transparency is flattened onto white",
        f"alpha.png: {refused}",
        "deep.png: mode I;16 is stored as L, 16 bits a sample reduced to 8",
    ]
    assert "2 pictures. Means over those that every codec took:" in result.stdout
    assert "5 measurements missing, see above" in result.stdout
    assert row(result.stdout, "jpeg", "80")


def test_a_comparison_without_measurements_is_reported_for_stored_results_too(run: Run) -> None:
    Path("text.png").write_text("not a picture")
    result = run("compare", "text.png", "--codecs", "jpeg", "-o", "results.json")
    assert result.exit_code == 1
    assert result.stdout.startswith("Nothing was measured.")
    again = run("compare", "--from", "results.json")
    assert again.exit_code == 0
    assert (again.stdout, again.stderr) == (result.stdout, result.stderr)


def test_unknown_codecs_and_options_are_wrong_usage(run: Run, photo_png: Path, anchors: Path) -> None:
    for ask, told in [
        ((), "give pictures to measure"),
        ((photo_png, "--codecs", "gif"), "no codec is called 'gif'; peers are jpeg"),
        ((photo_png, "--codecs", "jpeg,"), "give names, as in jpeg,webp"),
        ((photo_png, "--codecs", "jpeg,jpeg"), "each codec once"),
        ((photo_png, "--codecs", "jpeg", "--reference", "webp"), "there is no curve 'webp'; there are jpeg"),
        ((photo_png, "--codecs", "jpeg", "--bd", "jpeg", "webp"), "there is no curve 'webp'; there are jpeg"),
        ((photo_png, "--qualities", "10,x"), "give whole numbers"),
        ((photo_png, "--codecs", "jpeg", "--qualities", "0"), "jpeg has qualities 1 to 100, not 0"),
        ((photo_png, "--qualities", "gif=1"), "gif is not among the codecs"),
        ((photo_png, "--timings", "-j", "2"), "--timings needs one job"),
        ((photo_png, photo_png), "a picture is given twice"),
        ((photo_png, "-o", "-"), "--json writes the results to stdout"),
        ((photo_png, "--from", "results.json"), "not both"),
        ((photo_png, "--curves", "old"), "--anchors"),
        ((photo_png, "--codecs", "webp", "--match", "psnr", "--reference", "jpeg"), "there is no curve 'jpeg'"),
        (("-",), "not from stdin"),
        (("--anchors", anchors, "-o", "x.json"), "no results to store"),
        (("--anchors", anchors, "--match", "psnr"), "need pictures"),
        (("--anchors", anchors, "--bd", "new", "older"), "there is no curve 'older'; there are old, new, far, jpeg"),
        (("--anchors", anchors, "--curves", "older"), "there is no curve 'older'"),
        (("--anchors", anchors, "--reference", "older"), "there is no curve 'older'"),
    ]:
        result = run("compare", *ask)
        assert result.exit_code == 2, ask
        assert told in result.stderr, ask
        assert len(result.stderr.splitlines()) == 1, ask
        assert result.stdout == "", ask


def test_a_file_of_another_kind_is_one_line(run: Run, photo_png: Path) -> None:
    Path("other.json").write_text("{}")
    for ask, told in [
        (("--from", "other.json"), "other.json: not a stored comparison: it has no schema number"),
        (("--from", "missing.json"), "missing.json: No such file"),
        (("--anchors", "other.json"), "other.json does not hold published curves"),
        (("--anchors", photo_png), "photo.png does not hold published curves: it is not JSON"),
    ]:
        result = run("compare", *ask)
        assert result.exit_code == 1, ask
        assert told in result.stderr, ask
        assert len(result.stderr.splitlines()) == 1, ask


@pytest.mark.parametrize("package", ["bjontegaard", "pytorch_msssim"])
def test_without_the_extra_one_line_says_what_to_install(
    run: Run, photo_png: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = run("compare", photo_png, "--codecs", "jpeg", "--qualities", "50")
    assert result.exit_code == 1
    assert result.stderr == (
        f'nncodec: comparing needs {package}, which is not installed; pip install "nncodec-image[compare]"\n'
    )
