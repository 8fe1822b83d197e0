"""`on_progress`: blocks done and their total, and cancelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toys
from PIL import Image

import nncodec
from nncodec.plugin import registry
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec


class Cancelled(Exception):
    """Raised by the caller."""


@pytest.fixture
def large() -> Image.Image:
    return Image.linear_gradient("L").resize((2100, 1030))  # 3 x 2 blocks


@pytest.fixture
def model(tmp_path: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patches:
        path = toys.write_toy(tmp_path / "means.safetensors", "toy/means", "blocks")
        architectures = [ArchitectureSpec("blocks", "toys:BlockMeans")]
        toys.install(patches, toys.plugin(patches, "toy", architectures, [ModelSpec("toy/means", path)]))
        yield "toy/means"
    registry.refresh()


def recorder(calls: list[tuple[int, int]]) -> Callable[[int, int], None]:
    return lambda done, total: calls.append((done, total))


def test_encoding_counts_blocks(large: Image.Image, model: str) -> None:
    calls: list[tuple[int, int]] = []
    nncodec.encode(large, model, on_progress=recorder(calls))
    assert calls == [(done, 6) for done in range(7)]


def test_decoding_counts_the_blocks_that_it_needs(large: Image.Image, model: str) -> None:
    data = nncodec.encode(large, model)
    calls: list[tuple[int, int]] = []
    nncodec.decode(data, on_progress=recorder(calls))
    assert calls == [(done, 6) for done in range(7)]
    calls.clear()
    nncodec.decode(data, box=(0, 0, 50, 50), on_progress=recorder(calls))
    assert calls == [(0, 1), (1, 1)]
    small = nncodec.encode([Image.new("L", (16, 16))] * 3, model, frames_per_block=1)
    calls.clear()
    list(nncodec.decode_frames(small, on_progress=recorder(calls)))
    assert calls[-1] == (3, 3)
    assert calls == sorted(calls)


def test_a_search_counts_up_to_its_total(large: Image.Image, model: str) -> None:
    calls: list[tuple[int, int]] = []
    nncodec.encode(large.crop((0, 0, 1100, 16)), model, target_bpp=2.0, on_progress=recorder(calls))
    assert calls == sorted(calls)
    assert calls[0] == (0, 14)
    assert calls[-1] == (14, 14)


@pytest.mark.parametrize("kind", [Cancelled, KeyboardInterrupt])
def test_an_exception_ends_the_work_and_reaches_the_caller(
    large: Image.Image, model: str, kind: type[BaseException]
) -> None:
    data = nncodec.encode(large, model)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise kind

    with pytest.raises(kind):
        nncodec.encode(large, model, on_progress=stop)
    with pytest.raises(kind):
        nncodec.decode(data, on_progress=stop)
    assert nncodec.encode(large, model) == data
