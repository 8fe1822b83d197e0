"""The documentation runs as it stands, builds into a site without a warning, and covers every exported name."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image
from preloaded import Preloaded

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")))
EXAMPLES = ROOT / "docs" / "examples"
# What a page states and a test shortens: the file that is trained need not be good.
SHORTENED = {"docs/train.md": ('{"minutes": 10}', '{"steps": 2}')}
# Pages with blocks that do not need each other: tests/test_recipes.py runs each by itself.
RUN_ELSEWHERE = {"docs/recipes.md"}
# Runs blocks one after the other in one namespace; each may begin with imports from __future__.
RUN_BLOCKS = """
import json, sys, warnings
warnings.simplefilter("error")
page, blocks, examples = json.load(sys.stdin)
sys.path.append(examples)
names = {"__name__": "__main__", "__file__": page}
for line, source in blocks:
    exec(compile("\\n" * line + source, page, "exec", dont_inherit=True), names)
"""


# --- examples -----------------------------------------------------------------------------------------------------


def python_blocks(page: str) -> list[tuple[int, str]]:
    """Return the fenced Python blocks of a page with the number of lines above each."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in found]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Write the pictures that the pages name, and return their folder."""
    photo = Image.fromarray(skimage.data.chelsea()).resize((226, 150))
    for name in ("cat.jpg", "photo.jpg", "photo.png"):
        photo.save(tmp_path / name)
    photo.resize((90, 60)).save(tmp_path / "small.png")
    (tmp_path / "photos").mkdir()
    for number in range(4):
        photo.crop((20 * number, 4, 20 * number + 140, 144)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page) and page not in RUN_ELSEWHERE])
def test_the_python_blocks_of_a_page_run_from_top_to_bottom(page: str, pictures: Path, preloaded: Preloaded) -> None:
    blocks = python_blocks(page)
    if page in SHORTENED:
        long, short = SHORTENED[page]
        assert any(long in source for _, source in blocks)
        blocks = [(line, source.replace(long, short)) for line, source in blocks]
    (pictures / "run_blocks.py").write_text(RUN_BLOCKS)
    run = preloaded.run(["run_blocks.py"], input=json.dumps([page, blocks, str(EXAMPLES)]), cwd=pictures)
    assert run.returncode == 0, run.stderr


def test_the_pages_have_the_examples_that_are_run() -> None:
    counts = {page: len(python_blocks(page)) for page in PAGES}
    assert counts["docs/python.md"] > 8
    assert all(counts[page] for page in ("README.md", "docs/index.md"))
    assert all(counts[f"docs/{name}.md"] for name in ("compare", "enhance", "pillow", "plugins", "train"))


# --- pages --------------------------------------------------------------------------------------------------------


def test_readme_begins_with_two_commands_and_ci_runs_the_second() -> None:
    first = re.search(r"^```.*?\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert first is not None
    lines = first[1].splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("nncodec demo -f")
    assert "pytest" in lines[1]
    script = f"sed -n '/^```/,/^```/p' {ROOT / 'README.md'} | sed -n 3p"
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == lines[1]
    assert "sed -n 3p" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_tables_of_the_pages_say_what_the_stored_results_say() -> None:
    command = [sys.executable, "-m", "benchmarks.tables", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "| ---" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_on_architecture_names_every_room() -> None:
    entries = {path.name for path in (ROOT / "nncodec").iterdir()} - {"__pycache__", "py.typed"}
    rooms = {name if "." in name else f"{name}/" for name in entries} - {"__init__.py", "__main__.py", "_version.py"}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = {name for row in re.findall(r"^\| (`.*?`) \|", page, re.M) for name in re.findall(r"`(.*?)`", row)}
    assert listed == rooms
    drawn = (ROOT / "docs" / "images" / "rooms.svg").read_text(encoding="utf-8")
    assert {name for name in rooms if f">{name.removesuffix('/').removesuffix('.py')}</text>" not in drawn} == set()


# --- site and reference -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_no_other_server(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra 'docs'")
    pytest.importorskip("material", reason="needs the extra 'docs'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(ROOT.glob("docs/*.md")))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?((?:https?:)?//[^\"' >]+)", text)
        loaded += re.findall(
            r"<link\b[^>]*rel=[\"']?(?:stylesheet|preconnect|icon)[^>]*href=[\"']?(https?:[^\"' >]+)", text
        )
        assert loaded == [], page


# Each page of the reference, and the package whose exported names it documents.
REFERENCE = {
    "api": "nncodec",
    "batch": "nncodec.batch",
    "plugin": "nncodec.plugin",
    "testing": "nncodec.testing",
    "torch": "nncodec.torch",
}


@pytest.mark.parametrize(("page", "package"), REFERENCE.items())
def test_a_page_of_the_reference_documents_what_its_package_exports(page: str, package: str) -> None:
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: (\S+)$", text, re.M)
    exported = importlib.import_module(package).__all__
    assert exported
    assert sorted(listed) == sorted(f"{package}.{name}" for name in exported)


@pytest.fixture(scope="module")
def source() -> Any:
    """The package as griffe reads it for the reference: without importing it, with docstrings of constants."""
    griffe = pytest.importorskip("griffe", reason="needs the extra 'docs'")
    return griffe.load("nncodec", search_paths=[str(ROOT)], resolve_aliases=True)


def exported_objects(source: Any) -> Iterator[tuple[str, Any]]:
    for package in REFERENCE.values():
        for name in importlib.import_module(package).__all__:
            path = f"{package}.{name}"
            yield path, source[path.removeprefix("nncodec.")]


def test_every_exported_name_has_a_docstring(source: Any) -> None:
    assert [path for path, item in exported_objects(source) if not item.has_docstring] == []


def test_docstrings_describe_arguments_that_exist(source: Any) -> None:
    """One line may describe several arguments, which the site's own check does not know."""
    described = 0
    for path, item in exported_objects(source):
        methods = [member for member in item.members.values() if member.is_function] if item.is_class else []
        for documented in (item, *methods):
            for name in _described_arguments(documented):
                described += 1
                assert name in {*_argument_names(documented), *documented.members}, f"{path}: {name}"
    assert described > 50


def test_a_sentence_on_a_result_is_not_taken_for_its_type(source: Any) -> None:
    """`Returns:` holds a sentence; a colon in it would make the site show its beginning as a type."""
    for path, item in exported_objects(source):
        for documented in (item, *item.members.values()):
            for section in _sections(documented):
                if section.kind.value in ("returns", "yields"):
                    assert not isinstance(section.value[0].annotation, str), f"{path}: {documented.name}"


def _sections(documented: Any) -> list[Any]:
    options = {"warnings": False, "returns_multiple_items": False, "returns_named_value": False}
    return [] if documented.docstring is None else documented.docstring.parse("google", **options)


def _described_arguments(documented: Any) -> Iterator[str]:
    for section in _sections(documented):
        if section.kind.value == "parameters":
            for argument in section.value:
                yield from (name.strip(" *") for name in argument.name.split(","))


def _argument_names(documented: Any) -> set[str]:
    return {parameter.name.strip("*") for parameter in getattr(documented, "parameters", ())}
