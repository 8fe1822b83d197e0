"""What a comparison holds, its means, and its stored form."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nncodec.compare.results import (
    SCHEMA,
    CodecInfo,
    Comparison,
    Match,
    Measurement,
    PictureInfo,
    Skipped,
)
from nncodec.errors import NncError


def measurement(picture: str, codec: str, quality: int, psnr_db: float = 30.0, **values: Any) -> Measurement:
    plain: dict[str, Any] = {
        "bytes": 100 * quality,
        "bpp": quality / 10,
        "ratio_raw": 24.0,
        "ratio_png": 12.0,
        "psnr_db": psnr_db,
        "ssim": 0.9,
        "ms_ssim": 0.95,
        "ssimulacra2": 70.0,
        "encode_s": None,
        "decode_s": None,
    }
    return Measurement(picture, codec, quality, **plain | values)


def comparison(*measurements: Measurement, **values: Any) -> Comparison:
    plain: dict[str, Any] = {
        "pictures": tuple(PictureInfo(name, 16, 16, "RGB", 768, 400) for name in ("a", "b", "caf\udce9")),
        "codecs": (CodecInfo("jpeg", "JPEG", "4:2:0", False), CodecInfo("photo", "conv/photo", "id 1", True)),
        "measurements": measurements,
        "skipped": (Skipped("c.txt", None, "not a picture"), Skipped("a", "photo", "too small")),
        "command": "nncodec compare a b",
        "versions": {"python": "3.11"},
    }
    return Comparison(**plain | values)


# --- means --------------------------------------------------------------------------------------------------------


def test_means_are_over_pictures_at_each_quality() -> None:
    found = comparison(
        *(measurement("a", "jpeg", q, 30, encode_s=1.0) for q in (50, 10)),
        *(measurement("b", "jpeg", q, 34, encode_s=3.0, ms_ssim=None) for q in (10, 50)),
    )
    low, high = found.mean_curve("jpeg")
    assert (low.quality, low.bpp, low.bytes) == (10, 1.0, 1000)
    assert (high.quality, high.psnr_db, high.encode_s, high.decode_s) == (50, 32, 2.0, None)
    assert high.ms_ssim == 0.95  # of the one picture that is large enough
    assert found.mean_curve("photo") == []
    assert found.of_codec("jpeg") == found.measurements


def test_a_quality_counts_only_where_every_picture_has_it() -> None:
    found = comparison(*(measurement("a", "jpeg", q) for q in (10, 20)), measurement("b", "jpeg", 20))
    assert [point.quality for point in found.mean_curve("jpeg")] == [20]


def test_every_codec_answers_for_the_same_pictures() -> None:
    found = comparison(
        measurement("a", "jpeg", 10, 20),
        measurement("b", "jpeg", 10, 40),
        measurement("b", "photo", 10, 41),
    )
    assert found.shared_pictures() == ("b",)
    assert [point.psnr_db for point in found.mean_curve("jpeg")] == [40]
    assert [point.psnr_db for point in found.mean_curve("photo")] == [41]
    assert comparison().shared_pictures() == ()


def test_a_picture_that_came_back_unchanged_makes_the_mean_infinite() -> None:
    found = comparison(measurement("a", "jpeg", 10, math.inf), measurement("b", "jpeg", 10, 40))
    assert [point.psnr_db for point in found.mean_curve("jpeg")] == [math.inf]


# --- the stored form ----------------------------------------------------------------------------------------------


@pytest.fixture
def stored() -> Comparison:
    one = measurement("a", "jpeg", 10, math.inf, encode_s=0.5)
    other = measurement("caf\udce9", "jpeg", 10, ms_ssim=None, ssimulacra2=None)
    return comparison(one, other, matches=(Match("psnr", "jpeg", 10, (one,)),))


def test_the_stored_form_gives_the_same_back(stored: Comparison) -> None:
    assert Comparison.from_json(stored.to_json()) == stored
    assert Comparison.from_json(stored.to_json().encode()) == stored
    assert Comparison.from_json(comparison().to_json()) == comparison()


def test_the_stored_form_is_json_for_any_program(stored: Comparison) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    document = json.loads(stored.to_json(bd=[1]), parse_constant=refuse)
    assert document["schema"] == SCHEMA
    assert document["measurements"][0]["psnr_db"] is None
    assert document["bd"] == [1]
    assert Comparison.from_json(stored.to_json(bd=[1])) == stored


def test_results_stored_before_there_were_matches_can_be_read(stored: Comparison) -> None:
    document = json.loads(stored.to_json())
    del document["matches"]
    assert Comparison.from_json(json.dumps(document)) == replace(stored, matches=())


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        *parents, last = (int(name) if name.isdigit() else name for name in path.split("/"))
        for name in parents:
            document = document[name]
        if value is ...:
            del document[last]
        else:
            document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_set("schema", 2), "its schema is 2, this version reads 1"),
        (_set("schema", ...), "no schema number"),
        (_set("codecs", ...), "codecs is missing"),
        (_set("codecs", {}), "codecs is no list"),
        (_set("versions", {"python": 3}), "versions is no object of texts"),
        (_set("measurements/0/bpp", "1"), r"measurements\[0\].bpp is '1', expected float"),
        (_set("measurements/1/quality", True), r"measurements\[1\].quality is 'True', expected int"),
        (_set("measurements/1/quality", 1.5), r"measurements\[1\].quality is '1.5', expected int"),
        (_set("measurements/1/ssim", 10**400), r"measurements\[1\].ssim"),
        (_set("measurements/1/ssim", None), r"measurements\[1\].ssim"),
        (_set("measurements/1/bytes", 0), r"measurements\[1\] has a size that is not positive"),
        (_set("measurements/1/codec", "gif"), r"measurements\[1\] is of a picture or codec that is not listed"),
        (_set("measurements/1/picture", "a"), r"measurements has \('a', 'jpeg', 10\) twice"),
        (_set("measurements/0", 5), r"measurements\[0\] is no object"),
        (_set("measurements/0/colour", 5), r"measurements\[0\] has the unknown entry 'colour'"),
        (_set("matches/0/by", "vmaf"), r"matches\[0\] is by 'vmaf', expected one of psnr, ssim, bytes"),
        (_set("matches/0/measurements/0/picture", "z"), r"matches\[0\].measurements\[0\] is of a picture"),
        (_set("pictures/0/name", "b"), "pictures has 'b' twice"),
    ],
)
def test_what_is_wrong_with_a_stored_comparison_is_told(
    stored: Comparison, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    document = json.loads(stored.to_json())
    change(document)
    with pytest.raises(NncError, match=told) as caught:
        Comparison.from_json(json.dumps(document))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", "[]", "3", "[" * 100_000, '{"schema": NaN}'])
def test_what_is_no_stored_comparison_at_all(text: str | bytes) -> None:
    with pytest.raises(NncError, match="not a stored comparison"):
        Comparison.from_json(text)
