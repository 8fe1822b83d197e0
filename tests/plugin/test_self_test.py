"""A model whose contexts differ from those it was made with is refused when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from toys import SmoothMeans, install, plugin, write_toy

from nncodec.errors import ModelError
from nncodec.plugin import registry
from nncodec.plugin.entropy import StageContext
from nncodec.plugin.hooks import ArchitectureSpec
from nncodec.plugin.latents import IntArray
from nncodec.plugin.model_file import read_model, write_model
from nncodec.plugin.registry import open_model
from nncodec.plugin.self_test import SELF_TEST, self_test_of

CONFIG = {"block": SmoothMeans.BLOCK}


@pytest.fixture
def model_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a model with a self-test, and return its file."""
    install(monkeypatch, plugin(monkeypatch, "smooth", [ArchitectureSpec("smooth", "toys:SmoothMeans")]))
    monkeypatch.setenv("NNCODEC_MODELS", str(tmp_path))
    path = tmp_path / "smooth.safetensors"
    write_toy(path, "smooth/one", "smooth", CONFIG)
    plain = read_model(path)
    card = {SELF_TEST: self_test_of(SmoothMeans())}
    written = write_model(
        path, architecture="smooth", config=CONFIG, name="smooth/one", card=card, tensors=plain.tensors
    )
    assert written.digest == plain.digest
    registry.refresh()
    return path


def test_the_self_test_is_a_hash_of_all_contexts_of_fixed_latents() -> None:
    assert self_test_of(SmoothMeans()) == {"100": "97e2b8b640d13af1"}


def test_a_sound_model_opens(model_path: Path) -> None:
    assert isinstance(open_model("smooth/one"), SmoothMeans)


def test_a_machine_that_computes_other_contexts_is_told_so(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entropy = SmoothMeans().entropy(50)
    sound = type(entropy).context

    def other(self: object, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        context = sound(entropy, stage, known)  # type: ignore[arg-type]
        return context._replace(offsets=np.asarray(context.offsets) + (stage == 3))

    monkeypatch.setattr(type(entropy), "context", other)
    with pytest.raises(ModelError, match=r"smooth/one fails its self-test: this machine, .* files wrongly"):
        open_model("smooth/one")


@pytest.mark.parametrize("stored", ["text", 5, [], {"900": "x"}, {"x": 1}, {str(n): "" for n in range(100)}])
def test_a_card_in_free_form_that_is_no_self_test_is_left_alone(model_path: Path, stored: object) -> None:
    plain = read_model(model_path)
    card = {SELF_TEST: stored}
    write_model(model_path, architecture="smooth", config=CONFIG, name="smooth/one", card=card, tensors=plain.tensors)
    registry.refresh()
    assert isinstance(open_model("smooth/one"), SmoothMeans)


@pytest.mark.parametrize("name", ["hyperprior/photo", "hyperprior/photo-psnr", "conv/photo"])
def test_bundled_models_with_contexts_have_their_self_test_beside_their_weights(name: str) -> None:
    path = registry.catalog().find(name).path
    assert path.with_suffix(".self_test.json").is_file()
    assert open_model(name) is not None
