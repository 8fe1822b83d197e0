"""Hostile model files: identity, trial before installation, and one name for several processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import write_toy

import nncodec
from nncodec.errors import BadModelFile, ModelError, UnknownModel
from nncodec.plugin import registry
from nncodec.plugin.model_file import LONG_ID_BYTES, SHORT_ID_BYTES, read_model, write_model

BUNDLED = ("conv/digits", "conv/photo", "dense/fashion", "hyperprior/photo", "srgan/x4", "srgan/restore")
DIGIT = Image.new("L", (28, 28), 90)


pytestmark = pytest.mark.usefixtures("user_models")


def changed(bundled: str, path: Path, *, scale: float = 1, config: dict[str, object] | None = None, **tensors) -> Path:  # type: ignore[no-untyped-def]
    """Write a bundled model under another name, with changed weights, further config or further tensors."""
    model = read_model(registry.catalog().find(bundled).path)
    floats = {
        name: (value * scale).astype(value.dtype) if value.dtype.kind == "f" else value
        for name, value in model.tensors.items()
    }
    write_model(
        path,
        architecture=model.architecture,
        config={**model.config, **(config or {})},
        name="mine",
        card={},
        tensors=floats | tensors,
    )
    return path


# --- identity -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("codecs_only")
def test_files_name_the_users_own_models_by_eight_bytes_and_bundled_ones_by_four(tmp_path: Path) -> None:
    mine = registry.install_model(changed("dense/fashion", tmp_path / "mine.safetensors", scale=0.5))
    assert nncodec.inspect(nncodec.encode(DIGIT, "mine")).model_id == mine.digest[: 2 * LONG_ID_BYTES]
    bundled = registry.catalog().find("dense/fashion")
    assert nncodec.inspect(nncodec.encode(DIGIT, bundled.name)).model_id == bundled.digest[: 2 * SHORT_ID_BYTES]


def test_four_bytes_never_name_a_model_that_is_not_bundled(tmp_path: Path) -> None:
    mine = registry.install_model(changed("dense/fashion", tmp_path / "mine.safetensors", scale=0.5))
    catalog = registry.catalog()
    assert catalog.find_by_id(mine.id_bytes[:LONG_ID_BYTES]) == mine
    for length in range(SHORT_ID_BYTES, LONG_ID_BYTES):
        with pytest.raises(UnknownModel):
            catalog.find_by_id(mine.id_bytes[:length])


@pytest.mark.parametrize("bundled", BUNDLED)
def test_a_model_file_with_anything_that_its_architecture_does_not_know_is_refused(
    bundled: str, tmp_path: Path
) -> None:
    further = np.zeros(1, np.float16)
    prefixes = {name.split(".")[0] for name in read_model(registry.catalog().find(bundled).path).tensors}
    for name in ("grind", *(f"{prefix}.grind" for prefix in sorted(prefixes))):
        with pytest.raises(BadModelFile, match="grind"):
            registry.install_model(changed(bundled, tmp_path / "tensor.safetensors", **{name: further}))
    with pytest.raises(BadModelFile, match="grind"):
        registry.install_model(changed(bundled, tmp_path / "config.safetensors", config={"grind": 1}))


# --- trial --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bundled", "scale"), [("dense/fashion", np.nan), ("conv/photo", 60_000.0)])
def test_a_model_that_returns_no_picture_is_not_added(
    bundled: str, scale: float, tmp_path: Path, user_models: Path
) -> None:
    with np.errstate(over="ignore"):
        path = changed(bundled, tmp_path / "mine.safetensors", scale=scale)
    with pytest.raises(BadModelFile):
        registry.install_model(path)
    assert not user_models.exists() or not list(user_models.iterdir())


def test_every_bundled_model_passes_the_trial(tmp_path: Path) -> None:
    for number, bundled in enumerate(("dense/fashion", "conv/photo", "srgan/restore")):
        model = read_model(registry.catalog().find(bundled).path)
        path = tmp_path / f"{number}.safetensors"
        tensors = dict(model.tensors)
        name = next(name for name, value in tensors.items() if value.dtype.kind == "f" and value.ndim)
        tensors[name] = tensors[name] * np.float16(0.5)
        write_model(
            path, architecture=model.architecture, config=model.config, name=f"n{number}", card={}, tensors=tensors
        )
        assert registry.install_model(path).name == f"n{number}"


# --- several processes --------------------------------------------------------------------------------------------

ADD = """
import sys, time
from pathlib import Path
from nncodec.plugin import registry
from nncodec.errors import BadModelFile
registry.catalog()
print("ready", flush=True)
sys.stdin.readline()
try:
    print("added", registry.install_model(Path(sys.argv[1])).digest, flush=True)
except BadModelFile as error:
    print("refused", error, flush=True)
"""


def test_of_several_processes_that_add_one_name_one_adds_it(tmp_path: Path, user_models: Path) -> None:
    paths = [
        write_toy(tmp_path / f"{n}.safetensors", "mine", "of-no-plugin", fill=n) for n in range(4)
    ]  # without an architecture nothing is built, so that the processes take little time
    running = [
        subprocess.Popen([sys.executable, "-c", ADD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for path in paths
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in running]
    (added,) = [answer for answer in answers if answer.startswith("added")]
    assert sum(answer.startswith("refused") for answer in answers) == len(paths) - 1
    assert [path.name for path in user_models.iterdir()] == ["mine.safetensors"]
    registry.refresh()
    assert registry.catalog().find("mine").digest in added


def test_the_model_that_is_there_stays_and_the_folder_clean(
    tmp_path: Path, user_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_models.mkdir()
    target = user_models / "mine.safetensors"
    path = write_toy(tmp_path / "mine.safetensors", "mine", "of-no-plugin")
    before = write_toy(target, "another", "of-no-plugin", fill=1).read_bytes()
    with pytest.raises(ModelError, match="already exists"):
        registry.install_model(path)
    assert target.read_bytes() == before
    assert list(user_models.iterdir()) == [target]
    target.unlink()
    monkeypatch.setattr("os.link", _no_links)
    assert registry.install_model(path).name == "mine"
    assert list(user_models.iterdir()) == [target]


def _no_links(source: Path, target: Path) -> None:
    raise PermissionError("no hard links here")
