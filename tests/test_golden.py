"""Golden files decode to the same latents exactly and to the same pixels within one level."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from golden_files import GOLDEN, maker
from PIL import Image

import nncodec
from nncodec.testing.exactness import backends

FILES = sorted(GOLDEN.glob("v*/*.nnc"))
EXACT = [path for path in FILES if path.stem.startswith("exact-")]
CODED = [path for path in FILES if path not in EXACT]


def test_there_are_golden_files_and_all_are_indexed() -> None:
    index = json.loads((GOLDEN / "v1" / "index.json").read_text())
    assert len(FILES) >= 12
    assert {path.stem for path in FILES} == index.keys()


@pytest.mark.parametrize("path", CODED, ids=lambda path: path.stem)
def test_a_golden_file_decodes_to_its_frames(path: Path) -> None:
    frames = list(nncodec.decode_frames(path.read_bytes(), precision="float32"))
    stored = sorted(path.parent.glob(f"{path.stem}-[0-9].png"))
    assert len(frames) == len(stored)
    for frame, expected in zip(frames, stored, strict=True):
        with Image.open(expected) as image:
            assert (frame.mode, frame.size) == (image.mode, image.size)
            assert np.abs(np.asarray(frame, int) - np.asarray(image, int)).max() <= 1


@pytest.mark.parametrize("path", CODED, ids=lambda path: path.stem)
def test_a_golden_file_has_its_latents_exactly_on_every_backend(path: Path) -> None:
    digest = json.loads((path.parent / "index.json").read_text())[path.stem]["latents_sha256"]
    for name, condition in backends():
        with condition:
            assert maker().latents_digest(path.read_bytes()) == digest, name


@pytest.mark.parametrize("path", EXACT, ids=lambda path: path.stem)
def test_an_exact_golden_file_has_its_samples(path: Path) -> None:
    digests = json.loads((path.parent / "index.json").read_text())[path.stem]["samples_sha256"]
    assert maker().samples_digests(path.read_bytes()) == digests


def test_golden_files_have_their_latents_on_a_processor_without_vector_units(tmp_path: Path) -> None:
    index = json.loads((GOLDEN / "v1" / "index.json").read_text())
    wanted = ["hyper-q35", "photo-q50"]
    script = (
        "import importlib.util, pathlib, sys; maker = importlib.util.spec_from_file_location('make', sys.argv[1]); "
        "made = importlib.util.module_from_spec(maker); maker.loader.exec_module(made)\n"
        "for name in sys.argv[2:]: print(made.latents_digest((made.FOLDER / f'{name}.nnc').read_bytes()))"
    )
    settings = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    command = [sys.executable, "-c", script, str(GOLDEN / "make.py"), *wanted]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split() == [index[name]["latents_sha256"] for name in wanted]


def test_a_recommended_enhancer_does_what_it_did() -> None:
    data = (GOLDEN / "v1" / "hyper-recommending.nnc").read_bytes()
    recommended = nncodec.inspect(data).enhancer
    assert recommended is not None
    assert (recommended.name, recommended.strength) == ("srgan/restore", 0.4)
    enhanced = np.asarray(nncodec.decode(data, enhancer="recommended", precision="float32"), int)
    with Image.open(GOLDEN / "v1" / "hyper-recommending-enhanced.png") as image:
        assert np.abs(enhanced - np.asarray(image, int)).max() <= 1
    with Image.open(GOLDEN / "v1" / "hyper-recommending-0.png") as plain:
        assert np.abs(enhanced - np.asarray(plain, int)).mean() > 0.1


def test_metadata_of_the_richest_golden_file_comes_back() -> None:
    data = (GOLDEN / "v1" / "photo-everything.nnc").read_bytes()
    info = nncodec.inspect(data)
    assert info.chunks.keys() == {"exif", "icc", "xmp", "preview", "settings", "alpha"} | (
        info.chunks.keys() & {"model_name"}
    )
    image = nncodec.decode(data)
    assert image.mode == "RGBA"
    assert image.getexif()[0x0112] == 6
    assert image.info["icc_profile"] == b"not a real profile"
    assert image.info["xmp"] == b"<x:xmpmeta/>"
    assert info.settings["effort"] == 0
