"""Registering what format packages offer."""

from __future__ import annotations

import importlib.metadata
import mimetypes
from pathlib import Path

import pytest
from preloaded import Preloaded

import nncodec
from nncodec.picture import registering


def test_register_lets_pillow_open_and_save(tmp_path: Path, preloaded: Preloaded) -> None:
    script = """
import sys
import nncodec
assert "PIL.Image" in sys.modules
from PIL import Image
nncodec.register(quality=12)
nncodec.register()
image = Image.effect_noise((40, 40), 50)  # that is not stored exactly
image.save("x.nnc")
with Image.open("x.nnc") as again:
    assert (again.format, again.info["quality"]) == ("NNC", 12)
"""
    (tmp_path / "script.py").write_text(script)
    done = preloaded.run(["script.py"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(nncodec.InvalidOption, match="'qualty'"):
        nncodec.register(qualty=3)


def test_a_format_package_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = importlib.metadata.EntryPoint("other", "there_is_no_such_module:register", registering.FORMATS_GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [broken])
    with pytest.raises(nncodec.PluginError, match="the plugin 'other' failed: ModuleNotFoundError"):
        nncodec.register()


def test_the_mime_type_is_known() -> None:
    assert mimetypes.guess_type("a folder/x.NNC") == ("image/x-nnc", None)
    assert mimetypes.guess_extension("image/x-nnc") == ".nnc"
