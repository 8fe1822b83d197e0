"""The pictures shown are coded at equal bytes."""

from __future__ import annotations

import io
import math

import pytest
from PIL import Image

from nncodec.compare.report import samples as module
from nncodec.compare.report.ranking import rank_pictures
from nncodec.compare.report.samples import SHOWN_BPP, Sample, choose_samples, samples_table
from nncodec.compare.results import Comparison


def test_the_worst_and_the_best_are_shown_with_every_codec(comparison: Comparison, samples: list[Sample]) -> None:
    ranking = rank_pictures(comparison)
    assert ranking is not None
    assert [(one.name, one.why) for one in samples] == ranking.ends(3)
    for one in samples:
        assert [coded.codec for coded in one.coded] == ["avif", "jpeg", "webp"]


def test_bytes_are_as_equal_as_whole_qualities_allow(comparison: Comparison, samples: list[Sample]) -> None:
    for one in samples:
        smallest = max(
            min(m.bytes for m in comparison.of_codec(codec.codec) if m.picture == one.name) for codec in one.coded
        )
        own = [m for m in comparison.of_codec("avif") if m.picture == one.name]
        wanted = min(own, key=lambda m: abs(math.log(m.bpp / SHOWN_BPP))).bytes
        for coded in one.coded:
            assert coded.bytes == pytest.approx(max(smallest, wanted), rel=0.1)


def test_numbers_are_those_of_the_file(samples: list[Sample], images: dict[str, Image.Image]) -> None:
    for one in samples:
        assert one.original.tobytes() == images[one.name].tobytes()
        jpeg = next(coded for coded in one.coded if coded.codec == "jpeg")
        buffer = io.BytesIO()
        settings = {"optimize": True, "progressive": True, "subsampling": "4:2:0"}
        one.original.save(buffer, "JPEG", quality=jpeg.quality, **settings)
        assert len(buffer.getvalue()) == jpeg.bytes
        with Image.open(buffer) as decoded:
            assert decoded.tobytes() == jpeg.decoded.tobytes()


def test_the_table_is_of_whole_pictures(comparison: Comparison, samples: list[Sample]) -> None:
    table = samples_table(comparison, samples)
    assert len(table.rows) == 15
    sizes = {one.name: one.width * one.height for one in comparison.pictures}
    for picture, _, _, size, bpp, _ in table.rows:
        assert bpp == 8 * size / sizes[picture]


def test_a_codec_that_fails_is_left_out(
    comparison: Comparison, images: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    coded = module.code_at_bytes

    def fail(codec: object, *rest: object) -> object:
        if getattr(codec, "name", "") == "webp":
            raise RuntimeError("a codec from a plugin")
        return coded(codec, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "code_at_bytes", fail)
    for one in choose_samples(comparison, images, each=1):
        assert [coded.codec for coded in one.coded] == ["avif", "jpeg"]


def test_progress_is_reported_and_may_stop_the_work(comparison: Comparison, images: dict[str, Image.Image]) -> None:
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose_samples(comparison, images, each=2, on_progress=stop)
    assert seen == [(0, 4), (1, 4)]
