"""The page in a real browser, with a server in its own process: it works, and complains of nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromium as browsers
import numpy as np
import pytest
import skimage.data
from PIL import Image

pytestmark = pytest.mark.slow

MOST_START_S = 3.0  # of computing, from the command to a usable page
MOST_IDLE_KB = 200_000
DESKTOP, PHONE = (1280, 900), (390, 844)
READY = "document.documentElement.dataset.ready === 'true'"


@dataclass(frozen=True)
class Running:
    """A server: the address that it showed, its folder and its process."""

    address: str
    root: Path
    process: subprocess.Popen[str]

    def computed_s(self) -> float:
        """Return the seconds of computing that the process took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def memory_kb(self) -> int:
        found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server on a folder with 12 pictures of 28 x 28 pixels in `small`, and a file that is no picture."""
    root = tmp_path_factory.mktemp("root")
    (root / "small").mkdir()
    photo = Image.fromarray(skimage.data.camera())
    for number in range(12):
        place = (90 + 20 * number, 60, 202 + 20 * number, 172)
        photo.crop(place).resize((28, 28)).save(root / "small" / f"{number:02}.png")
    Image.fromarray(np.asarray(skimage.data.astronaut())[60:124, 190:254]).save(root / "face.png")
    (root / "hostile.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(200)))
    environment = {**os.environ, "NNCODEC_MODELS": str(tmp_path_factory.mktemp("models")), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "nncodec", "ui", "--no-browser", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
    assert found is not None, process.stderr.read()
    yield Running(found[0], root, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


@pytest.fixture
def page(chromium: Any, running: Running) -> Iterator[Any]:
    """The page on a desktop; at the end nothing may have been complained of, or asked for elsewhere."""
    chromium.show(*DESKTOP)
    chromium.open(running.address)
    until(chromium, READY)
    yield chromium
    assert chromium.complaints() == []
    home = running.address.partition("?")[0]
    assert [address for address in chromium.requests() if not address.startswith(home)] == []


def until(page: Any, condition: str) -> None:
    """Wait for a condition in JavaScript."""
    end = time.monotonic() + 240
    while not page.run(f"Boolean({condition})"):
        assert time.monotonic() < end, f"{condition}: {page.run('document.body.innerText')}"
        time.sleep(0.05)


def click(page: Any, selector: str) -> None:
    page.run(f"document.querySelector({selector!r}).click()")


def put(page: Any, name: str, value: str, event: str = "change") -> None:
    """Set a field as a user does: the change is told to the page."""
    page.run(
        f"(() => {{ const field = document.getElementById({name!r}); field.value = {value!r};"
        f" field.dispatchEvent(new Event({event!r}, {{bubbles: true}})); }})()"
    )


def choose(page: Any, selector: str, *paths: Path) -> None:
    """Choose files in an input."""
    document = page.send("DOM.getDocument")["root"]["nodeId"]
    node = page.send("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
    page.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])


def text(page: Any, name: str) -> str:
    return str(page.run(f"document.getElementById({name!r}).textContent"))


def compress(page: Any, root: Path, *names: str, model: str = "dense/fashion") -> None:
    put(page, "model", model)
    choose(page, "#pick-files", *(root / name for name in names))
    until(page, f"document.querySelectorAll('#files li').length === {len(names)}")
    click(page, "#run-compress")
    until(page, f"document.querySelectorAll('#compress-table tbody tr').length === {len(names)}")


# --- start --------------------------------------------------------------------------------------------------------


def test_the_page_is_usable_at_once_in_little_memory(running: Running, page: Any) -> None:
    assert page.run("document.querySelectorAll('#model option').length") > 2
    assert running.computed_s() < MOST_START_S
    assert running.memory_kb() < MOST_IDLE_KB


# --- compress -----------------------------------------------------------------------------------------------------


def test_pictures_are_compressed_shown_beside_the_originals_and_saved(running: Running, page: Any) -> None:
    put(page, "model", "dense/fashion")
    choose(page, "#pick-files", running.root / "small" / "00.png")
    until(page, "document.getElementById('live').textContent.includes('bytes')")
    first = text(page, "live")
    put(page, "quality", "80", "input")
    until(page, "document.getElementById('live').textContent.includes('bytes')")
    assert first == text(page, "live")  # this model has no qualities
    assert text(page, "quality-shown") == "80"
    click(page, "#run-compress")
    until(page, "document.querySelector('#compress-table tbody tr')")
    page.settle()
    numbers = page.run("[...document.querySelectorAll('#compress-table tbody td')].map((cell) => cell.innerText)")
    assert (numbers[0], float(numbers[3]) > 1, float(numbers[4]) > 5) == ("00.png", True, True)
    assert page.run("[...document.querySelectorAll('#stage img')].every((image) => image.naturalWidth === 28)")
    before = page.run("document.getElementById('divider').style.left")
    put(page, "split", "20", "input")
    assert page.run("document.getElementById('divider').style.left") != before
    put(page, "output", "out")
    click(page, "#save")
    until(page, "document.getElementById('saved').textContent")
    assert (running.root / "out" / "00.nnc").stat().st_size > 0


def test_a_hostile_file_has_a_line_and_the_others_are_compressed(running: Running, page: Any) -> None:
    compress(page, running.root, "hostile.png", "small/01.png")
    rows = page.run("[...document.querySelectorAll('#compress-table tbody tr')].map((row) => row.innerText)")
    assert "damaged" in rows[0]
    assert "\n" not in rows[0]
    assert "01.png" in rows[1]
    assert page.run("Boolean(document.getElementById('viewer'))")


def test_a_comparison_is_shown_as_tables_and_plots(running: Running, page: Any) -> None:
    click(page, "#compare")
    page.run("document.querySelectorAll('#codecs input').forEach((box) => { box.checked = box.value === 'jpeg'; })")
    compress(page, running.root, "small/00.png", "small/01.png")
    until(page, "document.querySelectorAll('#comparison figure img').length === 3")
    page.settle()
    assert "JPEG" in text(page, "comparison")
    assert page.run("[...document.querySelectorAll('#comparison img')].every((image) => image.naturalWidth > 500)")


def test_an_nnc_file_is_opened_with_its_facts(running: Running, page: Any, tmp_path: Path) -> None:
    import nncodec

    (tmp_path / "a.nnc").write_bytes(nncodec.encode(running.root / "small" / "00.png", "dense/fashion"))
    choose(page, "#pick-files", tmp_path / "a.nnc")
    until(page, "document.getElementById('viewer')")
    page.settle()
    assert "dense/fashion" in text(page, "facts")
    assert "all match" in text(page, "facts")


def test_two_tabs_work_at_once(running: Running, page: Any, tmp_path: Path) -> None:
    found = browsers.find()
    assert found is not None
    other = browsers.Chromium(found, tmp_path)
    try:
        other.open(running.address)
        until(other, READY)
        for one in (page, other):
            put(one, "model", "dense/fashion")
            choose(one, "#pick-files", running.root / "small" / "02.png")
            until(one, "document.querySelectorAll('#files li').length === 1")
        for one in (page, other):
            click(one, "#run-compress")
        for one in (page, other):
            until(one, "document.querySelectorAll('#compress-table tbody tr').length === 1")
            one.settle()
        assert other.complaints() == []
    finally:
        other.close()


# --- enhance ------------------------------------------------------------------------------------------------------


def test_a_small_picture_is_enlarged_beside_its_input(running: Running, page: Any) -> None:
    click(page, "#tab-enhance")
    choose(page, "#enhance-file", running.root / "face.png")
    until(page, "document.getElementById('enhance-name').textContent.includes('face')")
    put(page, "enhancer", "srgan/x4")
    click(page, "#enhance-form .primary")
    until(page, "document.getElementById('viewer')")
    page.settle()
    assert page.run("document.getElementById('right-image').naturalWidth") == 256
    assert "64 × 64" in text(page, "left-numbers")


# --- train --------------------------------------------------------------------------------------------------------


def test_a_training_survives_reloading_is_stopped_resumed_installed_and_tried(running: Running, page: Any) -> None:
    click(page, "#tab-train")
    for name, value in {"data": "small", "architecture": "dense", "name": "tiny", "length": "100000"}.items():
        put(page, name, value)
    put(page, "length-kind", "steps")
    click(page, "#start-training")
    until(page, "document.querySelector('#curves polyline')")
    page.open(running.address)
    until(page, f"{READY} && !document.getElementById('stop-training').hidden")
    click(page, "#tab-train")
    click(page, "#stop-training")
    until(page, "!document.getElementById('resume-training').hidden")
    assert text(page, "train-state") == "Stopped: tiny"
    assert (running.root / "tiny.run" / "checkpoint.pt").is_file()
    for name, value in {"data": "small", "architecture": "dense", "name": "small", "length": "20"}.items():
        put(page, name, value)
    put(page, "length-kind", "steps")
    click(page, "#start-training")
    until(page, "!document.getElementById('install').hidden")
    assert "step 20," in text(page, "train-numbers")
    assert page.run("document.querySelector('#samples img').src")
    click(page, "#install")
    until(page, "!document.getElementById('try').hidden")
    click(page, "#try")
    until(page, "document.getElementById('model').value === 'small'")
    compress(page, running.root, "small/03.png", model="small")
    assert text(page, "compress-error") == ""


# --- for everybody ------------------------------------------------------------------------------------------------

FOCUSABLE = (
    "[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex=\"0\"]')]"
    ".filter((one) =>"
    " !one.disabled && one.tabIndex >= 0 && one.checkVisibility() && !(one.type === 'radio' && !one.checked))"
)


@pytest.mark.parametrize("tab", ["compress", "enhance", "train"])
def test_the_keyboard_reaches_everything_and_everything_has_a_name(running: Running, page: Any, tab: str) -> None:
    click(page, f"#tab-{tab}")
    if tab == "compress":
        compress(page, running.root, "small/00.png")
        click(page, "#compare")
    page.run(
        "document.querySelectorAll('details').forEach((one) => { one.open = true; }); document.activeElement.blur()"
    )
    # What the page replaces meanwhile gets a number, too, and is reached in the next round.
    number = "one.dataset.number ??= String(window.numbered = (window.numbered ?? 0) + 1)"
    reached = set()
    for _ in range(2 * page.run(f"{FOCUSABLE}.length")):
        page.run(f"{FOCUSABLE}.forEach((one) => {{ {number}; }})")
        for kind in ("rawKeyDown", "keyUp"):
            page.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.add(page.run("document.activeElement.dataset.number"))
    there = page.run(f"{FOCUSABLE}.map((one) => one.dataset.number)")
    assert there
    assert set(there) <= reached
    named = "(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())"
    assert page.run(f"{FOCUSABLE}.filter((one) => !{named}).map((one) => one.outerHTML)") == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_is_wider_than_the_window(running: Running, page: Any, size: tuple[int, int]) -> None:
    compress(page, running.root, "small/00.png")
    page.show(*size, dark=True)
    for tab in ("compress", "enhance", "train"):
        click(page, f"#tab-{tab}")
        page.settle()
        assert page.run("document.documentElement.scrollWidth") <= size[0]
