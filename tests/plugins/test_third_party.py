"""A plugin from another distribution works everywhere, and a broken plugin affects no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

_BROKEN_METADATA = "Metadata-Version: 2.1\nName: nncodec-broken\nVersion: 0.1\n"


@pytest.fixture
def picture(with_plugin: Any, tmp_path: Path) -> Path:
    """A smooth colour picture of an odd size, without alpha."""
    y, x = np.mgrid[:37, :50]
    pixels = np.stack([5 * x, 6 * y, 255 - 2 * x - 2 * y], axis=2).astype(np.uint8)
    path = tmp_path / "in.png"
    Image.fromarray(pixels).save(path)
    return path


def test_the_command_line_encodes_and_decodes_with_it(with_plugin: Any, picture: Path) -> None:
    folder = picture.parent
    command = ("-m", "nncodec", "encode", "in.png", "-m", "blockmean/four", "--never-lossless", "-o", "x.nnc")
    encoded = with_plugin.run(*command, cwd=folder)
    assert encoded.returncode == 0, encoded.stderr
    decoded = with_plugin.run("-m", "nncodec", "decode", "x.nnc", "-o", "out.png", cwd=folder)
    assert decoded.returncode == 0, decoded.stderr
    with Image.open(picture) as original, Image.open(folder / "out.png") as restored:
        before, after = np.asarray(original, np.int16), np.asarray(restored, np.int16)
    assert after.shape == before.shape
    assert np.abs(after - before).mean() < 8
    assert (folder / "x.nnc").stat().st_size < 400


def test_the_command_line_lists_it(with_plugin: Any) -> None:
    done = with_plugin.run("-m", "nncodec", "plugins", "--json")
    assert done.returncode == 0, done.stderr
    listed = {plugin["name"]: plugin for plugin in json.loads(done.stdout)}
    assert listed["blockmean"]["status"] == "ok"
    assert listed["blockmean"]["distribution"] == "nncodec-blockmean 1.0"
    assert listed["blockmean"]["models"] == ["blockmean/four"]
    assert listed["dense"]["status"] == "ok"


def test_pillow_opens_and_saves_with_it(with_plugin: Any, picture: Path) -> None:
    script = """
import sys
from PIL import Image
import nncodec, nncodec_pillow
Image.open("in.png").save("y.nnc", model="blockmean/four", lossless=False)
image = Image.open("y.nnc")
assert (image.format, image.size, image.mode) == ("NNC", (50, 37), "RGB"), image
image.load()
assert nncodec.inspect(open("y.nnc", "rb")).model == "blockmean/four"
assert "torch" not in sys.modules, "a codec without torch should not import it"
"""
    done = with_plugin.run("-c", script, cwd=picture.parent)
    assert done.returncode == 0, done.stderr


def test_a_file_of_a_switched_off_plugin_says_what_is_missing(with_plugin: Any, picture: Path) -> None:
    folder = picture.parent
    command = ("-m", "nncodec", "encode", "in.png", "-m", "blockmean/four", "--never-lossless", "-o", "z.nnc")
    encoded = with_plugin.run(*command, cwd=folder)
    assert encoded.returncode == 0, encoded.stderr
    decoded = with_plugin.run(
        "-m", "nncodec", "decode", "z.nnc", "-o", "z.png", cwd=folder, NNCODEC_DISABLED_PLUGINS="blockmean"
    )
    assert decoded.returncode == 1
    assert "no installed model is" in decoded.stderr
    assert "plugin 'blockmean' (disabled)" in decoded.stderr
    assert not (folder / "z.png").exists()


def test_a_plugin_that_raises_on_import_harms_nobody_and_is_reported(with_plugin: Any, picture: Path) -> None:
    folder = picture.parent
    (folder / "nncodec_broken.py").write_text('raise RuntimeError("no licence key found")\n')
    info = folder / "nncodec_broken-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(_BROKEN_METADATA)
    (info / "entry_points.txt").write_text("[nncodec]\nbroken = nncodec_broken\n")

    listed = with_plugin.run("-m", "nncodec", "plugins", cwd=folder, PYTHONPATH=str(folder))
    assert listed.returncode == 0, listed.stderr
    assert "nncodec-broken 0.1" in listed.stdout
    assert "no licence key found" in listed.stderr
    assert "Traceback" not in listed.stderr

    command = ("-m", "nncodec", "encode", "in.png", "-m", "blockmean/four", "--never-lossless", "-o", "w.nnc")
    encoded = with_plugin.run(*command, cwd=folder, PYTHONPATH=str(folder))
    assert encoded.returncode == 0, encoded.stderr
    assert (folder / "w.nnc").is_file()
