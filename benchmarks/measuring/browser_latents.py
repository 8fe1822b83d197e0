"""What a browser decodes from files, as `measuring.latents` says it of this machine."""

from __future__ import annotations

import base64
import importlib
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.records import ROOT
from nncodec.web.viewer.folder import viewer_files

# The tests' way to drive a browser.
sys.path.append(str(ROOT / "tests"))
_chromium: Any = importlib.import_module("chromium")


def find() -> str | None:
    """Return the path of Chromium, or None where it is not installed."""
    path: str | None = _chromium.find()
    return path


def decoded(folder: Path) -> dict[str, list[Any]]:
    """Return, for each NAME.nnc, the hash of its latents and by how many levels it is from NAME.npy at most.

    Args:
        folder: holds the files, coded pictures of one frame.
    """
    results: dict[str, list[Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        site = Path(name) / "site"
        for target, data in viewer_files().items():
            (site / target).parent.mkdir(parents=True, exist_ok=True)
            (site / target).write_bytes(data)
        (site / "files").symlink_to(folder.resolve())
        module = Path(__file__).with_suffix(".js")
        (site / module.name).write_bytes(module.read_bytes())
        with _chromium.served(site) as address, _page(Path(name) / "profile") as page:
            page.open(address)
            for path in sorted(folder.glob("*.nnc")):
                script = (
                    f"import('./{module.name}').then(({{ decoded }}) => decoded({json.dumps(f'files/{path.name}')}))"
                )
                checksums, pixels = page.run(script)
                expected = np.load(path.with_suffix(".npy")).astype(int)
                found = np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(*expected.shape[:2], 4)
                results[path.name] = [checksums, int(np.abs(found[..., :3] - expected).max())]
    return results


@contextmanager
def _page(profile: Path) -> Iterator[Any]:
    browser = find()
    assert browser is not None
    page = _chromium.Chromium(browser, profile)
    yield page
    page.close()
