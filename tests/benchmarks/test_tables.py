"""Tables and the pages that show them."""

from __future__ import annotations

import re

import pytest

from benchmarks.measuring.records import ROOT
from benchmarks.tables import PAGES, TABLES, filled


def test_every_table_stands_in_a_page_and_every_marked_table_exists() -> None:
    texts = [page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *ROOT.glob("docs/**/*.md"))]
    marked = {name for text in texts for name in re.findall(r"<!-- table (\w+) -->", text)}
    assert marked == TABLES.keys()


def test_every_page_with_tables_is_checked() -> None:
    pages = {
        path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")) if "<!-- table" in path.read_text("utf-8")
    }
    assert pages == {ROOT / page for page in PAGES}


def test_readme_has_one_table_of_results() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("<!-- table ") == 1


def test_a_table_that_differs_is_made_again() -> None:
    page = "before\n<!-- table published -->\n| old |\n<!-- end -->\nafter\n"
    assert "| old |" not in filled(page)
    assert filled(page).startswith("before\n<!-- table published -->\n| against | ")
    assert filled(page).endswith("|\n<!-- end -->\nafter\n")
    with pytest.raises(KeyError):
        filled("<!-- table no_such -->\n<!-- end -->")
