"""Plots and samples that the package draws are told from pictures of the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncodec._support.drawings import is_drawing


@pytest.mark.parametrize(
    ("picture", "beside", "expected"),
    [
        ("m.run/loss.png", ["m.run/run.json"], True),
        ("m.run/samples.png", ["m.run/run.json"], True),
        ("m.run/samples/epoch-0009.png", ["m.run/run.json"], True),
        ("samples/epoch-0009.png", [], False),
        ("m.run/photo.png", ["m.run/run.json"], False),
        ("m.run/deep/loss.png", ["m.run/run.json"], False),
        ("loss.png", [], False),
        ("report/plots/rate.png", ["report/report.html", "report/data/means.csv"], True),
        ("report/plots/rate.png", ["report/report.html"], False),
        ("report/photo.png", ["report/report.html", "report/data/means.csv"], False),
        ("plots/rate.png", [], False),
    ],
)
def test_a_drawing_is_known_by_what_lies_beside_it(
    tmp_path: Path, picture: str, beside: list[str], expected: bool
) -> None:
    for name in (picture, *beside):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert is_drawing(tmp_path / picture) is expected
