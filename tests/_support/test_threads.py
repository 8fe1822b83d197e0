"""Threads share the processors: a worker that itself starts threads gets its part of them."""

from __future__ import annotations

import pytest

from nncodec._support.threads import allowed_threads, in_threads


@pytest.mark.parametrize(("processors", "count", "share"), [(8, 1, 8), (8, 3, 2), (8, 100, 1), (2, 2, 1), (1, 5, 1)])
def test_workers_share_the_threads(processors: int, count: int, share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert list(in_threads(lambda item: (item, allowed_threads()), range(count), count)) == [
        (item, share) for item in range(count)
    ]
    assert allowed_threads() == processors
