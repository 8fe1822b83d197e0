"""Published curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncodec.compare import CurvePoint, read_anchors
from nncodec.errors import NncError


def test_curves_are_read_with_what_their_source_gives(tmp_path: Path) -> None:
    curves = {
        "a": {"bpp": [1, 2.5], "psnr": [30, 35.5], "ms_ssim": [0.9, 0.99], "encode_time_s": [1], "source": "a paper"},
        "b": {"bpp": [1], "psnr": [], "ms_ssim": [0.5], "note": "read off a plot"},
        "c": {"bpp": []},
    }
    path = tmp_path / "curves.json"
    path.write_text(json.dumps(curves))
    assert read_anchors(path) == {
        "a": [CurvePoint(1.0, 30.0, 0.9), CurvePoint(2.5, 35.5, 0.99)],
        "b": [CurvePoint(1.0, None, 0.5)],
        "c": [],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "not an object of curves"),
        ("{}", "not an object of curves"),
        ('{"a": []}', "'a' is not an object"),
        ('{"a": {"bpp": 1}}', "bpp of 'a' is not a list of numbers"),
        ('{"a": {"bpp": [1, "2"]}}', "bpp of 'a' is not a list of numbers"),
        ('{"a": {"bpp": [1, true]}}', "bpp of 'a' is not a list of numbers"),
        ('{"a": {"bpp": [1], "psnr": [NaN]}}', "psnr of 'a' is not a list of numbers"),
        (f'{{"a": {{"bpp": [1], "psnr": [1{"0" * 400}]}}}}', "psnr of 'a' is not a list of numbers"),
        ('{"a": {"bpp": [1], "psnr": [1, 2]}}', "'a' has 1 rates and 2 values of psnr"),
        ('{"a": {"psnr": [1]}}', "'a' has 0 rates and 1 values of psnr"),
        ('{"a": {"bpp": [0], "psnr": [1]}}', "'a' has a rate that is not positive"),
    ],
)
def test_the_error_says_what_is_wrong_with_a_file(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "curves.json"
    path.write_text(text)
    with pytest.raises(NncError, match=told) as caught:
        read_anchors(path)
    assert str(caught.value).startswith(f"{path} does not hold published curves: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_anchors(tmp_path / "curves.json")
