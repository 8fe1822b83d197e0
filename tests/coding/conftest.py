"""A model that stands for any other."""

from __future__ import annotations

import pytest
from toys import SmoothMeans

from nncodec.plugin import registry


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SmoothMeans:
    """Return a model that is opened in place of any other."""
    opened = SmoothMeans()
    monkeypatch.setattr(registry, "open_model", lambda _: opened)
    monkeypatch.setattr(registry, "open_decoder", lambda *_: opened)
    return opened
