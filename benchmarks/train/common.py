"""What the training scripts share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

# Public repositories the photographs come from, with the licences these state.
PHOTO_SOURCES = {
    "BuddiesOfBudgie/budgie-backgrounds": "CC0 1.0",
    "Ivordir/Okolors": "Unsplash License",
    "QubesOS/qubes-artwork": "Unsplash License, NASA public domain",
    "getsolus/artwork": "public domain, CC0, CC BY, CC BY-SA, per picture",
    "hoojaoh/data-stunning": "CC BY-SA 1.0-4.0, FAL, GFDL, per picture (Wikimedia)",
    "imazen/codec-corpus": "CC BY-SA 4.0",
    "immich-app/test-assets": "public domain",
    "linuxdeepin/deepin-wallpapers": "Unsplash License",
    "marcespie/openbsd-backgrounds": "CC BY 4.0",
    "pierotofy/drone_dataset_brighton_beach": "BSD-2-Clause",
    "pop-os/wallpapers": "Unsplash License",
    "rose-pine/wallpapers": "CC BY-SA 4.0",
    "tetiana-kolmychek/oceanic-awesomewm-theme": "CC0 (Pexels)",
}


def data_folder(name: str) -> Path:
    """Return a data set's folder below $NNCODEC_DATA, or end the program with a line that says what is missing."""
    root = os.environ.get("NNCODEC_DATA")
    if not root or not (Path(root) / name).is_dir():
        sys.exit(f"set NNCODEC_DATA to a folder that holds {name}/")
    return Path(root) / name


def show(step: int, progress: float, figures: Mapping[str, float]) -> None:
    """Print one line of the log."""
    print(f"{step:6d} {progress:6.1%} " + " ".join(f"{k} {v:.5f}" for k, v in figures.items()), flush=True)
