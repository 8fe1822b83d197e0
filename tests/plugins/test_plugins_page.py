"""`docs/plugins.md` and the example's README show the example's own code, and their commands work."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plugins.md"
INTERFACE = ROOT / "docs" / "codec-interface.md"
README = ROOT / "tests" / "third_party_plugin" / "README.md"
_BLOCK = re.compile(r"(?:<!-- from (?P<source>\S+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)\n```", re.DOTALL)


def blocks(page: Path, *languages: str) -> list[re.Match[str]]:
    matches = [match for match in _BLOCK.finditer(page.read_text(encoding="utf-8")) if match["language"] in languages]
    assert matches
    return matches


def test_every_piece_of_code_on_the_page_is_part_of_a_tested_file() -> None:
    for block in [*blocks(PAGE, "python", "toml"), *blocks(INTERFACE, "python")]:
        assert block["source"], f"no source is named for:\n{block['text']}"
        source = (ROOT / block["source"]).read_text(encoding="utf-8")
        assert f"\n{block['text']}\n" in f"\n{source}\n", f"{block['source']} has changed"


def test_the_page_shows_every_file_that_it_lists() -> None:
    listed = re.findall(r"^  (\S+\.\w+)  ", blocks(PAGE, "")[0]["text"], re.MULTILINE)
    shown = {Path(block["source"]).name for block in blocks(PAGE, "python", "toml")}
    assert len(listed) == 5
    assert {Path(name).name for name in listed} <= shown


def commands(page: Path) -> list[list[str]]:
    return [shlex.split(line) for block in blocks(page, "sh") for line in block["text"].splitlines()]


@pytest.mark.slow
def test_the_commands_work_in_this_order(environment: Any, plugin_source: Path, tmp_path: Path) -> None:
    """Its own tests import the installed package: the copy beside them is gone by then."""
    source = Path(shutil.copytree(plugin_source, tmp_path / "plugin"))
    pixels = np.random.default_rng(0).integers(0, 256, (30, 42, 3), np.uint8)
    Image.fromarray(pixels).save(source / "picture.png")
    for program, *arguments in commands(PAGE):
        if [program, *arguments] == ["pip", "install", "."]:
            done = environment.install(source)
            shutil.rmtree(source / "nncodec_blockmean")
        elif program == "python":
            done = environment.run(*arguments, cwd=source)
        else:
            done = environment.run("-m", program, *arguments, cwd=source, PYTEST_ADDOPTS="-v -p no:cacheprovider")
        assert done.returncode == 0, f"{program} {arguments}\n{done.stdout}{done.stderr}"
    assert "TestFour::test_tiles_and_whole_agree PASSED" in done.stdout
    with Image.open(source / "restored.png") as restored:
        assert restored.size == (42, 30)


def test_the_commands_of_the_example_are_among_those_of_the_page() -> None:
    left = iter(commands(PAGE))
    assert [command for command in commands(README) if command not in left] == []
