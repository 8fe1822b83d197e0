"""Write the tables of README.md and docs/ from the stored results, or check that they say what the results say.

    python benchmarks/tables.py            # rewrite
    python benchmarks/tables.py --check    # exit 1 if a page differs

A table stands between `<!-- table NAME -->` and `<!-- end -->`; NAME is a function below.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", "docs/adr/0002-latent-layout.md")
_MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.S)


def bd_rates() -> str:
    """BD-rate of conv/photo against Pillow's codecs on both sets."""
    sets = {"Kodak (24 pictures)": "conv_photo_kodak", "scikit-image's photographs (5)": "conv_photo_skimage"}
    names = ["JPEG", "WEBP", "AVIF"]
    rows = []
    for title, stem in sets.items():
        rates = _results(stem)["bd_rate_percent_against"]
        rows.append([title, *(f"{rates[name]:+.1f}%" for name in names)])
    return _table(["bytes at equal PSNR, against", "JPEG", "WebP", "AVIF"], rows)


def kodak_curve() -> str:
    """Rate and PSNR of conv/photo at each quality on Kodak."""
    points = _results("conv_photo_kodak")["curves"]["conv/photo"]
    rows = [
        ["bits per pixel", *(f"{p['bpp']:.3f}" for p in points)],
        ["PSNR, dB", *(f"{p['psnr_db']:.2f}" for p in points)],
    ]
    return _table(["quality", *(str(p["quality"]) for p in points)], rows)


def small_pictures() -> str:
    """Bytes and error of the small models on their test sets."""
    rows = []
    for model, result in _results("small_pictures")["results"].items():
        webp = result["peers"]["WebP quality 0"]
        stacked = result["stacked"]["bytes_a_picture"]
        cells = [f"{result['bytes_a_file']['mean']:.0f}", f"{stacked:.1f}", f"{result['mse']:.4f}"]
        rows.append([f"`{model}`", *cells, f"{webp['bytes_a_file']:.0f} at {webp['mse']:.4f}"])
    head = [
        "10,000 test pictures",
        "bytes a file",
        "bytes in one stacked file",
        "mean squared error",
        "WebP, quality 0",
    ]
    return _table(head, rows)


def startup() -> str:
    """Waiting times from a cold start."""
    seconds = _results("startup")["seconds"]
    return _table(["", "milliseconds"], [[name, f"{1000 * value:.2f}"] for name, value in seconds.items()])


def large_pictures() -> str:
    """Speed and memory by size."""
    rows = [
        [
            f"{row['megapixels']:.2f}",
            f"{row['encode_mp_per_s']:.2f}",
            f"{row['decode_mp_per_s']:.2f}",
            f"{row['avif_encode_mp_per_s']:.2f}",
            f"{row['avif_decode_mp_per_s']:.1f}",
            f"{row['peak_encoding_and_decoding_mib']}",
        ]
        for row in _results("large_pictures")["rows"]
    ]
    head = ["megapixels", "encode, MP/s", "decode, MP/s", "AVIF encode, MP/s", "AVIF decode, MP/s", "peak memory, MiB"]
    return _table(head, rows)


def latent_layout() -> str:
    """Size of every layout as a multiple of the ideal."""
    by_quality = _results("latent_layout")["by_quality"]
    layouts = [name for name in next(iter(by_quality.values())) if name != "ideal"]
    rows = [[name, *(f"{sizes[name] / sizes['ideal']:.3f}" for sizes in by_quality.values())] for name in layouts]
    rows.append(["ideal, bytes", *(f"{sizes['ideal']:,}" for sizes in by_quality.values())])
    return _table(["layout", *(f"quality {quality}" for quality in by_quality)], rows)


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table for table in (bd_rates, kodak_curve, small_pictures, startup, large_pictures, latent_layout)
}


def filled(text: str) -> str:
    """Return a page with every marked table made anew."""
    return _MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + match[3], text)


def main() -> None:
    """Rewrite or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = []
    for page in PAGES:
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            stale.append(page)
            if not options.check:
                path.write_text(filled(text), encoding="utf-8")
    if options.check and stale:
        sys.exit(f"{', '.join(stale)} differ from benchmarks/results; run python benchmarks/tables.py")


def _results(stem: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((RESULTS / f"{stem}.json").read_text(encoding="utf-8"))
    return results


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


if __name__ == "__main__":
    main()
