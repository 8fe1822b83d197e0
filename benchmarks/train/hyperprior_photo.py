"""Train `hyperprior/photo` on the photographs in $NNCODEC_DATA; resumes from its checkpoint.

python benchmarks/train/hyperprior_photo.py --minutes 100 --run runs/hyperprior_photo

The transforms start from those of `conv/photo`; `--start none` starts them from a DCT, and `--start hyperprior/photo`
goes on from the bundled model, prior included. The same script runs on a GPU with `--device cuda`, larger
`--batch-size` and `--crop`. Beside the log it writes validation.csv: rate and distortion on held-back photographs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from common import data_folder, show
from torch import Tensor

import nncodec_conv
import nncodec_hyperprior
from nncodec.nn.transforms import PhotoTransforms
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import read_model
from nncodec.training.data import CropSampler, list_pictures, load_pictures, split_by_name
from nncodec.training.loop import LoopOptions, Schedule, fit
from nncodec_hyperprior.network import NetworkConfig
from nncodec_hyperprior.starting import fresh_network, network_from
from nncodec_hyperprior.training import HyperpriorTask

HELD_BACK = 0.04
VALIDATION_STEPS = 2000
_CONV_PHOTO = Path(nncodec_conv.__path__[0]) / "weights" / "photo.safetensors"
_HYPERPRIOR_PHOTO = Path(nncodec_hyperprior.__path__[0]) / "weights" / "photo.safetensors"


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/hyperprior_photo"), help="folder for checkpoint and log")
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--learning-rate", type=float, default=6e-4)
    parser.add_argument("--start", choices=("conv/photo", "hyperprior/photo", "none"), default="conv/photo")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(0)
    pictures, held_back = split_by_name(list_pictures(data_folder("photos")), HELD_BACK)
    sampler = CropSampler(load_pictures(pictures), options.batch_size, options.crop, seed=2)
    if options.start == "hyperprior/photo":
        network = network_from(read_model(_HYPERPRIOR_PHOTO))
    else:
        network = fresh_network(NetworkConfig())
        if options.start == "conv/photo":
            start_from_conv_photo(network.transforms)
    task = HyperpriorTask(network)
    validation = Validation(task, load_pictures(held_back), options.run / "validation.csv")

    def tell(step: int, progress: float, figures: Mapping[str, float]) -> None:
        show(step, progress, figures)
        if step % VALIDATION_STEPS == 0:
            validation.measure(step)

    loop = LoopOptions(
        bfloat16=True,
        checkpoint=options.run / "checkpoint.pt",
        checkpoint_minutes=5,
        log=options.run / "log.csv",
        device=options.device,
    )
    schedule = Schedule(options.learning_rate, minutes=options.minutes, warmup_steps=300)
    report = fit(task, sampler, schedule, loop, on_progress=tell)
    validation.measure(report.steps)
    print(f"{report.steps} steps in {report.elapsed_s / 60:.1f} minutes")


class Validation:
    """Rate and distortion of rounded latents on the same crops and qualities every time.

    Args:
        task: what is being trained.
        pictures: held back from training.
        log: CSV file to append to.
    """

    def __init__(self, task: HyperpriorTask, pictures: Sequence[Pixels], log: Path) -> None:
        self._task = task
        self._sampler = CropSampler(pictures, 8, 256, seed=3, reduce_share=0.0, grey_share=0.0)
        self._log = log

    def measure(self, step: int) -> None:
        """Append a line: the step and mean figures."""
        device = next(self._task.parameters()).device
        rows = []
        with torch.no_grad():
            for batch in range(8):
                pixels = torch.from_numpy(self._sampler.batch(batch)).to(device).permute(0, 3, 1, 2).float() / 255
                generator = torch.Generator(device).manual_seed(batch)
                rows.append(self._task.loss(pixels, 1.0, generator)[1])
        means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
        self._log.parent.mkdir(parents=True, exist_ok=True)
        fresh_log = not self._log.exists()
        with self._log.open("a") as stream:
            if fresh_log:
                stream.write(",".join(["step", *means]) + "\n")
            stream.write(",".join([str(step), *(f"{value:.6g}" for value in means.values())]) + "\n")


def start_from_conv_photo(transforms: PhotoTransforms) -> None:
    """Copy the transforms of `conv/photo` into wider ones.

    Its latents become the first channels, from smooth to fine; the further channels start from the Haar bands that it
    left out, and further channels inside the coarse blocks as they are initialised.
    """
    source = read_model(_CONV_PHOTO)
    order = torch.from_numpy(source.tensors["order"].astype("int64"))
    narrow = len(order)
    with torch.no_grad():
        for name, target in transforms.named_parameters():
            value = torch.from_numpy(source.tensors[f"network.{name}"].astype("float32"))
            if name.startswith("log_"):
                value = _regain(value, source.config, transforms)
                # Channels that were switched off at some quality get a chance again.
                usual = target.mean(1, keepdim=True)
                value = torch.minimum(torch.maximum(value, usual - 1), usual + 1)
            for axis, size in enumerate(value.shape):
                # Axes of 192 latents are put in coding order; the 192 channels at 1/8 resolution stay as they are.
                if size == narrow and _is_latent_axis(name, axis):
                    value = value.index_select(axis, order)
            if "_coarse" in name:
                # Coordinates the narrow network does not know must not disturb those that it does.
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


def _regain(table: Tensor, config: dict[str, object], transforms: PhotoTransforms) -> Tensor:
    """Read a table of gains at the qualities of the wider range of rates, continued in a straight line outside."""
    low, high = math.log(float(str(config["lambda_low"]))), math.log(float(str(config["lambda_high"])))
    new_low, new_high = math.log(transforms.config.lambda_low), math.log(transforms.config.lambda_high)
    wanted = torch.linspace(new_low, new_high, transforms.config.anchors)
    position = (wanted - low) / (high - low) * (len(table) - 1)
    below = position.floor().clamp(0, len(table) - 2).long()
    fraction = (position - below)[:, None]
    return table[below] * (1 - fraction) + table[below + 1] * fraction


if __name__ == "__main__":
    main()
