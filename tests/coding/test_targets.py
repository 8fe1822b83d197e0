"""A file keeps to the size, rate or fidelity that was asked for, and no other quality would have done better."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import nncodec
from nncodec.coding import targets
from nncodec.coding.encoder import Encoder
from nncodec.picture.pixels import Frames

pytestmark = pytest.mark.usefixtures("codecs_only")

MODEL = "conv/photo"


def photo(mode: str = "RGB", left: int = 180) -> Image.Image:
    image = Image.fromarray(skimage.data.astronaut()).crop((left, 80, left + 64, 112))
    colour = image.convert(mode.removesuffix("A"))
    if mode.endswith("A"):
        colour.putalpha(image.convert("L").rotate(180))
    return colour


def quality_of(data: bytes) -> int:
    quality = nncodec.inspect(data).quality
    assert quality is not None
    return quality


def psnr_db(data: bytes, originals: list[Image.Image]) -> float:
    errors = []
    for found, original in zip(nncodec.decode_frames(data), originals, strict=True):
        planes = [np.asarray(image.convert(image.mode.removesuffix("A")), float) for image in (found, original)]
        errors.append(float(np.square(planes[0] - planes[1]).mean()))
    return 10 * math.log10(255**2 / (sum(errors) / len(errors)))


# --- real files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_a_file_of_a_size_is_the_best_within_it(mode: str) -> None:
    sizes = [len(nncodec.encode(photo(mode), MODEL, quality)) for quality in range(0, 101, 20)]
    for bound in (sizes[0], sizes[1] - 1, sizes[2], sizes[-1], 10 * sizes[-1]):
        data = nncodec.encode(photo(mode), MODEL, target_size=bound)
        assert len(data) <= bound
        quality = quality_of(data)
        assert data == nncodec.encode(photo(mode), MODEL, quality)
        assert quality == 100 or len(nncodec.encode(photo(mode), MODEL, quality + 1)) > bound


def test_a_rate_counts_all_bytes_and_all_pixels() -> None:
    pictures = [photo(left=left) for left in (180, 100)]
    data = nncodec.encode(pictures, MODEL, target_bpp=2.0, xmp=b"x" * 100)
    pixels = 2 * 64 * 32
    assert len(data) <= 2.0 * pixels / 8
    assert data == nncodec.encode(pictures, MODEL, target_size=2 * pixels // 8, xmp=b"x" * 100)


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"downscale": 2}], ids=str)
def test_a_file_of_a_fidelity_is_the_smallest_that_has_it(mode: str, options: dict[str, Any]) -> None:
    bound = psnr_db(nncodec.encode(photo(mode), MODEL, 40, **options), [photo(mode)]) - 0.01
    data = nncodec.encode(photo(mode), MODEL, target_psnr=bound, **options)
    quality = quality_of(data)
    assert psnr_db(data, [photo(mode)]) >= bound
    assert 0 < quality <= 40
    assert psnr_db(nncodec.encode(photo(mode), MODEL, quality - 1, **options), [photo(mode)]) < bound


def test_the_fidelity_of_frames_is_that_of_all_their_samples_together() -> None:
    pictures = [photo(), Image.new("RGB", (64, 32), (90, 120, 60))]
    data = nncodec.encode(pictures, MODEL, target_psnr=35)
    assert psnr_db(data, pictures) >= 35
    assert psnr_db(data, pictures) - psnr_db(nncodec.encode(pictures[0], MODEL, quality_of(data)), pictures[:1]) > 1
    assert psnr_db(nncodec.encode(pictures, MODEL, quality_of(data) - 1), pictures) < 35


def test_a_search_builds_one_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    build = Encoder.__init__

    def count(self: Encoder, model: str, quality: int, options: Any) -> None:
        built.append(quality)
        build(self, model, quality, options)

    monkeypatch.setattr(Encoder, "__init__", count)
    assert quality_of(nncodec.encode(photo(), MODEL, target_size=400)) > 0
    assert len(built) == 1


def test_every_picture_of_a_batch_has_a_quality_of_its_own() -> None:
    pictures = [photo(), Image.new("RGB", (64, 32), (90, 120, 60)), photo(left=100)]
    files = nncodec.encode_batch(pictures, MODEL, target_size=400)
    assert files == [nncodec.encode(picture, MODEL, target_size=400) for picture in pictures]
    assert len({quality_of(data) for data in files}) > 1


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"target_size": 20}, r"no quality gives 20 bytes or less; the smallest file has \d+$"),
        ({"target_bpp": 0.01}, r"no quality gives 0.01 bits per pixel or less; the smallest file has \d.\d+$"),
        ({"target_psnr": 90}, r"no quality reaches 90 dB; the best picture has \d\d.\d+ dB; 'max_error' goes further$"),
    ],
)
def test_what_no_quality_meets_is_refused_with_what_comes_nearest(target: dict[str, Any], says: str) -> None:
    with pytest.raises(nncodec.InvalidOption, match=says) as caught:
        nncodec.encode(photo(), MODEL, **target)
    tried = (0, 2, 5, 11, 24, 50) if "target_psnr" not in target else (100, 99, 97, 94, 88, 75, 50)
    files = [nncodec.encode(photo(), MODEL, quality) for quality in tried]
    smallest = min(map(len, files))  # not always that of quality 0
    nearest = {
        "target_size": smallest,
        "target_bpp": 8 * smallest / (64 * 32),
        "target_psnr": max(psnr_db(data, [photo()]) for data in files),
    }[caught.value.option]
    assert caught.value.reached == pytest.approx(nearest)


# --- any behaviour of size and fidelity ---------------------------------------------------------------------------


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """What files of the qualities are like, to be filled in; 0 to 100 bytes unless a test says otherwise."""
    chosen = list(range(101))

    def write(plan: Encoder, frames: Frames, info: object) -> bytes:
        assert plan.quality is not None
        seen.append(plan.quality)
        return bytes([plan.quality]) + bytes(chosen[plan.quality])

    seen: list[int] = []
    prepare = Encoder.prepare
    monkeypatch.setattr(Encoder, "write", write)
    monkeypatch.setattr(Encoder, "prepare", lambda plan, images: seen.append(-1) or prepare(plan, images))
    yield chosen
    assert seen.count(-1) == 1, "the pictures are taken apart once"
    assert len(seen) - 1 <= 7
    assert len(set(seen)) == len(seen), "no quality is tried twice"


@pytest.mark.parametrize("best", [*range(0, 101, 9), 100])
def test_any_quality_is_found_in_seven_rounds(sizes: list[int], best: int) -> None:
    assert nncodec.encode(photo(), MODEL, target_size=best + 1)[0] == best


@pytest.mark.parametrize("best", [*range(0, 101, 9), 100])
def test_any_quality_is_found_by_its_fidelity(sizes: list[int], monkeypatch: pytest.MonkeyPatch, best: int) -> None:
    monkeypatch.setattr(targets, "difference", lambda data, frames: SimpleNamespace(psnr_db=20 + data[0] / 10))
    assert nncodec.encode(photo(), MODEL, target_psnr=20 + best / 10)[0] == best


@pytest.mark.parametrize("seed", range(20))
def test_dips_never_break_the_bound(sizes: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes[:] = [max(0, int(size)) for size in np.arange(101) + random.normal(0, 5, 101)]
    data = nncodec.encode(photo(), MODEL, target_size=40)
    assert len(data) <= 40
    assert 20 <= data[0] <= 60


@pytest.mark.parametrize("bound", [1, 50, 200])
def test_one_size_for_all_qualities(sizes: list[int], bound: int) -> None:
    sizes[:] = [99] * 101
    if bound >= 100:
        assert nncodec.encode(photo(), MODEL, target_size=bound)[0] == 100
    else:
        with pytest.raises(nncodec.InvalidOption, match="the smallest file has 100"):
            nncodec.encode(photo(), MODEL, target_size=bound)


# --- what cannot be asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"target_size": 100, "quality": 50}, ("target_size", "quality")),
        ({"target_psnr": 30, "quality": 0}, ("target_psnr", "quality")),
        ({"target_size": 100, "target_bpp": 1}, ("target_size", "target_bpp")),
        ({"target_bpp": 1, "target_psnr": 30}, ("target_bpp", "target_psnr")),
        ({"target_size": 0}, ("target_size", "whole number above 0")),
        ({"target_size": -5}, ("target_size", "whole number above 0")),
        ({"target_size": 100.5}, ("target_size", "whole number above 0")),
        ({"target_size": "50k"}, ("target_size", "whole number above 0")),
        ({"target_size": True}, ("target_size", "whole number above 0")),
        ({"target_bpp": 0}, ("target_bpp", "number above 0")),
        ({"target_bpp": math.nan}, ("target_bpp", "number above 0")),
        ({"target_psnr": math.inf}, ("target_psnr", "number above 0")),
        ({"target_psnr": "high"}, ("target_psnr", "number above 0")),
    ],
)
@pytest.mark.parametrize("call", [nncodec.encode, lambda image, **options: nncodec.encode_batch([image], **options)])
def test_targets_that_make_no_sense_are_named(call: Any, options: dict[str, Any], named: tuple[str, str]) -> None:
    with pytest.raises(nncodec.InvalidOption, match=f"'{named[0]}'.*{named[1]}"):
        call(photo(), **options)


def test_a_model_without_qualities_has_none_to_choose() -> None:
    with pytest.raises(nncodec.InvalidOption, match="'target_size': dense/fashion has no qualities"):
        nncodec.encode(photo("L").resize((28, 28)), "dense/fashion", target_size=100)


def test_what_cannot_be_encoded_at_all_is_refused_as_ever() -> None:
    with pytest.raises(nncodec.UnsupportedImage):
        nncodec.encode([], MODEL, target_size=100)
    with pytest.raises(nncodec.InvalidOption, match="unheard_of"):
        nncodec.encode(photo(), MODEL, target_size=100, unheard_of=1)  # type: ignore[call-arg]
    with pytest.raises(nncodec.UnknownModel):
        nncodec.encode(photo(), "no/model", target_size=100)
