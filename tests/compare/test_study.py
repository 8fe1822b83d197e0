"""The whole comparison: exact against Pillow, robust against bad pictures and codecs, the same in several processes."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import nncodec
from nncodec.compare import Comparison, Matching, compare, study
from nncodec.errors import InvalidOption, NncError
from nncodec.metrics.cvvdp import is_available


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    """Two photographs, 64 x 48 pixels, the second grey."""
    cat = Image.fromarray(skimage.data.chelsea()[80:128, 100:164])
    return {"cat": cat, "man": Image.fromarray(skimage.data.camera()[100:148, 200:264])}


def direct(image: Image.Image, kind: str, quality: int, **settings: object) -> tuple[int, float, Image.Image]:
    """Return bytes, PSNR and decoded picture, computed with Pillow and NumPy alone."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality, **settings)
    with Image.open(buffer) as opened:
        decoded = opened.convert(image.mode)
    error = np.square(np.asarray(image, float) - np.asarray(decoded, float)).mean()
    return len(buffer.getvalue()), 10 * math.log10(255**2 / error), decoded


# --- what is measured ---------------------------------------------------------------------------------------------


def test_jpeg_and_webp_are_what_pillow_gives() -> None:
    image = Image.fromarray(skimage.data.chelsea()[60:236, 100:292])
    found = compare({"cat": image}, ["jpeg", "webp"], qualities=[20, 75])
    peers: dict[str, tuple[str, dict[str, object]]] = {
        "jpeg": ("JPEG", {"optimize": True, "progressive": True, "subsampling": "4:2:0"}),
        "webp": ("WEBP", {"method": 6}),
    }
    assert [(one.codec, one.quality) for one in found.measurements] == [
        (codec, quality) for codec in peers for quality in (20, 75)
    ]
    for one in found.measurements:
        kind, settings = peers[one.codec]
        size_bytes, psnr_db, _ = direct(image, kind, one.quality, **settings)
        assert one.bytes == size_bytes
        assert one.psnr_db == pytest.approx(psnr_db, abs=1e-9)
        assert one.bpp == 8 * size_bytes / (192 * 176)
        assert one.ratio_raw == 3 * 192 * 176 / size_bytes
        assert one.ratio_png == found.pictures[0].png_bytes / size_bytes
        assert 0 < one.ssim < 1
        assert one.ms_ssim is not None
        assert one.ssimulacra2 is not None
        assert (one.encode_s, one.decode_s) == (None, None)
    assert found.skipped == ()
    assert {"python", "pillow", "libwebp", "nncodec-image"} <= found.versions.keys()


def test_a_model_is_measured_through_its_files(photos: dict[str, Image.Image]) -> None:
    found = compare(photos, ["photo"], qualities=[30], effort=3)
    for one, image in zip(found.measurements, photos.values(), strict=True):
        data = nncodec.encode(image, "photo", 30, effort=3)
        error = np.square(np.asarray(nncodec.decode(data), float) - np.asarray(image, float)).mean()
        assert one.bytes == len(data)
        assert one.psnr_db == pytest.approx(10 * math.log10(255**2 / error), abs=0.01)
    assert found.codecs[0].learned
    assert found.codecs[0].label == "hyperprior/photo, effort 3"


def test_codecs_that_have_no_grey_are_compared_in_grey(photos: dict[str, Image.Image]) -> None:
    found = compare(photos, ["webp"], qualities=[50])
    grey = found.measurements[1]
    size_bytes, psnr_db, _ = direct(photos["man"], "WEBP", 50, method=6)
    assert (grey.bytes, grey.psnr_db) == (size_bytes, pytest.approx(psnr_db, abs=1e-9))
    assert found.pictures[1].mode == "L"


def test_each_codec_has_its_own_ladder_unless_asked_otherwise(photos: dict[str, Image.Image]) -> None:
    found = compare({"cat": photos["cat"]}, ["jpeg", "webp"], qualities={"webp": [70, 30, 70]})
    assert [one.quality for one in found.of_codec("webp")] == [30, 70]
    assert [one.quality for one in found.of_codec("jpeg")] == [5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95]


def test_times_are_medians_of_warm_runs(photos: dict[str, Image.Image]) -> None:
    found = compare(photos, ["webp"], qualities=[50], timings=True)
    for one in found.measurements:
        assert one.encode_s is not None
        assert one.decode_s is not None
        assert min(one.encode_s, one.decode_s) > 0


