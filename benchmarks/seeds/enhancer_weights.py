"""The enhancers that system E measures: bundled ones, files of weights, and random ones for reduced runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.measuring.models import use_models
from nncodec.nn.tensors import weights_of
from nncodec.plugin import discovery, registry
from nncodec.plugin.model_file import Tensors, read_model, write_model
from nncodec_srgan.enhancer import CONTENT, DETAIL, model_config
from nncodec_srgan.generator import Generator, GeneratorConfig

FACTORS = {"x4": 4, "restore": 1}
"""Factors of the measured enhancers, by role."""


def usable(asked: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return names of enhancers that this process and its children can open.

    Args:
        asked: name or file of weights, by role.
        folder: for copies of files under new names; it becomes the user's model folder.

    Raises:
        NncError: no such model, or a file is not a model.
    """
    own = discovery.models_folder()
    bundled = {head.digest: head.name for head in registry.catalog().models.values() if head.path.parent != own}
    names = {role: value for role, value in asked.items() if not is_file(value)}
    files = {role: read_model(Path(value)) for role, value in asked.items() if is_file(value)}
    if files:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.safetensors"):
            old.unlink()
        for role, model_file in files.items():
            names[role] = bundled.get(model_file.digest, f"candidate/{role}")
            if model_file.digest not in bundled:
                write_model(
                    folder / f"{role}.safetensors",
                    architecture=model_file.architecture,
                    config=model_file.config,
                    name=names[role],
                    card=model_file.card,
                    tensors=model_file.tensors,
                )
        use_models(folder)
    for name in names.values():
        registry.catalog().find(name)
    return names


def is_file(value: str) -> bool:
    """Return whether an option names a file of weights, and not an installed enhancer."""
    return value.endswith(".safetensors")


def random_weights(role: str, folder: Path) -> Path:
    """Write tiny generators with random corrections, and return the file."""
    config = GeneratorConfig(factor=FACTORS[role], width=4, blocks=1, normalise=False)
    tensors: Tensors = {}
    for seed, prefix in enumerate((CONTENT, DETAIL)):
        torch.manual_seed(seed)
        generator = Generator(config)
        torch.nn.init.normal_(generator.tail.weight, std=0.002 * (1 + seed))
        tensors |= weights_of(generator, prefix)
    path = folder / f"random_{role}.safetensors"
    write_model(
        path,
        architecture="srgan",
        config=model_config(config, detail=True),
        name=f"random/{role}",
        card={},
        tensors=tensors,
    )
    return path
