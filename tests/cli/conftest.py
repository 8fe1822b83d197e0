"""A plugin with a model that needs no torch, installed for these tests, and ways to run the command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skimage.data
import toys
from click.testing import CliRunner, Result
from PIL import Image

from nncodec.cli import main
from nncodec.plugin import discovery, registry

_PLUGIN = """
from pathlib import Path
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec, hookimpl

HERE = Path(__file__).parent


@hookimpl
def nncodec_architectures():
    return [
        ArchitectureSpec("blocks", "toys:BlockMeans"),
        ArchitectureSpec("inverse", "toys:Negative", kind="enhancer"),
    ]


@hookimpl
def nncodec_models():
    aliases = {"rgb": ("small",), "grey": (), "slow": (), "keep": (), "triple": ("x3",)}
    return [ModelSpec(f"tiny/{n}", HERE / f"{n}.safetensors", given) for n, given in aliases.items()]
"""


def make_model(path: Path, name: str, **config: object) -> Path:
    """Write a model file of the test architecture."""
    card = {"summary": "means of\n2 x 2 pixels", "licence": "CC0-1.0"}
    return toys.write_toy(path, name, "blocks", {"mode": "RGB", "sleep_s": 0} | config, card=card)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed distributions: `tiny`, whose plugin works, and `broken`, whose plugin does not."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(toys.__file__, folder)
    (folder / "tiny_plugin.py").write_text(_PLUGIN)
    make_model(folder / "rgb.safetensors", "tiny/rgb")
    make_model(folder / "grey.safetensors", "tiny/grey", mode="L")
    make_model(folder / "slow.safetensors", "tiny/slow", sleep_s=100)
    for name, factor in (("keep", 1), ("triple", 3)):
        toys.write_toy(folder / f"{name}.safetensors", f"tiny/{name}", "inverse", {"factor": factor})
    for name, module in (("tiny", "tiny_plugin"), ("broken", "there_is_no_such_module")):
        facts = folder / f"{name}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[nncodec]\n{name} = {module}\n")
    return folder


@pytest.fixture(autouse=True)
def installed(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the test plugin here and for subprocesses, with a model folder of its own; work in `tmp_path`."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    models = tmp_path / "models of the user"
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(models))
    monkeypatch.setenv(discovery.DISABLED_VARIABLE, "lossless")  # trying exact files would import torch
    monkeypatch.chdir(tmp_path)
    registry.refresh()
    yield models
    registry.refresh()


Run = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[bytes]"]
Watched = Callable[..., "tuple[subprocess.CompletedProcess[bytes], bytes]"]


@pytest.fixture
def run() -> Run:
    """Run a command in this process: `run("encode", path, input=b"")`."""

    def call(*arguments: object, input: bytes | None = None) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], input=input, catch_exceptions=False)

    return call


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command in a process (and process group) of its own."""
    begun: list[subprocess.Popen[bytes]] = []

    def call(*arguments: object, **variables: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nncodec", *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | variables, start_new_session=True
        )
        begun.append(process)
        return process

    yield call
    for process in begun:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def watched() -> Watched:
    """Run a command in a process of its own whose standard error is a terminal; return it, and what was shown there."""
    if os.name != "posix":
        pytest.skip("terminals as on POSIX")
    import pty
    import termios

    def call(*arguments: object) -> tuple[subprocess.CompletedProcess[bytes], bytes]:
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        command = [sys.executable, "-m", "nncodec", *map(str, arguments)]
        done = subprocess.run(command, stderr=slave, stdout=subprocess.PIPE, check=False)
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError), os.fdopen(master, "rb", buffering=0) as terminal:
            while piece := terminal.read(4096):  # Linux ends with an error, others with nothing
                shown += piece
        return done, shown

    return call


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A photograph, RGB, 96 x 64 pixels."""
    return Image.fromarray(skimage.data.chelsea()[80:144, 100:196])


@pytest.fixture
def photo_png(photo: Image.Image, tmp_path: Path) -> Path:
    """The photograph as photo.png in the working folder."""
    photo.save("photo.png")
    return Path("photo.png")


@pytest.fixture
def photo_nnc(photo_png: Path, run: Run) -> Path:
    """The photograph as photo.nnc in the working folder."""
    assert run("encode", photo_png, "-m", "tiny/rgb", "-q", 100).exit_code == 0
    return Path("photo.nnc")


@pytest.fixture
def model_maker() -> Callable[..., Path]:
    """`make_model`, for tests."""
    return make_model
