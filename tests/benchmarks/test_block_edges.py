"""The grid that codecs leave: measured on pictures whose grid is known, and on real files."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks import block_edges
from benchmarks.measuring.records import RESULTS, read_record
from benchmarks.tables.photographs import block_edges as table

ASTRONAUT = Image.fromarray(skimage.data.astronaut())


def test_the_grid_is_what_steps_across_blocks_exceed_others_by() -> None:
    original = np.random.default_rng(0).integers(100, 110, (96, 80, 3), np.uint8)
    blocks = np.kron(np.indices((6, 5)).sum(0) % 2, np.ones((16, 16)))[..., None].astype(np.uint8)
    assert block_edges.grid(original, original) == 1
    assert block_edges.grid(original + 100 * blocks, original) > 20
    assert block_edges.grid(original + np.roll(100 * blocks, 4, axis=(0, 1)), original) < 1


def test_small_files_of_jpeg_have_a_grid_and_those_of_the_photo_model_hide_theirs() -> None:
    codecs, crop = ("hyperprior/photo", "jpeg"), ASTRONAUT.crop((160, 40, 288, 168))
    small, large = (block_edges.measure(codecs, rate_bpp, [crop]) for rate_bpp in (0.25, 2))
    assert all(small[codec]["bpp"] < large[codec]["bpp"] for codec in codecs)
    assert small["jpeg"]["grid"] > large["jpeg"]["grid"] > 0.9
    assert all(0.9 < figures["hyperprior/photo"]["grid"] < 1.15 for figures in (small, large))


def test_the_table_says_what_the_record_says() -> None:
    record = read_record(RESULTS / "block_edges.json")
    text = table(record).to_markdown()
    for figures in record["rates"].values():
        assert f"{figures['hyperprior/photo']['grid']:.2f}" in text
        # Every codec was compared at about the same rate; the least that JPEG can is more than the lowest rate.
        assert figures["hyperprior/photo"]["bpp"] == pytest.approx(figures["avif"]["bpp"], rel=0.1)
