"""What benchmarks compute from measurements, and the measures of pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from benchmarks.measuring import machine, memory, niqe, peers, pictures, timing
from benchmarks.measuring.alternation import alternation_db
from benchmarks.measuring.pillow_codec import PillowCodec


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


def row(codec: str, median_s: float, **changes: Any) -> dict[str, Any]:
    same = {"size": "1 MP", "threads": 2, "operation": "encode", "megapixels": 1.0}
    return {**same, "codec": codec, "median_s": median_s, **changes}


def test_ratios_compare_each_model_with_every_other_codec_on_the_same_work() -> None:
    rows = [row("ours", 2.0), row("JPEG", 0.5), row("other", 4.0), row("JPEG", 9.0, threads=1)]
    found = {(one["codec"], one["against"]): one["times_as_fast"] for one in timing.ratios(rows, ["ours", "other"])}
    assert found == {
        ("ours", "JPEG"): 0.25,
        ("ours", "other"): 2.0,
        ("other", "JPEG"): 0.125,
        ("other", "ours"): 0.5,
    }


def test_scaling_divides_by_pixels_and_takes_the_most_cores() -> None:
    rows = [
        row("ours", median_s, operation=operation, **changes)
        for operation in timing.OPERATIONS
        for median_s, changes in ((0.5, {}), (3.0, {"size": "4 MP", "megapixels": 4.0}), (99.0, {"threads": 1}))
    ]
    first, second = timing.scaling(rows, ["1 MP", "4 MP"], ["ours"])
    assert (first["operation"], second["operation"], first["threads"]) == ("encode", "decode", 2)
    assert first["seconds_per_megapixel"] == {"1 MP": 0.5, "4 MP": 0.75}
    assert first["slowest_over_fastest"] == 1.5


def test_memory_constancy_looks_at_the_chosen_sizes_only() -> None:
    rows = [
        {"size": size, "codec": "ours", "operation": operation, "less_input_output_mib": less, "peak_mib": less + 50}
        for operation in ("encode", "decode")
        for size, less in (("1 MP", 10.0), ("4 MP", 100.0), ("50 MP", 115.0))
    ]
    encoding, _ = memory.constancy(rows, ["4 MP", "50 MP"], ["ours"])
    assert encoding["variation_percent"] == 15.0
    assert encoding["largest_peak_mib"] == 165.0


def test_peers_get_the_quality_nearest_in_psnr_to_the_first_model() -> None:
    def fidelity(codec: PillowCodec) -> tuple[float, float]:
        return 1.0, {"first": 30.6, "second": 77.0}.get(codec.name, float(codec.save_options["quality"]))

    models = [PillowCodec(name, "NNC", {"quality": 50}, is_model=True) for name in ("first", "second")]
    used = peers.at_equal_psnr(models, ["jpeg", "webp"], fidelity)
    assert [one.codec.name for one in used] == ["first", "second", "JPEG", "WebP"]
    assert [one.codec.save_options["quality"] for one in used] == [50, 50, 31, 31]
    assert used[2].codec.save_options["progressive"] is True


def test_a_mosaic_has_its_size_and_nothing_in_it_repeats() -> None:
    source = np.asarray(Image.effect_noise((600, 520), 60).convert("RGB"))
    image = pictures.mosaic([source], 2.0)
    assert image.size == (1633, 1225)
    assert image.tobytes() == pictures.mosaic([source], 2.0).tobytes()
    pixels = np.asarray(image)
    cells = [pixels[y : y + 200, x : x + 600].tobytes() for y in (0, 512, 1024) for x in (0, 512, 1024)]
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize(
    ("busy", "own_s", "cores_left", "idle"),
    [
        ((0.01, 0.01), 12.0, 2, True),
        ((0.01, 0.01), 2.0, 2, False),
        ((0.01, 0.4), 12.0, 2, False),
        ((0.01, 0.01), 12.0, 1, False),
    ],
    ids=["own work", "others meanwhile", "others at the end", "a core was taken away"],
)
def test_work_of_other_programs_is_told_from_own(
    monkeypatch: pytest.MonkeyPatch, busy: tuple[float, float], own_s: float, cores_left: int, idle: bool
) -> None:
    shares, usage = iter(busy), iter([machine._Usage(0.0, 100.0, 5.0), machine._Usage(10.0, 112.0, 5.0 + own_s)])
    monkeypatch.setattr(machine, "_busy_share", lambda _: next(shares))
    monkeypatch.setattr(machine._Usage, "now", lambda: next(usage))
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine, "cores", lambda: 2)
    watch = machine.IdleWatch()
    monkeypatch.setattr(machine, "cores", lambda: cores_left)
    found = watch.finish()
    assert found["idle"] is idle
    assert found["share_of_processors_used_by_others"]["meanwhile"] == pytest.approx((12.0 - own_s) / 20)


def test_a_pattern_of_single_pixels_is_told_from_a_photograph(photograph: Image.Image) -> None:
    luma = np.asarray(photograph.convert("L"), np.float64)
    rows, columns = np.indices(luma.shape)
    plain = alternation_db(luma)
    assert -4 < plain < 0
    # Along edges only, as enlargers leave it, and in any direction.
    edges = np.hypot(*np.gradient(luma)) > 20
    for pattern in ((rows + columns) % 2, rows % 2, columns % 2):
        assert alternation_db(luma + 16 * edges * pattern) > plain + 3
    noise = np.random.default_rng(0).normal(0, 8, luma.shape)
    assert alternation_db(noise) == pytest.approx(0, abs=0.5)
    assert alternation_db(luma + noise) < 0.5
    assert alternation_db(np.full((64, 64), 7.0)) == 0
    assert alternation_db(luma[:63]) is None


def test_niqe_is_worse_for_whatever_is_done_to_a_photograph(photograph: Image.Image) -> None:
    rng = np.random.default_rng(0)
    pixels = np.asarray(photograph)
    small = photograph.resize((128, 128), Image.Resampling.BICUBIC)
    plain = niqe.niqe(photograph)
    enlarged = niqe.niqe(small.resize(photograph.size, Image.Resampling.BICUBIC))
    noisy = niqe.niqe(Image.fromarray(np.clip(pixels + rng.normal(0, 10, pixels.shape), 0, 255).astype(np.uint8)))
    blurred = [niqe.niqe(photograph.filter(ImageFilter.GaussianBlur(radius))) for radius in (1, 2)]
    assert plain < blurred[0] < blurred[1]
    assert plain + 1 < enlarged
    assert plain + 1 < noisy
    assert niqe.niqe(photograph.convert("L")) == pytest.approx(plain, abs=0.05)
    assert niqe.niqe(photograph.crop((0, 0, 191, 96))) is None  # one block
    assert niqe.niqe(Image.new("L", (200, 200), 90)) > 10  # and no warning of a division by nothing


def test_statistics_of_blocks_recover_a_known_distribution() -> None:
    rng = np.random.default_rng(1)
    blocks = np.stack([rng.normal(0, 2, (96, 96)), rng.laplace(0, 1, (96, 96))])
    shape, left, right = niqe._asymmetric_gaussian(blocks)
    assert shape == pytest.approx([2, 1], abs=0.05)  # of a normal and a Laplace distribution
    assert left == pytest.approx(right, rel=0.05)
    assert left == pytest.approx([2 * math.sqrt(2), 1], rel=0.05)  # scales, not deviations: of exp(-(x / scale)^shape)
    one = niqe.Statistics(np.zeros(2), np.eye(2))
    assert one.distance(niqe.Statistics(np.array([3.0, 4.0]), np.eye(2))) == pytest.approx(5)
    assert one.distance(niqe.Statistics(np.array([3.0, 4.0]), 7 * np.eye(2))) == pytest.approx(2.5)
