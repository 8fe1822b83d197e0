"""Write the tables of README.md and docs/ from the stored records, or check that they match.

python -m benchmarks.tables            # write
python -m benchmarks.tables --check    # exit 1 if a page differs
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.measuring.records import ROOT
from benchmarks.tables import PAGES, filled


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
        sys.exit(f"{', '.join(stale)} differ from benchmarks/results; run python -m benchmarks.tables")


if __name__ == "__main__":
    main()
