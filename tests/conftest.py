"""What holds for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# The pictures of the tests are small: one thread is enough, and does not stall where the machine does other work.
# Set before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def no_models_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests apart from models that whoever runs them has installed, unless the test chooses a folder itself."""
    if "NNCODEC_MODELS" not in os.environ:
        monkeypatch.setenv("NNCODEC_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))


@pytest.fixture
def data_folder() -> Path:
    """Return the folder of data sets, or skip: it is named by NNCODEC_DATA."""
    folder = os.environ.get("NNCODEC_DATA")
    if not folder:
        pytest.skip("NNCODEC_DATA is not set")
    return Path(folder)
