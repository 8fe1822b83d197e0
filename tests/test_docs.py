"""The documentation runs as it stands, and README's two commands are what continuous integration runs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

import nncodec

ROOT = Path(__file__).parent.parent


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def test_the_python_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    code = "\n".join(blocks(ROOT / "docs" / "python.md", "python"))
    assert code.count("nncodec.") > 10
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_dataset_example_serves_stacks_and_single_files_through_a_loader(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("torch_dataset", ROOT / "docs" / "examples" / "torch_dataset.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    images = [Image.new("L", (28, 28), level) for level in (40, 90, 140, 190)]
    (tmp_path / "stack.nnc").write_bytes(nncodec.encode(images[:3], "dense/fashion"))
    (tmp_path / "z.nnc").write_bytes(nncodec.encode(images[3], "dense/fashion"))
    dataset = example.NncDataset(sorted(tmp_path.glob("*.nnc")))
    assert len(dataset) == 4
    (batch,) = DataLoader(dataset, batch_size=4)
    assert batch.shape == (4, 1, 28, 28)
    assert np.array_equal(batch[1, 0], nncodec.decode(nncodec.encode(images[1], "dense/fashion")))
    with pytest.raises(IndexError):
        dataset[4]


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


@pytest.mark.parametrize(
    "page", [*sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/**/*.md")), "README.md"]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_tables_of_the_pages_say_what_the_stored_results_say() -> None:
    command = [sys.executable, "benchmarks/tables.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "| ---" in (ROOT / "README.md").read_text(encoding="utf-8")
