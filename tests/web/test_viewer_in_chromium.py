"""The viewer in a real browser: it decodes and refuses what Python does, and asks no other server."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from chromium import served
from click.testing import CliRunner
from forged import header
from golden_files import GOLDEN
from PIL import Image
from tiny_hyperprior import tiny_file, tiny_network

import nncodec
from nncodec.cli import main
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.format.container import Container, write
from nncodec.format.entropy.zstd import compress
from nncodec.format.header import ChunkType
from nncodec.limits import DEFAULT_LIMITS
from nncodec.plugin import registry
from nncodec.plugin.model_file import write_model

pytestmark = pytest.mark.slow

VECTORS = json.loads((GOLDEN / "conformance.json").read_text())
EXACT = sorted(name for name, entry in VECTORS["valid"].items() if entry["samples"])
CODED = sorted(name for name, entry in VECTORS["valid"].items() if not entry["samples"])
ELEMENT_PAGE = '<!doctype html><link rel="icon" href="icon.svg"><script type="module" src="nnc/element.js"></script>'


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a viewer; golden files lie in `golden/`, what the tests call in `probe.js`."""
    folder = tmp_path_factory.mktemp("site")
    make_viewer(folder)
    (folder / "golden").symlink_to(GOLDEN / "v1")
    (folder / "element.html").write_text(ELEMENT_PAGE)
    return folder


def make_viewer(folder: Path, *options: str) -> None:
    done = CliRunner().invoke(main, ["viewer", str(folder), *options])
    assert done.exit_code == 0, done.output
    (folder / "probe.js").write_bytes(Path(__file__).with_name("viewer_probe.js").read_bytes())


@pytest.fixture(scope="module")
def site(site_folder: Path) -> Iterator[str]:
    """The address of the viewer."""
    with served(site_folder) as address:
        yield address


@pytest.fixture(scope="module")
def probe(chromium: Any, site: str) -> Any:
    """Return what calls a function of `probe.js` in the page."""
    chromium.show(1280, 900)
    chromium.open(site)
    chromium.run("import('./probe.js').then((found) => { window.probe = found; })")

    def call(name: str, *arguments: Any) -> Any:
        return chromium.run(f"probe.{name}(...{json.dumps(arguments)})")

    return call


# --- the same pictures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CODED)
def test_a_golden_file_decodes_to_the_same_latents_and_to_pixels_within_one_level(probe: Any, name: str) -> None:
    assert probe("latents", f"golden/{name}.nnc") == VECTORS["valid"][name]["latents_sha256"]
    for number in range(VECTORS["valid"][name]["frames"]):
        with Image.open(GOLDEN / "v1" / f"{name}-{number}.png") as image:
            expected = np.asarray(image.convert("RGBA"), int)
        found = np.frombuffer(bytes.fromhex(probe("pixels", f"golden/{name}.nnc", number)), np.uint8)
        assert np.abs(found.reshape(expected.shape) - expected).max() <= 1


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_golden_file_decodes_to_the_same_samples(probe: Any, name: str) -> None:
    assert probe("samples", f"golden/{name}.nnc") == VECTORS["valid"][name]["samples_sha256"]


@pytest.mark.parametrize(
    "name",
    ["photo-everything", "photo-frames", "fashion-stack", "hyper-recommending", "exact-near-alpha", "exact-palette"],
)
def test_the_viewer_says_what_info_says(probe: Any, name: str) -> None:
    lines = CliRunner().invoke(main, ["info", str(GOLDEN / "v1" / f"{name}.nnc")]).stdout.splitlines()[1:]
    expected = {line[2:11].strip(): line[11:] for line in lines}
    expected["model"] = expected["model"].replace("installed", "in this viewer")
    found = dict(probe("facts", f"golden/{name}.nnc"))
    assert found.pop("enhancer", "").partition(";")[0] in expected.pop("enhancer", "")
    assert found == expected


def test_nothing_was_asked_of_another_server(chromium: Any, probe: Any, site: str) -> None:
    probe("facts", "golden/hyper-q35.nnc")
    assert [address for address in chromium.requests() if not address.startswith(site)] == []
    assert chromium.complaints() == []


