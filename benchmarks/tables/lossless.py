"""Tables of exact files."""

from __future__ import annotations

from benchmarks.tables.table import Record, Table, Tables

_PEERS = {"WebP lossless": "WebP, lossless", "JPEG XL effort 7": "JPEG XL, effort 7", "PNG": "optimized PNG"}


def graphics(record: Record) -> Table:
    """Bytes of drawn pictures with the model, without what it does to whole blocks, and with its peers."""
    rows = []
    for name, row in record["results"].items():
        sizes = [row["payload_bytes"], row.get("whole_bytes"), *(row["peer_bytes"][peer] for peer in _PEERS)]
        rows.append([name, *("" if size is None else f"{size:,}" for size in sizes)])
    return Table(["bytes", "this model", "as one plain block", *_PEERS.values()], rows)


TABLES: Tables = {"lossless_graphics": ("lossless_graphics", graphics)}
