"""`nncodec.plugin` exports what a plugin author imports, without torch, and core does without it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import nncodec.plugin

ROOT = Path(__file__).parents[2]


def names_imported_from_the_package(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "nncodec.plugin":
                found |= {alias.name for alias in node.names}
    return found


def test_what_examples_import_is_exported() -> None:
    submodules = {path.stem for path in (ROOT / "nncodec" / "plugin").glob("*.py")}
    for folder in ("docs/examples", "tests/third_party_plugin"):
        names = names_imported_from_the_package(ROOT / folder)
        assert names
        assert names <= set(nncodec.plugin.__all__) | submodules


def test_core_imports_the_submodules_only() -> None:
    assert not names_imported_from_the_package(ROOT / "nncodec") & set(nncodec.plugin.__all__)


def test_importing_it_loads_no_torch() -> None:
    source = "import sys, nncodec.plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", source], check=True)
