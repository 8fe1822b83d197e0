"""The tables of README.md and docs/, made from the stored records.

A table stands in a page between `<!-- table NAME -->` and `<!-- end -->`; `TABLES` has the names.
"""

from __future__ import annotations

import re

from benchmarks.measuring.records import RESULTS, read_record
from benchmarks.tables import enhancing, loading, lossless, photographs, seeds, speed, trained
from benchmarks.tables.table import Tables

PAGES = (
    "README.md",
    "docs/cli.md",
    "docs/results.md",
    "docs/lossless.md",
    "docs/datasets.md",
    "docs/seeds.md",
    "docs/adr/0002-latent-layout.md",
    "docs/adr/0005-hyperprior.md",
)

TABLES: Tables = {
    **photographs.TABLES,
    **trained.TABLES,
    **speed.TABLES,
    **seeds.TABLES,
    **enhancing.TABLES,
    **loading.TABLES,
    **lossless.TABLES,
}

_MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.S)


def table_text(name: str) -> str:
    """Return a table as Markdown, from the record in `RESULTS`."""
    stem, make = TABLES[name]
    return make(read_record(RESULTS / f"{stem}.json")).to_markdown()


def filled(page: str) -> str:
    """Return the text of a page with all its tables made again."""
    return _MARKED.sub(lambda match: match[1] + table_text(match[2]) + match[3], page)
