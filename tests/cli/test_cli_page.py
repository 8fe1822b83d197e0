"""docs/cli.md lists the options that the commands have."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from nncodec.cli import main
from nncodec.plugin import registry

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
COMMANDS = (
    "encode",
    "decode",
    "info",
    "check",
    "enhance",
    "demo",
    "compare",
    "models",
    "plugins",
    "viewer",
    "ui",
    "desktop",
    "export-onnx",
    "batch",
)


def command_of(name: str) -> click.Command:
    """Return a command of the command line."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return command


def options_of(name: str) -> list[click.Option]:
    """Return the options of a command and of those below it, except --help."""
    command = command_of(name)
    below = command.commands.values() if isinstance(command, click.Group) and name == "batch" else ()
    return [p for part in (command, *below) for p in part.params if isinstance(p, click.Option)]


def section_of(command: str) -> str:
    """Return the part of the page under the heading that names a command."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    (section,) = [text for text in sections[1:] if command in text.splitlines()[0].split()]
    return section


def test_the_page_has_the_efforts_of_the_photo_model_and_their_times() -> None:
    traits = registry.open_model(registry.catalog().find("photo")).traits
    rows = re.findall(r"^\| (?:effort|seconds) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    efforts, seconds = ([float(cell) for cell in row.split(" | ")] for row in rows)
    assert tuple(efforts) == traits.efforts
    assert tuple(seconds) == traits.seconds_per_megapixel


def test_the_row_of_the_quality_names_the_options_that_end_its_promise() -> None:
    (row,) = re.findall(r"^\| `-q N` \| .*$", section_of("encode"), re.M)
    for name in ("--never-lossless", "--coder", "--downscale", "--enhancer"):
        assert f"`{name}`" in row, name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_on_the_page_and_every_one_on_the_page_exists(command: str) -> None:
    options = options_of(command)
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", section_of(command)))
    for option in options:
        assert named & set(option.opts), option.opts
    # A section may speak of two commands, and examples of others.
    there = {name for other in COMMANDS for option in options_of(other) for name in option.opts + option.secondary_opts}
    assert named <= there
    for row in re.findall(r"^\| (`-.*?) \| ", section_of(command), re.M):
        own = {name for option in options for name in option.opts}
        assert set(re.findall(r"`(--?[a-z-]+)", row)) <= own, row
