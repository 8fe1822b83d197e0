"""The page is whole, valid and quiet: nothing outside it is asked for, and no name in it becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nncodec.compare.curves import CurvePoint
from nncodec.compare.report.contents import contents
from nncodec.compare.report.samples import Sample
from nncodec.compare.results import Comparison, Match

VOID = {"meta", "link", "img", "br", "input", "source"}
NASTY = '<script>alert("x")</script> & $\\alpha$.png'


class Reader(HTMLParser):
    """Collects elements and text, and insists that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    return (report / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def viewer(reader: Reader) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(reader.texts["script"][0])
    return found


def test_elements_nest_and_ids_are_unique(page: str, reader: Reader) -> None:
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = [link["href"] for link in reader.all("a")]
    assert anchors
    assert {anchor.removeprefix("#") for anchor in anchors if anchor} <= set(ids)
    for _, attributes in reader.elements:
        for key in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(key) is None or attributes[key] in ids


def test_nothing_outside_the_page_is_named(page: str, reader: Reader) -> None:
    assert re.findall(r"(?i)\b(?:https?|ftp|wss?|file)://", page) == []
    for tag, attributes in reader.elements:
        for key in ("src", "srcset", "href", "action", "poster", "data"):
            value = attributes.get(key)
            assert value is None or value.startswith(("data:", "#")), (tag, key)
    assert re.findall(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", page) == []


def test_the_policy_allows_this_script_and_this_style_and_pictures_as_data(page: str, reader: Reader) -> None:
    (policy,) = [meta["content"] for meta in reader.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == "'none'"
    assert rules.pop("img-src") == "data:"
    assert (rules.pop("base-uri"), rules.pop("form-action")) == ("'none'", "'none'")
    for key, pattern in (("style-src", r"<style>(.*?)</style>"), ("script-src", r"<script>(.*?)</script>")):
        (text,) = re.findall(pattern, page, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(key) == f"'sha256-{digest}'"
    assert rules == {}
    assert not any("style" in attributes for _, attributes in reader.elements)
    assert not any(key.startswith("on") for _, attributes in reader.elements for key in attributes)


def test_names_are_text_and_never_markup(page: str, reader: Reader) -> None:
    assert [attributes for attributes in reader.all("script") if attributes] == [
        {"type": "application/json", "id": "viewer-data"}
    ]
    assert len(reader.all("script")) == 2
    assert NASTY in reader.texts["bdi"]
    assert "<b>refused</b>" in reader.texts["bdi"]
    assert "<b>" not in page
    assert NASTY in {one["name"] for one in viewer(reader)["samples"]}


def test_bytes_of_names_that_are_no_text_do_not_stop_the_report(reader: Reader) -> None:
    assert "caf?.png" in reader.texts["bdi"]


def test_everything_that_was_asked_of_a_report_is_there(page: str, reader: Reader, comparison: Comparison) -> None:
    headings = reader.texts["h2"] + reader.texts["h3"]
    assert headings == [
        "Rate and distortion",
        "Before and after",
        "Worst and best pictures",
        "Picture by picture, at about the bytes of photo at quality 50",
        "Times",
        "Skipped",
        "About this report",
        "Bjøntegaard differences",
    ]
    plots = [image["alt"] for image in reader.all("img") if (image["alt"] or "").startswith("Plot: ")]
    assert len(plots) == 6
    assert len(reader.all("source")) == 6
    assert comparison.command in "".join(reader.texts["pre"])
    assert {"nncodec", "0.1", "Pillow", "13.0"} <= set(reader.texts["dt"]) | set(reader.texts["dd"])
    assert "not a picture that Pillow can read" in reader.texts["bdi"]


def test_tables_have_heads_and_the_numbers(reader: Reader, comparison: Comparison) -> None:
    assert all(head.get("scope") == "col" for head in reader.all("th"))
    assert {"PSNR, dB", "Bits per pixel", "Encode, MP/s"} <= set(reader.texts["th"])
    means = comparison.mean_curve("jpeg")
    for point in means:
        assert f"{point.psnr_db:.2f}" in reader.texts["td"]
        assert f"{point.bpp:.3f}" in reader.texts["td"]


def test_controls_have_names(reader: Reader) -> None:
    texts = {text.strip() for text in reader.texts["label"]} - {""}
    assert texts == {"Picture", "Left", "Right", "Divider"}
    for attributes in reader.all("button"):
        assert attributes.get("aria-label") or attributes.get("id") in ("fit", "actual") or "show" in str(attributes)
    assert all("alt" in image for image in reader.all("img"))


def test_the_slider_has_every_picture_with_every_codec(reader: Reader, samples: list[Sample]) -> None:
    shown = viewer(reader)["samples"]
    assert [one["why"] for one in shown] == [one.why for one in samples]
    for one, sample in zip(shown, samples, strict=True):
        versions = one["versions"]
        assert isinstance(versions, list)
        assert [version["label"] for version in versions] == ["original", "photo", "JPEG", "WebP"]
        assert all(version["uri"].startswith("data:image/webp;base64,") for version in versions)
        assert (one["width"], one["height"]) == sample.original.size
        jpeg = sample.coded[1]
        assert f"{jpeg.bytes:,} bytes" in versions[2]["numbers"]
        assert f"PSNR {jpeg.psnr_db:.2f} dB" in versions[2]["numbers"]
    assert (viewer(reader)["left"], viewer(reader)["right"]) == ("jpeg", "avif")


def page_of(comparison: Comparison, published: Mapping[str, Sequence[CurvePoint]] | None = None) -> Reader:
    return Reader(contents(comparison, [], anchors=published or {})["report.html"].decode())


@pytest.mark.usefixtures("blank_plots")
def test_without_pictures_to_look_at_there_is_no_slider_and_no_script(comparison: Comparison) -> None:
    reader = page_of(comparison)
    assert reader.all("script") == []
    assert "Before and after" not in reader.texts["h2"]
    assert "Worst and best pictures" in reader.texts["h2"]
    assert NASTY in reader.texts["bdi"]


@pytest.mark.usefixtures("blank_plots")
def test_nothing_measured_still_gives_a_page_that_says_why(comparison: Comparison) -> None:
    reader = page_of(replace(comparison, measurements=()))
    texts = "".join(reader.texts["p"])
    assert "no mean curve" in texts
    assert "did not measure times" in texts
    assert "not a picture that Pillow can read" in reader.texts["bdi"]


@pytest.mark.usefixtures("blank_plots")
def test_the_page_says_that_nothing_is_skipped(comparison: Comparison) -> None:
    assert any("Nothing; every" in text for text in page_of(replace(comparison, skipped=())).texts["p"])


@pytest.mark.usefixtures("blank_plots")
def test_published_curves_are_named_and_have_tables(comparison: Comparison) -> None:
    paper = {f"paper {n} <i>": [CurvePoint(0.5, 28.0), CurvePoint(2.0, 35.0)] for n in range(10)}
    reader = page_of(comparison, paper)
    assert any("at most 8 of 10" in text for text in reader.texts["p"])
    assert "paper 9 <i>" in reader.texts["bdi"]


@pytest.mark.usefixtures("blank_plots")
def test_several_matching_points_have_a_section_each(comparison: Comparison) -> None:
    matches = tuple(Match(by, "avif", 50, comparison.measurements) for by in ("ssim", "bytes"))
    # One quality each, as a match has.
    matches = tuple(
        replace(match, measurements=tuple(one for one in match.measurements if one.quality in (50, 40, 30)))
        for match in matches
    )
    reader = page_of(replace(comparison, matches=matches))
    assert "Picture by picture, at equal SSIM, photo at quality 50" in reader.texts["h2"]
    assert "Picture by picture, at equal bytes, photo at quality 50" in reader.texts["h2"]
    assert len([image for image in reader.all("img") if image["alt"]]) == 9


@pytest.mark.usefixtures("blank_plots")
def test_unchanged_pictures_have_an_infinite_psnr(comparison: Comparison) -> None:
    perfect = tuple(replace(one, psnr_db=float("inf")) for one in comparison.measurements)
    assert "∞" in page_of(replace(comparison, measurements=perfect)).texts["td"]
