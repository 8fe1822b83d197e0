"""An isolated environment for tests that install packages, without downloads."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nncodec.plugin import discovery, registry

PLUGIN_SOURCE = Path(__file__).parents[1] / "third_party_plugin"


@dataclass(frozen=True)
class Environment:
    """A virtual environment that also sees the packages of the running interpreter.

    Args:
        python: its interpreter.
        home: the working folder of commands, outside the checkout; its `models` is the user's model folder.
    """

    python: Path
    home: Path

    def run(self, *command: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python with these arguments; return the result without checking it."""
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "NNCODEC_DISABLED_PLUGINS")}
        return subprocess.run(
            [str(self.python), *command],
            cwd=cwd or self.home,
            env={**inherited, "NNCODEC_MODELS": str(self.home / "models"), **variables},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def install(self, source: Path) -> subprocess.CompletedProcess[str]:
        """Install the distribution in a folder without fetching anything."""
        flags = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
        return self.run("-m", "pip", "install", *flags, str(source))


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment without additional packages."""
    folder = tmp_path_factory.mktemp("environment")
    builder = venv.EnvBuilder(symlinks=os.name != "nt", with_pip=importlib.util.find_spec("pip") is None)
    builder.create(folder)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    ask = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    # addsitedir, unlike a bare path in the file, also follows .pth files there: editable installs work.
    lines = [f"import site; site.addsitedir({sysconfig.get_path(kind)!r})\n" for kind in ("purelib", "platlib")]
    (Path(ask.stdout.strip()) / "outer.pth").write_text("".join(lines))
    home = tmp_path_factory.mktemp("home")
    return Environment(python, home)


@pytest.fixture(scope="session")
def plugin_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example plugin's source, to keep the checkout clean when building."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    return Path(shutil.copytree(PLUGIN_SOURCE, tmp_path_factory.mktemp("source") / "plugin", ignore=ignored))


@pytest.fixture(scope="session")
def with_plugin(environment: Environment, plugin_source: Path) -> Environment:
    """The environment with the example plugin installed."""
    done = environment.install(plugin_source)
    assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's model folder; gives the path at which a model called "mine" is installed."""
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path))
    yield tmp_path / "mine.safetensors"
    registry.refresh()
