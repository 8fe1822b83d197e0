"""The wheel holds exactly the files of the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MOST_WEIGHTS_BYTES = 32_000_000
_SOURCES = ("nncodec", "plugins", "formats")
_FILES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy of the tree to keep the checkout clean."""
    tree = tmp_path_factory.mktemp("tree")
    for name in _SOURCES:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in _FILES:
        shutil.copy(ROOT / name, tree / name)
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check", "--outdir", str(out)],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def in_tree() -> dict[str, Path]:
    """Return every file that belongs in the wheel, by its name in it."""
    packages = [ROOT / "nncodec"]
    for folder in ("plugins", "formats"):
        packages += [path for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"]
    files = {}
    for package in packages:
        for path in package.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                files[path.relative_to(package.parent).as_posix()] = path
    return files


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == in_tree().keys()
    assert {"nncodec/api.py", "nncodec/py.typed", "nncodec_dense/weights/fashion.safetensors"} <= packed


def test_files_are_packed_unchanged(wheel: zipfile.ZipFile) -> None:
    assert [name for name, path in in_tree().items() if wheel.read(name) != path.read_bytes()] == []


def test_only_names_of_this_project_land_in_site_packages(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.startswith("nncodec")} == set()
    assert {name for name in top if name.endswith(".data")} == set()


def test_the_wheel_declares_the_command_and_every_plugin(wheel: zipfile.ZipFile) -> None:
    declared = metadata(wheel, "entry_points.txt")
    assert "nncodec = nncodec.cli:main" in declared
    for path in (ROOT / "plugins").glob("nncodec_*"):
        assert f"= {path.name}.plugin" in declared


def test_the_wheel_has_the_right_metadata(wheel: zipfile.ZipFile) -> None:
    fields = Parser().parsestr(metadata(wheel, "METADATA"))
    assert fields["Name"] == "nncodec-image"
    assert fields["Requires-Python"] == ">=3.11"
    required = {re.split("[<>]", line)[0] for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert {"numpy", "pillow", "torch", "zstandard", "pluggy", "safetensors", "click"} <= required
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()


def test_the_weights_stay_small_enough_to_ship() -> None:
    weights = {name: path.stat().st_size for name, path in in_tree().items() if name.endswith(".safetensors")}
    assert weights
    assert sum(weights.values()) <= MOST_WEIGHTS_BYTES, weights