@pytest.mark.parametrize("gain", [1.0, 40.0])
def test_a_model_of_ones_own_decodes_to_the_same_latents(
    chromium: Any, probe: Any, site: str, site_folder: Path, monkeypatch: pytest.MonkeyPatch, gain: float
) -> None:
    made = tiny_file(tiny_network(gain))
    models = site_folder / f"mine-{gain}"
    models.mkdir()
    path, parts = models / "small.safetensors", (made.architecture, made.config, made.tensors)
    write_model(path, architecture=parts[0], config=parts[1], name="mine/small", card={}, tensors=parts[2])
    monkeypatch.setenv("NNCODEC_MODELS", str(models))
    monkeypatch.setenv("NNCODEC_ENGINE", "numpy")
    registry.refresh()
    image = Image.fromarray(skimage.data.astronaut()[40:90, 190:260])
    try:
        make_viewer(models / "site", "-m", "mine/small")
        for quality in (20, 77):
            data = nncodec.encode(image, "mine/small", quality, lossless=False)
            (models / "site" / f"{quality}.nnc").write_bytes(data)
            model = open_file_model(Container(data))
            state = hashlib.sha256()
            for _, array in sorted(block_latents(Container(data), model, 0).items()):
                state.update(array.astype("<i4").tobytes())
            call = f"import('./{models.name}/site/probe.js').then((own) => own.%s)"
            place = f"{models.name}/site/{quality}.nnc"
            assert chromium.run(call % f"latents({place!r})") == state.hexdigest()
            found = np.frombuffer(bytes.fromhex(chromium.run(call % f"pixels({place!r}, 0)")), np.uint8)
            expected = np.asarray(nncodec.decode(data).convert("RGBA"), int)
            assert np.abs(found.reshape(expected.shape) - expected).max() <= 1
    finally:
        registry.refresh()


# --- the same errors ----------------------------------------------------------------------------------------------


def test_invalid_files_are_refused_with_the_errors_of_python(probe: Any) -> None:
    found = probe("refusals", [entry["file"] for entry in VECTORS["invalid"]])
    assert [error and error[0] for error in found] == [entry["exception"] for entry in VECTORS["invalid"]]
    assert found[0][1] == str(nncodec.errors.NotNnc())


def test_the_limits_are_those_of_python(probe: Any) -> None:
    limits = probe("limits")
    assert {name: getattr(DEFAULT_LIMITS, name) for name in limits} == limits
    # Each chunk's own limit is that of all chunks, or stands there.
    own = {name: value for name, value in dataclasses.asdict(DEFAULT_LIMITS).items() if name not in limits}
    assert set(own.values()) == {limits["chunk_bytes"]}


def forged_photos() -> dict[str, bytes]:
    """Return files with right checksums that do not decode, by what is wrong."""
    container = Container((GOLDEN / "v1" / "hyper-q35.nnc").read_bytes())
    own = {key: getattr(container.header, key) for key in ("coder", "quality", "model_id", "width", "height")}
    block, many = container.block(0), {"width": 4096, "height": 4096}
    sorted_layout = Container((GOLDEN / "v1" / "photo-q50.nnc").read_bytes())
    other = {key: getattr(sorted_layout.header, key) for key in own}
    return {
        "too few symbols": write(header(**own), {}, [block[:-40] + b"\1"]),
        "too many symbols": write(header(**own), {}, [bytes(8) + block]),
        "no range coding": write(header(**own), {}, [b"\0"]),
        "other latents": write(header(**own), {ChunkType.LATENT_CHECKSUMS: bytes(4)}, [block]),
        "unknown model": write(header(**own | {"model_id": b"\1\2\3\4"}), {}, [block]),
        "no quality": write(header(**own | {"quality": None}), {}, [block]),
        "a block that is too large": write(header(**own | many), {}, [block]),
        "another coder": write(header(**own | {"coder": sorted_layout.header.coder}), {}, [block]),
        "an unknown size": write(header(**other), {}, [sorted_layout.block(0)[:4] + b"\0" + bytes(20)]),
        "alpha of another size": write(header(**own), {ChunkType.ALPHA: compress(b"\1\2\3")}, [block]),
        "too large a picture": write(header(**own, display_size=(1 << 21, 1)), {}, [block]),
    }


