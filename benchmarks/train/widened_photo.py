"""Make the model that the training of `hyperprior/photo` starts from: wider transforms, filled from `conv/photo`.

    python -m benchmarks.train.widened_photo start.safetensors

`nncodec train --from` takes only models of one architecture, and this step crosses from `conv-photo` to `hyperprior`.
The prior starts from small random weights. A model file needs tables, which scikit-image's photographs give.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.data import scikit_image
from nncodec.nn.transforms import PhotoTransforms
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelFile, ModelInfo, read_model, write_model
from nncodec.training.data import load_pictures
from nncodec_hyperprior.config import NetworkConfig, model_config
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import fresh_network

NAME = "start/photo"


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="model file, .safetensors")
    options = parser.parse_args()
    written = write_start(options.output, list(scikit_image().values()))
    print(f"{written.path}: {written.name}, digest {written.digest[:16]}")


def write_start(output: Path, pictures: list[Path]) -> ModelInfo:
    """Write the model, with tables fitted on some pictures."""
    torch.manual_seed(0)
    network = fresh_network(NetworkConfig())
    widen(read_model(registry.catalog().find("conv/photo").path), network.transforms)
    return write_model(
        output,
        architecture="hyperprior",
        config=model_config(network.config),
        name=NAME,
        card={"summary": "transforms of conv/photo in wider ones; not trained"},
        tensors=packed_tensors(network.eval(), load_pictures(pictures), print),
    )


def widen(source: ModelFile, transforms: PhotoTransforms) -> None:
    """Copy the transforms of `conv/photo` into wider ones, in place.

    Its latents become the first channels, from smooth to fine. The other channels start from the Haar bands that it
    leaves out; other channels inside the coarse blocks keep their initialisation.
    """
    order = torch.from_numpy(source.tensors["order"].astype("int64"))
    narrow = len(order)
    with torch.no_grad():
        for name, target in transforms.named_parameters():
            value = torch.from_numpy(source.tensors[f"network.{name}"].astype("float32"))
            if name.startswith("log_"):
                value = _regain(value, source.config, transforms)
                # Channels that a quality had switched off start again from usual gains.
                usual = target.mean(1, keepdim=True)
                value = torch.minimum(torch.maximum(value, usual - 1), usual + 1)
            for axis, size in enumerate(value.shape):
                # Axes of 192 latents go into coding order; the 192 channels at 1/8 resolution keep theirs.
                if size == narrow and _is_latent_axis(name, axis):
                    value = value.index_select(axis, order)
            if "_coarse" in name:
                # Coordinates that the narrow network lacks must not disturb those it has.
                target[:, narrow:].mul_(0.1) if target.ndim > 1 and target.shape[1] > narrow else None
            target[tuple(slice(0, size) for size in value.shape)] = value


def _is_latent_axis(name: str, axis: int) -> bool:
    layer = name.split(".")
    if "coarse" in layer[0]:
        inside = {"feed_in": 0, "feed_out": 1}.get(layer[2])  # the axis of the 384 feed-forward channels
        hidden = {"mix_in": (0,), "mix_depthwise": (0, 1), "mix_out": (1,)}.get(layer[2], ())
        return axis != inside and axis not in hidden
    return {"analysis_down": axis == 0, "synthesis_up": axis == 0 and layer[-1] == "weight"}.get(
        layer[0], layer[0].startswith("log_") and axis == 1
    )


def _regain(table: Tensor, config: Mapping[str, Any], transforms: PhotoTransforms) -> Tensor:
    """Resample a table of gains at the qualities of the wider range of rates, extrapolated linearly outside."""
    low, high = math.log(float(config["lambda_low"])), math.log(float(config["lambda_high"]))
    new_low, new_high = math.log(transforms.config.lambda_low), math.log(transforms.config.lambda_high)
    wanted = torch.linspace(new_low, new_high, transforms.config.anchors)
    position = (wanted - low) / (high - low) * (len(table) - 1)
    below = position.floor().clamp(0, len(table) - 2).long()
    fraction = (position - below)[:, None]
    return table[below] * (1 - fraction) + table[below + 1] * fraction


if __name__ == "__main__":
    main()
