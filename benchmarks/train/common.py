"""What the training scripts share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def data_folder(name: str) -> Path:
    """Return a data set's folder below $NNCODEC_DATA, or end the program with a line that says what is missing."""
    root = os.environ.get("NNCODEC_DATA")
    if not root or not (Path(root) / name).is_dir():
        sys.exit(f"set NNCODEC_DATA to a folder that holds {name}/")
    return Path(root) / name


def show(step: int, progress: float, figures: Mapping[str, float]) -> None:
    """Print one line of the log."""
    print(f"{step:6d} {progress:6.1%} " + " ".join(f"{k} {v:.5f}" for k, v in figures.items()), flush=True)
