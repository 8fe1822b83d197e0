"""Tables of system E, the enhancers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.tables.table import Record, Table, Tables

_SETS = {"set5": "Set5", "set14": "Set14"}
_ENLARGED = {
    "nearest": "nearest",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "lanczos": "Lanczos",
    "content": "`srgan/x4`, content",
    "half": "`srgan/x4`, half",
    "gan": "`srgan/x4`, GAN",
}
_RESTORED = {"photo": "plain", "restore content": "`srgan/restore`, content", "restore gan": "`srgan/restore`, GAN"}
_PLAINLY_REDUCED = "reduced, lanczos"
_REDUCED = {
    _PLAINLY_REDUCED: "reduced, Lanczos",
    "reduced, x4 content": "reduced, `srgan/x4`, content",
    "reduced, x4 gan": "reduced, `srgan/x4`, GAN",
}
_LOOKS = {"ms_ssim": ("MS-SSIM", "{:.4f}"), "ssimulacra2": ("SSIMULACRA2", "{:.1f}"), "niqe": ("NIQE", "{:.2f}")}
_PATTERN = {"alternation_db": ("alternation, dB", "{:+.1f}")}
_CODED = {"psnr_db": ("PSNR, dB", "{:.2f}"), **_LOOKS}
_FIDELITY = {"psnr_y_db": ("PSNR, dB", "{:.2f}"), "ssim_y": ("SSIM", "{:.4f}")}


def _enlarging(record: Record) -> Table:
    """PSNR and SSIM on luma of both sets, published figures below."""
    sets, published = record["sets"], record["published"]
    rows = [
        [title, *_cells((sets[name]["mean"][way] for name in _SETS), _FIDELITY)] for way, title in _ENLARGED.items()
    ]
    rows += [
        [f"published: {way}", *_cells((published[name][way] for name in _SETS), _FIDELITY)] for way in published["set5"]
    ]
    return Table(["enlarged fourfold by", *_set_titles(_FIDELITY)], rows)


def _enlarging_looks(record: Record) -> Table:
    """MS-SSIM, SSIMULACRA2, NIQE and alternation of both sets."""
    sets, figures = record["sets"], _LOOKS | _PATTERN
    rows = [[title, *_cells((sets[name]["mean"][way] for name in _SETS), figures)] for way, title in _ENLARGED.items()]
    rows.append(["originals", *_cells((sets[name]["original"] for name in _SETS), figures)])
    return Table(["", *_set_titles(figures)], rows)


def _restored(record: Record) -> Table:
    """The codec on whole pictures, with and without the enhancer of factor 1."""
    rows = []
    for row in record["restored"]["whole"]:
        first = f"{row['quality']}, {row['rate_bpp']:.3f} bpp" if row["way"] == "photo" else ""
        rows.append([first, _RESTORED[row["way"]], *_cells([row], _CODED)])
    return Table(["quality", "decoded", *(title for title, _ in _CODED.values())], rows)


def _reduced(record: Record) -> Table:
    """Pictures stored at a quarter of each edge, enlarged in three ways, below whole ones at the same rate."""
    part, rows = record["reduced"], []
    for row in part["reduced"]:
        first = ""
        if row["way"] == _PLAINLY_REDUCED:
            whole = part["whole_at_reduced_rates"][str(row["quality"])]
            rows.append([f"{row['rate_bpp']:.3f} bpp", "whole, plain", *_cells([whole or {}], _CODED)])
            first = f"quality {row['quality']}"
        rows.append([first, _REDUCED[row["way"]], *_cells([row], _CODED)])
    return Table(["", "stored and decoded", *(title for title, _ in _CODED.values())], rows)


def _time(record: Record) -> Table:
    """Time and memory of enhancing a picture."""
    rows = []
    for row in record["time"]["rows"]:
        sizes = " to ".join(" x ".join(f"{edge:,}" for edge in row[side]) for side in ("input", "output"))
        cells = [f"{row['seconds']:.3g}", f"{row['seconds_per_megapixel']:.3g}", f"{row['peak_mib']:,.0f}"]
        rows.append([f"`srgan/{row['role']}`, {sizes}", *cells])
    return Table(["", "seconds", "seconds/MP of the result", "peak of the process, MiB"], rows)


def _marks(record: Record) -> Table:
    """Targets and what was reached."""
    rows = []
    for mark in record["marks"]:
        value = mark["found"]
        rows.append([mark["what"], mark["wanted"], f"{value:+.2f}" if abs(value) >= 0.1 else f"{value:+.4f}"])
    return Table(["", "wanted", "found"], rows)


def _set_titles(figures: Mapping[str, tuple[str, str]]) -> list[str]:
    return [f"{name}: {title}" for name in _SETS.values() for title, _ in figures.values()]


def _cells(rows: Iterable[Mapping[str, Any]], figures: Mapping[str, tuple[str, str]]) -> list[str]:
    return [
        "-" if row.get(key) is None else form.format(row[key]) for row in rows for key, (_, form) in figures.items()
    ]


TABLES: Tables = {
    name: ("seeds/e_srgan", make)
    for name, make in {
        "seed_enlarging": _enlarging,
        "seed_enlarging_looks": _enlarging_looks,
        "seed_restored": _restored,
        "seed_reduced": _reduced,
        "seed_enhancing_time": _time,
        "seed_enhancing_marks": _marks,
    }.items()
}
