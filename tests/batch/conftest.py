"""Pictures in a folder, a toy codec that workers find, and an engine that works in this process."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import toys
from batches import write_pictures

from nncodec.batch.manifest import Item, Outcome
from nncodec.batch.work import Assignment, Worker
from nncodec.plugin import discovery, registry

PLUGIN = """
import os, signal
from pathlib import Path

from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl
from toys import BlockMeans


class Deadly(BlockMeans):
    "Kills its process when it sees a white picture."

    def analysis(self, pixels, quality, effort):
        if (pixels == 255).all(axis=(1, 2, 3)).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().analysis(pixels, quality, effort)


@hookimpl
def nncodec_architectures():
    return [ArchitectureSpec("blocks", "toys:BlockMeans"), ArchitectureSpec("deadly", "batch_plugin:Deadly")]


@hookimpl
def nncodec_models():
    here = Path(__file__).parent
    return [ModelSpec(f"tiny/{name}", here / f"{name}.safetensors") for name in ("means", "deadly")]
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed distribution that has the toy codecs."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(toys.__file__, folder)
    (folder / "batch_plugin.py").write_text(PLUGIN)
    for name, architecture in (("means", "blocks"), ("deadly", "deadly")):
        toys.write_toy(folder / f"{name}.safetensors", f"tiny/{name}", architecture, {"mode": "RGB"}, fill=len(name))
    facts = folder / "batch_toys-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: batch_toys\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[nncodec]\nbatch_toys = batch_plugin\n")
    return folder


@pytest.fixture(autouse=True)
def installed(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the toy codecs here and for worker processes; work in `tmp_path`."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    registry.refresh()
    yield
    registry.refresh()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with seven small pictures."""
    write_pictures(tmp_path / "in", 7)
    return tmp_path / "in"


class InProcess:
    """An engine that does everything in this process, in order."""

    restarts = 0

    def __init__(self, assignment: Assignment, workers: int, pixels_in_flight: int) -> None:
        self.assignment = assignment

    def run(self, groups: Iterator[list[Item]]) -> Generator[tuple[Item, Outcome]]:
        worker = Worker(self.assignment)
        for group in groups:
            yield from worker.run(group, lambda pixels: None)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the local engine work in this process."""
    monkeypatch.setattr("nncodec.batch.run.LocalEngine", InProcess)
