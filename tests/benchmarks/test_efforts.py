"""The benchmark of efforts measures real files; its table says what the record says."""

from __future__ import annotations

import skimage.data
from PIL import Image

from benchmarks import efforts
from benchmarks.tables.photographs import efforts as efforts_table


def test_efforts_are_compared_with_the_first_one() -> None:
    picture = Image.fromarray(skimage.data.astronaut()[40:104, 200:264])
    levels = efforts.measure("hyperprior/photo", (0, 3), [picture], (30, 70))
    assert list(levels) == [0, 3]
    assert all(figures["encode_seconds_per_megapixel"] > 0 for figures in levels.values())
    for metric in ("psnr_db", "ssimulacra2"):
        assert levels[0][f"bd_rate_percent_{metric}"] == 0
        # One small picture shows no gain of a few percent, so only that the levels differ by about as much.
        assert 0 < abs(levels[3][f"bd_rate_percent_{metric}"]) < 20
        for figures in levels.values():
            values = [point[metric] for point in figures["points"]]
            assert values == sorted(values)
    table = efforts_table({"levels": {str(level): figures for level, figures in levels.items()}}).to_markdown()
    assert f"{levels[3]['bd_rate_percent_ssimulacra2']:+.1f}%" in table