def test_forged_files_are_refused_with_the_errors_of_python(probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCODEC_ENGINE", "numpy")
    files = forged_photos()
    found = dict(zip(files, probe("decodingErrors", [data.hex() for data in files.values()]), strict=True))
    expected = {}
    for what, data in files.items():
        with pytest.raises(nncodec.NncError) as refused:
            nncodec.decode(data)
        expected[what] = type(refused.value).__name__
    assert {what: error and error[0] for what, error in found.items()} == expected
    assert found["no range coding"][1] == str(nncodec.errors.Corrupt(detail="a block is not range-coded"))


def mutated_files(count: int) -> list[bytes]:
    """Return golden files with bytes of a block or chunk changed, and right checksums."""
    rng, files = random.Random(2), []
    paths = [GOLDEN / "v1" / f"{name}.nnc" for name in CODED + EXACT if "blocks" not in name and "planes" not in name]
    for _ in range(count):
        container = Container(rng.choice(paths).read_bytes())
        chunks = {entry.type: bytearray(container.chunk(entry.type) or b"") for entry in container.chunk_table}
        blocks = [bytearray(container.block(index)) for index in range(container.block_count)]
        changed = rng.choice([*blocks, *chunks.values()])
        place = rng.randrange(len(changed))
        changed[place : place + rng.randrange(2)] = rng.randbytes(rng.randrange(3))
        files.append(write(container.header, {kind: bytes(data) for kind, data in chunks.items()}, blocks))
    return files


def test_mutated_files_are_refused_with_the_errors_of_python(probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCODEC_ENGINE", "numpy")
    files = mutated_files(60)
    expected: list[str | None] = []
    for data in files:
        try:
            nncodec.decode(data)
            expected.append(None)
        except nncodec.NncError as error:
            expected.append(type(error).__name__)
    found = probe("decodingErrors", [data.hex() for data in files])
    # Zstandard's library does not look whether a Huffman stream has bits left.
    known = [n for n, error in enumerate(found) if error is None or "do not fill their stream" not in error[1]]
    assert [found[n] and found[n][0] for n in known] == [expected[n] for n in known]
    assert len(known) > 50
    assert {None, "Corrupt"} <= set(expected)


# --- Zstandard ----------------------------------------------------------------------------------------------------


def test_frames_of_zstandard_are_decompressed(probe: Any) -> None:
    rng = np.random.default_rng(7)
    contents = [
        b"",
        b"a",
        b"abc" * 1000,
        rng.bytes(3000),
        (GOLDEN.parents[1] / "docs" / "format.md").read_bytes(),
        np.minimum(rng.geometric(0.3, 20_000), 255).astype(np.uint8).tobytes(),
        np.cumsum(rng.normal(0, 2, 10_000)).astype(np.int16).tobytes(),
        b"".join(random.Random(5).choices([b"hello ", b"world ", b"\0\1"], k=3000)),
        rng.integers(0, 2, 300).astype(np.uint8).tobytes(),
    ]
    frames = [(compress(content).hex(), len(content)) for content in contents]
    assert [bytes.fromhex(found) for found in probe("decompressed", frames)] == contents


def test_damaged_frames_of_zstandard_are_refused_or_read_but_never_anything_else(probe: Any) -> None:
    content = b"".join(random.Random(6).choices([b"hello ", b"world ", b"\0\1"], k=300))
    found = probe("damagedFrames", compress(content).hex(), len(content), [1, 0x10, 0xFF])
    assert {error and error[0] for error in found} == {None, "Corrupt"}


# --- the page and the element -------------------------------------------------------------------------------------


def until(page: Any, condition: str) -> None:
    end = time.monotonic() + 60
    while not page.run(f"Boolean({condition})"):
        assert time.monotonic() < end, f"{condition}: {page.run('document.body.innerText')}"
        time.sleep(0.02)


def choose(page: Any, path: Path) -> None:
    document = page.send("DOM.getDocument")["root"]["nodeId"]
    node = page.send("DOM.querySelector", nodeId=document, selector="#pick")["nodeId"]
    page.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def test_the_page_shows_the_file_that_its_address_names(chromium: Any, site: str) -> None:
    chromium.open(f"{site}?src=golden/photo-everything.nnc")
    until(chromium, "document.getElementById('picture').complete && document.querySelector('#facts dt')")
    terms = chromium.run("[...document.querySelectorAll('#facts > *')].map((one) => one.textContent)")
    assert dict(zip(terms[::2], terms[1::2], strict=True))["size"] == "80 x 80 pixels, RGBA"
    assert chromium.run("document.getElementById('frames').hidden") is True
    assert chromium.complaints() == []


def test_a_file_is_picked_its_frames_are_chosen_and_a_bad_one_that_is_dropped_says_why(
    chromium: Any, site: str
) -> None:
    chromium.open(site)
    until(chromium, "document.documentElement.dataset.ready")
    choose(chromium, GOLDEN / "v1" / "photo-frames.nnc")
    until(chromium, "document.getElementById('picture').complete")
    size = "(() => { const { canvas } = document.getElementById('picture'); return [canvas.width, canvas.height]; })()"
    assert chromium.run(size) == [96, 72]
    content = "document.getElementById('picture').canvas.toDataURL()"
    first = chromium.run(content)
    chromium.run(
        "(() => { const field = document.getElementById('frame'); field.value = 1;"
        " field.dispatchEvent(new Event('input')); })()"
    )
    until(chromium, "document.getElementById('frame-shown').textContent === '2 of 2'")
    until(chromium, "document.getElementById('picture').complete")
    assert chromium.run(content) != first
    click = "document.getElementById('play').click()"
    chromium.run(click)
    until(chromium, "document.getElementById('frame-shown').textContent === '1 of 2'")
    chromium.run(click)
    assert chromium.run("document.getElementById('play').textContent") == "Play"
    chromium.run(
        """(async () => {
          const whole = await (await fetch("golden/photo-frames.nnc")).arrayBuffer(), dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([whole.slice(0, -9)], "bad.nnc"));
          document.getElementById("drop").dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer }));
        })()"""
    )
    until(chromium, "document.getElementById('error').textContent")
    part = nncodec.errors.Truncated(part="blocks")
    assert chromium.run("document.getElementById('error').textContent") == f"Truncated: {part}"
    assert chromium.run("document.getElementById('picture').hidden") is True
    assert chromium.complaints() == []


def test_the_preview_of_a_file_without_its_model_is_shown(chromium: Any, site: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).resize((24, 20)).save(buffer, "WEBP")
    (tmp_path / "unknown.nnc").write_bytes(write(header(), {ChunkType.PREVIEW: buffer.getvalue()}, [b"block"]))
    chromium.open(site)
    until(chromium, "document.documentElement.dataset.ready")
    choose(chromium, tmp_path / "unknown.nnc")
    until(chromium, "document.querySelector('#preview img').naturalWidth === 24")
    assert chromium.run("document.getElementById('error').textContent").startswith("UnknownModel: no installed model")
    assert chromium.complaints() == []


def test_other_pages_show_files_with_the_element(chromium: Any, site: str) -> None:
    chromium.open(f"{site}element.html")
    result = chromium.run("""new Promise((done) => {
      const picture = document.createElement("nnc-image");
      const { canvas } = picture;
      picture.addEventListener("load", () => done([picture.complete, canvas.width, canvas.getAttribute("aria-label")]));
      picture.addEventListener("error", ({ detail }) => done([detail.message]));
      Object.assign(picture, { id: "one" }).setAttribute("alt", "A face");
      picture.setAttribute("src", "golden/hyper-q0.nnc");
      document.body.append(picture);
    })""")
    assert result == [True, 96, "A face"]
    failed = chromium.run("""new Promise((done) => {
      const picture = document.getElementById("one");
      picture.addEventListener("error", ({ detail }) => done([detail.name, picture.shadowRoot.textContent]));
      picture.setAttribute("src", "element.html");
    })""")
    assert failed == ["NotNnc", "A face"]
    assert chromium.complaints() == []
