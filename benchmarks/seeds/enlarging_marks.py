"""Targets of system E, compared with what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.seeds.restoring import row_of

CONTENT_GAIN_DB = {"set5": 1.5, "set14": 1.0}
"""Least gain of PSNR on luma over bicubic, by set."""
GAN_LOSS_DB = 2.5
"""Largest loss of PSNR on luma against the content weights."""
RESTORE_QUALITY = 10
"""The quality at which restoring must gain."""
RESTORE_GAIN_DB = 0.2

_DECIMALS = 5

Mark = dict[str, Any]


def marks(record: Mapping[str, Any]) -> list[Mark]:
    """Return the marks of the measured parts: what, the value found, the value wanted, and whether the mark is met.

    Args:
        record: with or without the parts `sets` and `restored`.
    """
    reached = []
    for name, measured in record.get("sets", {}).items():
        if isinstance(measured, dict):
            reached += _of_set(name, measured["mean"], measured["original"])
    whole = record.get("restored", {}).get("whole", [])
    if any(row["quality"] == RESTORE_QUALITY for row in whole):
        plain, content = (row_of(whole, way, RESTORE_QUALITY) for way in ("photo", "restore content"))
        where = f"restored pictures of quality {RESTORE_QUALITY}"
        reached.append(
            _at_least(f"PSNR of {where} over plain ones, dB", content["psnr_db"] - plain["psnr_db"], RESTORE_GAIN_DB)
        )
        if plain["ms_ssim"] is not None:
            reached.append(_at_least(f"MS-SSIM of {where} over plain ones", content["ms_ssim"] - plain["ms_ssim"], 0.0))
    return reached


def _of_set(name: str, mean: Mapping[str, Mapping[str, float]], original: Mapping[str, float]) -> list[Mark]:
    psnr = {way: row["psnr_y_db"] for way, row in mean.items()}
    reached = []
    if name in CONTENT_GAIN_DB:
        gain = psnr["content"] - psnr["bicubic"]
        reached.append(_at_least(f"{name}: PSNR of content weights over bicubic, dB", gain, CONTENT_GAIN_DB[name]))
    reached.append(
        _at_most(f"{name}: PSNR of content over GAN weights, dB", psnr["content"] - psnr["gan"], GAN_LOSS_DB)
    )
    lower = mean["content"]["niqe"] - mean["gan"]["niqe"]
    reached.append(_mark(f"{name}: NIQE of GAN weights below content weights'", lower, "above 0", lower > 0))
    pattern = mean["gan"]["alternation_db"] - original["alternation_db"]
    reached.append(_at_most(f"{name}: alternation of GAN weights over the originals', dB", pattern, 0.0))
    return reached


def _at_least(what: str, value: float, least: float) -> Mark:
    return _mark(what, value, f"at least {least:g}", round(value, _DECIMALS) >= least)


def _at_most(what: str, value: float, most: float) -> Mark:
    return _mark(what, value, f"at most {most:g}", round(value, _DECIMALS) <= most)


def _mark(what: str, value: float, wanted: str, met: bool) -> Mark:
    return {"what": what, "found": round(value, _DECIMALS), "wanted": wanted, "met": met}