# --- matching -----------------------------------------------------------------------------------------------------


def test_codecs_are_brought_to_equal_psnr_and_bytes(photos: dict[str, Image.Image]) -> None:
    found = compare(
        photos, ["webp", "jpeg"], qualities=[50], match=[Matching("psnr", "jpeg", 40), Matching("bytes", "webp", 90)]
    )
    by_psnr, by_bytes = found.matches
    assert (by_psnr.by, by_psnr.reference, by_psnr.quality) == ("psnr", "jpeg", 40)
    for match, codec in ((by_psnr, "webp"), (by_bytes, "jpeg")):
        own = {(one.picture, one.codec): one for one in match.measurements}
        assert len(own) == 4
        for picture in photos:
            target, met = own[picture, match.reference], own[picture, codec]
            assert target.quality == match.quality
            if match is by_psnr:
                assert abs(met.psnr_db - target.psnr_db) < 0.5
            else:
                assert abs(met.bytes - target.bytes) < 25
    assert [one.quality for one in found.measurements] == [50] * 4
    assert Comparison.from_json(found.to_json()) == found


def test_a_codec_that_fails_at_the_matching_point_is_reported_and_left_out(
    photos: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nncodec.compare import measure

    def fail(original: Any, codec: Any, quality: int, *, timings: bool = False, colorvideovdp: bool = False) -> Any:
        if quality == 41:
            raise OSError("not today")
        return plain(original, codec, quality, timings=timings)

    plain = measure.measure
    monkeypatch.setattr(measure, "measure", fail)
    found = compare({"cat": photos["cat"]}, ["jpeg", "webp"], qualities=[50], match=[Matching("psnr", "jpeg", 41)])
    assert [(one.codec, one.reason) for one in found.skipped] == [("jpeg", "not today")]
    assert [one.codec for one in found.measurements] == ["webp"]
    assert found.matches[0].measurements == ()


# --- what fails ---------------------------------------------------------------------------------------------------


def test_bad_pictures_and_codecs_that_refuse_are_reported_and_the_rest_goes_on(
    photos: dict[str, Image.Image], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    photos["cat"].crop((0, 0, 10, 40)).save(tmp_path / "tiny.png")
    photos["cat"].save(tmp_path / "cat.png")
    paths = [tmp_path / name for name in ("text.png", "missing.png", "tiny.png", "cat.png")]
    told: list[tuple[str, str]] = []
    steps: list[tuple[int, int]] = []
    found = compare(
        paths,
        ["jpeg", "dense/fashion"],
        qualities={"jpeg": [50]},
        on_note=lambda name, note: told.append((name, note)),
        on_progress=lambda done, total: steps.append((done, total)),
    )
    assert [one.name for one in found.pictures] == ["cat.png"]
    assert [(one.picture, one.codec) for one in found.measurements] == [("cat.png", "jpeg")]
    assert [(one.picture, one.codec) for one in found.skipped] == [
        ("text.png", None),
        ("missing.png", None),
        ("tiny.png", None),
        ("cat.png", "dense/fashion"),
    ]
    assert all("\n" not in note for _, note in told)
    notes = dict(told[:3])
    assert notes["text.png"] == "a text file, not a picture"
    assert notes["missing.png"] == "No such file or directory"
    assert "too few to compare" in notes["tiny.png"]
    assert told[3] == ("cat.png", "an edge is below 161 pixels, so there is no MS-SSIM")
    assert "28 x 28" in told[4][1]
    assert found.measurements[0].ms_ssim is None
    assert steps[-1] == (8, 8)
    assert steps == sorted(steps)


def test_a_codec_that_returns_another_size_is_reported(
    photos: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nncodec.compare import codecs

    monkeypatch.setattr(codecs._PillowCodec, "decode", lambda self, data: photos["cat"].resize((5, 5)))
    found = compare({"cat": photos["cat"]}, ["jpeg"], qualities=[50])
    assert found.measurements == ()
    assert "one size" in found.skipped[0].reason


def test_several_processes_give_the_same(photos: dict[str, Image.Image], tmp_path: Path) -> None:
    paths = []
    for name, image in photos.items():
        paths.append(tmp_path / f"{name}.png")
        image.save(paths[-1])
    (tmp_path / "text.png").write_text("not a picture")
    paths.insert(1, tmp_path / "text.png")
    steps: list[int] = []
    settings: dict[str, Any] = {"qualities": [30, 60], "match": [Matching("ssim", "jpeg", 30)]}
    one = compare(paths, ["jpeg", "webp"], **settings)
    two = compare(paths, ["jpeg", "webp"], **settings, jobs=2, on_progress=lambda done, _: steps.append(done))
    assert one == two
    assert steps == [2, 4, 6]


@pytest.mark.parametrize("jobs", [1, 2])
def test_work_can_be_cancelled_from_the_progress(photos: dict[str, Image.Image], jobs: int) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        compare(photos, ["jpeg"], qualities=[50], jobs=jobs, on_progress=stop)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda p: compare({}, ["jpeg"]), "there are none"),
        (lambda p: compare(p, []), "one at least"),
        (lambda p: compare(p, ["jpeg", "jpeg"]), "each codec once"),
        (lambda p: compare(p, ["gif"]), "no codec is called 'gif'"),
        (lambda p: compare(p, ["jpeg"], qualities=[0]), "jpeg has qualities 1 to 100, not 0"),
        (lambda p: compare(p, ["photo"], qualities=[101]), "photo has qualities 0 to 100, not 101"),
        (lambda p: compare(p, ["jpeg"], qualities={"webp": [1]}), "webp is not among the codecs"),
        (lambda p: compare(p, ["jpeg"], qualities=[]), "jpeg has none"),
        (lambda p: compare(p, ["jpeg"], effort=10), "0 to 9"),
        (lambda p: compare(p, ["jpeg"], jobs=0), "1 or more"),
        (lambda p: compare(p, ["jpeg"], jobs=2, timings=True), "1 where times are measured"),
        (lambda p: compare(p, ["jpeg"], match=[Matching("psnr", "webp", 5)]), "webp is not among"),
        (lambda p: compare(p, ["jpeg"], match=[Matching("psnr", "jpeg", 0)]), "1 to 100, not 0"),
        (lambda p: compare(p, ["jpeg"], match=[Matching("vmaf", "jpeg", 5)]), "not by 'vmaf'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_the_work(
    photos: dict[str, Image.Image], ask: Callable[[Any], object], told: str
) -> None:
    with pytest.raises(InvalidOption, match=told):
        ask(photos)


def test_without_its_extra_it_says_what_to_install(
    photos: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    with pytest.raises(NncError, match=r'comparing needs pytorch_msssim, .*pip install "nncodec-image\[compare\]"$'):
        compare(photos, ["jpeg"])


@pytest.mark.skipif(not is_available(), reason="cvvdp is not installed")
@pytest.mark.filterwarnings("ignore")  # of that package's own code
def test_colorvideovdp_is_measured_where_it_is_asked_for(photos: dict[str, Image.Image]) -> None:
    without = compare(photos, ["jpeg"], qualities=[10, 90])
    measured = compare(photos, ["jpeg"], qualities=[10, 90], colorvideovdp=True)
    assert {measurement.colorvideovdp for measurement in without.measurements} == {None}
    low, high = measured.mean_curve("jpeg")
    assert low.colorvideovdp is not None
    assert high.colorvideovdp is not None
    assert low.colorvideovdp < high.colorvideovdp < 10
    assert Comparison.from_json(measured.to_json()) == measured


def test_colorvideovdp_without_its_package_is_refused_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncodec.metrics.cvvdp.PACKAGE", "there_is_no_such_package")
    with pytest.raises(NncError, match="pip install --no-deps cvvdp"):
        compare({"none": Image.new("RGB", (8, 8))}, ["jpeg"], colorvideovdp=True)


def test_a_picture_on_which_a_worker_dies_is_skipped(
    photos: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    def each(work: Any, sources: Any, jobs: int, lost: Any) -> Iterator[Any]:
        assert jobs == 2
        yield sources[0], lost(sources[0], "it died")
        yield sources[1], work(sources[1])

    monkeypatch.setattr(study, "each", each)
    found = compare(photos, ["jpeg"], qualities=[20], match=[Matching("psnr", "jpeg", 20)], jobs=2)
    assert [(one.picture, one.codec, one.reason) for one in found.skipped] == [("cat", None, "it died")]
    assert (
        [one.picture for one in found.measurements] == [one.picture for one in found.matches[0].measurements] == ["man"]
    )
