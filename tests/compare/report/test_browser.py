"""The report in a real browser, opened from a file: it works, asks for nothing, and complains of nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nncodec.compare.report.samples import Sample

pytestmark = pytest.mark.slow

DESKTOP, PHONE = (1280, 900), (390, 844)
CENTRE = (0.5, 0.5)


@pytest.fixture
def page(chromium: Any, report: Path) -> Any:
    """The report at the slider, on a desktop."""
    chromium.show(*DESKTOP)
    chromium.open((report / "report.html").as_uri())
    chromium.run("document.getElementById('viewer').scrollIntoView({behavior: 'instant'})")
    chromium.settle()
    yield chromium
    assert chromium.complaints() == []


def point(page: Any, across: float, down: float) -> tuple[float, float]:
    """Return a place on the stage, from shares of its width and height, in the window."""
    left, top, width, height = page.run(
        "(() => { const b = document.getElementById('stage').getBoundingClientRect();"
        " return [b.left, b.top, b.width, b.height]; })()"
    )
    return left + across * width, top + down * height


def split(page: Any) -> float:
    """Return where the divider is, 0..1, as drawn."""
    return float(page.run("parseFloat(divider.style.left) / stage.clientWidth"))


def scale(page: Any) -> float:
    return float(page.run("new DOMMatrix(getComputedStyle(document.getElementById('left-image')).transform).a"))


def offset(page: Any) -> tuple[float, float]:
    matrix = "new DOMMatrix(getComputedStyle(document.getElementById('left-image')).transform)"
    return float(page.run(f"{matrix}.e")), float(page.run(f"{matrix}.f"))


def select(page: Any, name: str, value: str) -> None:
    """Choose as a user does: the change is told to the page."""
    page.run(
        f"(() => {{ const s = document.getElementById('{name}'); s.value = {value!r};"
        " s.dispatchEvent(new Event('change')); })()"
    )
    page.settle()


def shown(page: Any, folder: Path) -> Image.Image:
    """Return what is on the stage inside its border."""
    page.screenshot(folder / "stage.png")
    box = page.run(
        "(() => { const b = stage.getBoundingClientRect(); return [b.left + stage.clientLeft, b.top + stage.clientTop,"
        " b.left + stage.clientLeft + stage.clientWidth, b.top + stage.clientTop + stage.clientHeight]; })()"
    )
    with Image.open(folder / "stage.png") as window:
        return window.convert("RGB").crop([round(edge) for edge in box])


# --- the page -----------------------------------------------------------------------------------------------------


def test_a_faulty_page_would_be_noticed(chromium: Any, tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.html"
    faulty.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.warn('a'); missing();</script>")
    chromium.open(faulty.as_uri())
    complaints = chromium.complaints()
    assert any("failed: net::ERR" in one for one in complaints)
    assert "console.warning" in complaints
    assert "Uncaught" in complaints
    assert chromium.requests() == [faulty.as_uri(), "http://127.0.0.1:9/x.png"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_opens_quietly_and_fits(
    chromium: Any, report: Path, size: tuple[int, int], dark: bool, tmp_path: Path
) -> None:
    chromium.show(*size, dark=dark)
    address = (report / "report.html").as_uri()
    chromium.open(address)
    assert chromium.complaints() == []
    assert chromium.requests() == [address]
    width, height = (chromium.run(f"document.documentElement.scroll{one}") for one in ("Width", "Height"))
    assert width == size[0]  # only tables and plots scroll sideways, inside themselves
    assert 3_000 < height < 15_000
    assert chromium.run("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    chromium.screenshot(tmp_path / "page.png", whole=True)
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (width, height)
        levels = np.asarray(picture.convert("L"))
    background = np.bincount(levels.ravel()).argmax()
    assert background < 40 if dark else background > 240
    assert len(np.unique(levels)) > 100


def test_plots_follow_the_colours_of_the_page(chromium: Any, report: Path) -> None:
    sources = []
    for dark in (False, True):
        chromium.show(*DESKTOP, dark=dark)
        chromium.open((report / "report.html").as_uri())
        sources.append(chromium.run("[...document.querySelectorAll('figure img')].map((i) => i.currentSrc.length)"))
    light, dark_ones = sources
    assert len(light) == 6
    assert light != dark_ones


# --- the slider ---------------------------------------------------------------------------------------------------


def test_the_divider_follows_the_pointer(page: Any) -> None:
    assert split(page) == pytest.approx(0.5)
    page.drag(point(page, *CENTRE), point(page, 0.25, 0.6))
    assert split(page) == pytest.approx(0.25, abs=0.01)
    assert float(page.run("document.getElementById('split').value")) == pytest.approx(25, abs=1)
    page.drag(point(page, 0.9, 0.2), point(page, 2, 0.2))
    assert split(page) == 1


def test_the_divider_moves_by_keys(page: Any) -> None:
    page.run("document.getElementById('split').focus()")
    page.key("ArrowRight")
    assert split(page) == pytest.approx(0.505)
    page.run("stage.focus()")
    page.key("[")
    page.key("[")
    page.key("]")
    assert split(page) == pytest.approx(0.485)


@pytest.mark.parametrize("zoom", ["actual", "fit", "zoom-in"])
@pytest.mark.parametrize("share", [0.5, 0.55])
def test_left_of_the_divider_is_the_left_picture_and_right_the_right(
    page: Any, samples: list[Sample], zoom: str, share: float, tmp_path: Path
) -> None:
    number = next(n for n, one in enumerate(samples) if one.name == "cup.png")
    select(page, "sample", str(number))
    select(page, "left", "jpeg")
    select(page, "right", "")
    page.run(f"document.getElementById('{zoom}').click()")
    page.run(
        f"(() => {{ const r = document.getElementById('split'); r.value = {100 * share};"
        " r.dispatchEvent(new Event('input')); })()"
    )
    page.settle()
    window = shown(page, tmp_path)
    original = samples[number].original
    jpeg = next(one.decoded for one in samples[number].coded if one.codec == "jpeg")
    # Where the middle of each pixel of the picture is on the stage.
    left, top = offset(page)
    columns = np.arange(original.width)
    across = ((columns + 0.5) * scale(page) + left).astype(int)
    down = ((np.arange(original.height) + 0.5) * scale(page) + top).astype(int)
    rows = (down > 45) & (down < window.height)  # below the tags
    divider = split(page) * window.width
    for seen, expected, other in (
        ((across >= 0) & (across < divider - 25), jpeg, original),
        ((across > divider + 25) & (across < window.width), original, jpeg),
    ):
        assert seen.any()
        on_screen = np.asarray(window, float)[np.ix_(down[rows], across[seen])]
        apart, wrong = (
            np.abs(on_screen - np.asarray(one.convert("RGB"), float)[np.ix_(rows, seen)]).mean()
            for one in (expected, other)
        )
        assert apart < 1
        assert wrong > 3


def test_the_wheel_scrolls_the_page_until_the_picture_has_the_focus(page: Any) -> None:
    before = scale(page)
    page.run("scrollTo({top: 0, behavior: 'instant'})")
    page.run("stage.scrollIntoView({block: 'center', behavior: 'instant'})")
    scrolled = page.run("scrollY")
    page.wheel(point(page, *CENTRE), 120)
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert page.run("scrollY") > scrolled
    assert scale(page) == before
    page.run("stage.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.drag(point(page, *CENTRE), point(page, *CENTRE))
    scrolled = page.run("scrollY")
    page.wheel(point(page, *CENTRE), -120)
    page.settle()
    assert page.run("scrollY") == scrolled
    assert scale(page) == pytest.approx(1.25 * before, rel=1e-4)


def test_what_is_under_the_pointer_stays_there_when_the_wheel_zooms(page: Any) -> None:
    page.run("stage.focus({preventScroll: true})")
    place = point(page, 0.3, 0.7)
    left, top = point(page, 0, 0)

    def under() -> list[float]:
        return [(at - edge - o) / scale(page) for at, edge, o in zip(place, (left, top), offset(page), strict=True)]

    first = under()
    for _ in range(3):
        page.wheel(place, -120)
    page.settle()
    assert scale(page) > 10
    assert under() == pytest.approx(first, abs=0.2)


def test_buttons_and_keys_zoom_and_the_level_is_shown(page: Any) -> None:
    fit = scale(page)
    page.run("document.getElementById('zoom-in').click()")
    assert scale(page) == pytest.approx(1.25 * fit, rel=1e-4)
    assert page.run("document.getElementById('zoom').value") == f"{round(125 * fit)}%"
    page.run("document.getElementById('zoom-out').click()")
    assert scale(page) == fit
    page.run("stage.focus()")
    for key, expected in (("1", 1.0), ("+", 1.25), ("-", 1.0), ("-", 1.0), ("0", fit)):
        page.key(key)
        assert scale(page) == pytest.approx(expected), key
    for _ in range(30):
        page.key("+")
    assert scale(page) == max(16, fit)


def test_a_magnified_picture_is_moved_by_drag_and_arrows_and_stays_in_view(page: Any) -> None:
    page.run("stage.focus({preventScroll: true})")
    for _ in range(3):
        page.key("+")
    left, top = offset(page)
    divider = split(page)
    page.drag(point(page, 0.2, 0.5), point(page, 0.3, 0.6))
    across, down = point(page, 0.1, 0.1)[0] - point(page, 0, 0)[0], point(page, 0.1, 0.1)[1] - point(page, 0, 0)[1]
    assert offset(page) == pytest.approx((left + across, top + down), abs=1)
    page.key("ArrowRight")
    assert offset(page)[0] == pytest.approx(left + across - 40, abs=1)
    assert split(page) == divider
    for _ in range(80):
        page.key("ArrowLeft")
    assert offset(page)[0] == 0


def test_the_divider_can_be_dragged_while_the_picture_is_magnified(page: Any) -> None:
    page.run("document.getElementById('zoom-in').click()")
    place = offset(page)
    page.drag(point(page, *CENTRE), point(page, 0.75, 0.5))
    assert split(page) == pytest.approx(0.75, abs=0.01)
    assert offset(page) == place


def test_codecs_are_chosen_and_swapped_and_their_numbers_are_shown(page: Any, samples: list[Sample]) -> None:
    assert page.run("[left.value, right.value].join()") == "jpeg,avif"
    select(page, "left", "webp")
    webp = next(one for one in samples[0].coded if one.codec == "webp")
    assert f"{webp.bytes:,} bytes" in page.run("document.getElementById('left-numbers').textContent")
    assert page.run("document.getElementById('left-tag').textContent") == "WebP"
    page.run("document.getElementById('swap').click()")
    assert page.run("[left.value, right.value].join()") == "avif,webp"
    assert f"{webp.bytes:,} bytes" in page.run("document.getElementById('right-numbers').textContent")
    page.run("stage.focus()")
    page.key("s")
    assert page.run("[left.value, right.value].join()") == "webp,avif"


def test_the_buttons_of_the_worst_and_best_show_their_picture(page: Any, samples: list[Sample]) -> None:
    assert page.run("document.querySelectorAll('.show').length") == len(samples)
    select(page, "left", "webp")
    page.run("document.querySelectorAll('.show')[3].click()")
    page.settle()
    assert page.run("sample.value") == "3"
    assert page.run("left.value") == "webp"
    assert page.run("document.getElementById('left-image').naturalWidth") == samples[3].original.width
    assert page.run("document.activeElement.id") == "stage"


def test_every_control_is_reached_by_the_tabulator_and_named(page: Any) -> None:
    names = page.run(
        "[...document.querySelectorAll('#viewer select, #viewer button, #viewer input, #stage')]"
        ".map((e) => [e.id, e.tabIndex, e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim()])"
    )
    assert len(names) == 10
    assert all(index == 0 and name for _, index, name in names)


def test_nothing_in_a_name_was_run(page: Any) -> None:
    assert page.run("document.scripts.length") == 2
    assert '<script>alert("x")</script>' in page.run("document.body.innerText")
