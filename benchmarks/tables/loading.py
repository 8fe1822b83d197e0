"""Tables of the speed of loading training sets."""

from __future__ import annotations

from benchmarks.tables.table import Record, Table, Tables


def loading(record: Record) -> Table:
    """Pictures per second of a loader with two workers, and what the files are, by set and codec."""
    codecs = list(record["codecs"])
    rows: dict[str, dict[str, str]] = {}
    for file in record["files"]:
        quality = "" if file["psnr_db"] is None else f", {file['psnr_db']:.1f} dB"
        rows.setdefault(f"{file['set']}: bytes, PSNR", {})[file["codec"]] = f"{file['bytes_per_picture']:,.0f}{quality}"
    for row in record["loading"]:
        if row["form"] != "stack":
            line = f"{row['set']}, {row['form']}, {row['sample']}"
            rows.setdefault(line, {})[row["codec"]] = _speed(row)
    order = [file["set"] for file in record["files"]]
    lines = sorted(rows, key=lambda line: next(n for n, name in enumerate(order) if line.startswith(name)))
    return Table(
        [_heading(record), *codecs], [[line, *(rows[line].get(codec, "-") for codec in codecs)] for line in lines]
    )


def stacks(record: Record) -> Table:
    """Random access to frames of a stack, by the number of frames in a block."""
    rows = [
        [str(row["frames_per_block"] or "as many as fit"), f"{row['bytes_per_picture']:.1f}", _speed(row)]
        for row in record["loading"]
        if row["form"] == "stack"
    ]
    return Table(["frames in a block", "bytes a picture", _heading(record)], rows)


def _speed(row: Record) -> str:
    speed = row["pictures_per_second"]
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:#.3g}".rstrip(".")


def _heading(record: Record) -> str:
    return "pictures/s" if record["idle"] else "pictures/s, on a machine that other programs used"


TABLES: Tables = {"loading": ("loading", loading), "stacks": ("loading", stacks)}
