"""Fixtures of the tests against hostile files and faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nncodec.plugin import discovery, registry


@pytest.fixture
def user_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of the user's own models."""
    folder = tmp_path / "models"
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(folder))
    registry.refresh()
    yield folder
    registry.refresh()
