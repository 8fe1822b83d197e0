"""Blocks and tiles of a picture in several threads: the same file and pixels, errors and progress as with one."""

from __future__ import annotations

import io
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from toys import SmoothMeans

import nncodec
from nncodec.coding.parallel import threads_for
from nncodec.errors import Corrupt, PluginError
from nncodec.plugin import current_precision


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Return a function that sets how many threads may compute, torch's included."""
    before = torch.get_num_threads()

    def allow(count: int) -> None:
        monkeypatch.setattr("nncodec._support.threads.allowed_threads", lambda: count)
        monkeypatch.setattr("nncodec.coding.parallel.allowed_threads", lambda: count)
        monkeypatch.setattr("nncodec.coding.parallel.free_processors", lambda wanted: wanted)
        torch.set_num_threads(count)

    yield allow
    torch.set_num_threads(before)


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 5000), np.uint8))


def test_threads_change_neither_file_nor_pixels_nor_progress(
    threads: Callable[[int], None], model: SmoothMeans, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesis, meet, number = model.synthesis, threading.Barrier(2, timeout=20), itertools.count()
    seen: list[tuple[int, int]] = []

    def synthesize(*arguments: object) -> object:
        if next(number) < 2:
            meet.wait()  # the first two tiles are there at the same time
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return synthesis(*arguments)

    results = []
    for count in (2, 1):
        threads(count)
        reports: list[tuple[int, int, int]] = []

        def report(done: int, total: int, reports: list[tuple[int, int, int]] = reports) -> None:
            reports.append((done, total, threading.get_ident()))

        data = nncodec.encode(picture(), "conv/photo", lossless=False, on_progress=report)
        if count == 2:
            monkeypatch.setattr(model, "synthesis", synthesize)
        decoded = nncodec.decode(data, on_progress=report)
        monkeypatch.setattr(model, "synthesis", synthesis)
        results.append((data, decoded.tobytes(), reports))
        assert torch.get_num_threads() == count
    assert results[0] == results[1]
    assert {ident for _, _, ident in results[0][2]} == {threading.get_ident()}
    assert len({ident for ident, _ in seen}) == 2
    assert {number for _, number in seen} == {1}


class _Interrupted(io.BytesIO):
    """A stream that lets other threads run between `seek` and `read`, as reading from a disk does."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place = super().seek(offset, whence)
        time.sleep(0.001)
        return place


def test_blocks_of_one_stream_are_not_mixed_up(threads: Callable[[int], None], model: SmoothMeans) -> None:
    threads(4)
    data = nncodec.encode(picture(), "conv/photo", lossless=False)
    assert nncodec.decode(_Interrupted(data)).tobytes() == nncodec.decode(data).tobytes()


def test_one_block_is_done_by_the_calling_thread(threads: Callable[[int], None]) -> None:
    threads(4)
    with threads_for([9]) as one:
        assert one.is_one
        assert list(one.map(lambda _: threading.get_ident(), [0])) == [threading.get_ident()]


@pytest.mark.parametrize(
    ("pixels", "of_torch", "count"),
    [
        ((), 2, 1),
        ([1024 * 864, 128 * 864], 2, 1),  # 1152 x 864
        ([1024 * 768, 256 * 768], 2, 1),
        ([1024**2, 896 * 1024, 1024 * 64, 896 * 64], 2, 2),  # 1920 x 1080
        ([1024**2, 896 * 1024, 1024 * 64, 896 * 64], 4, 2),
        ([7, 7], 4, 2),
        ([7] * 12, 4, 4),
        ([7] * 12, 16, 4),
        ([7] * 12, 1, 1),
        ([7, 1] * 500, 2, 2),
    ],
)
def test_threads_take_blocks_where_that_is_soonest_done(
    threads: Callable[[int], None], pixels: Sequence[int], of_torch: int, count: int
) -> None:
    threads(of_torch)
    with threads_for(pixels) as several:
        assert several.is_one == (count == 1)
        used = set(several.map(lambda _: (time.sleep(0.01), threading.get_ident())[1], range(12)))
    assert len(used) == count


def test_a_busy_machine_gives_one_block_fewer_threads(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads(4)
    for free, used in ((4, 4), (3, 3), (1, 1)):
        monkeypatch.setattr("nncodec.coding.parallel.free_processors", lambda wanted, free=free: min(wanted, free))
        with threads_for([9]) as one:
            assert one.is_one == (free == 4)
            assert list(one.map(lambda _: torch.get_num_threads(), [0])) == [used]
        with threads_for([9, 9]) as two:
            assert set(two.map(lambda _: torch.get_num_threads(), range(3))) == {max(1, free // 2)}
        assert torch.get_num_threads() == 4


def test_a_process_of_one_thread_is_never_too_many(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads(4)
    torch.set_num_threads(1)
    monkeypatch.setattr("nncodec.coding.parallel.free_processors", lambda wanted: min(wanted, 1))
    with threads_for([9]) as one:
        assert one.is_one


def test_without_torch_the_calling_thread_does_all_blocks(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads(4)
    with threads_for([9, 9, 9, 9]) as several:
        assert not several.is_one
    monkeypatch.delitem(sys.modules, "torch")
    with threads_for([9, 9, 9, 9]) as one:
        assert one.is_one


def test_other_threads_see_the_settings_of_the_caller(threads: Callable[[int], None]) -> None:
    threads(2)
    with nncodec.precision("float32"), threads_for([9, 9, 9, 9]) as two:
        assert list(two.map(lambda _: current_precision(), range(3))) == ["float32"] * 3


def test_the_first_faulty_block_is_named(
    threads: Callable[[int], None], model: SmoothMeans, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads(2)
    before = threading.active_count()
    data = bytearray(nncodec.encode(picture(), "conv/photo", lossless=False))
    data[-30] ^= 1
    with pytest.raises(Corrupt, match="block 4"):
        nncodec.decode(bytes(data))
    monkeypatch.setattr(model, "quantize", lambda *_: 1 / 0)
    with pytest.raises(PluginError, match="division by zero"):
        nncodec.encode(picture(), "conv/photo", lossless=False)
    assert threading.active_count() == before
