"""The recipe of lossless models: networks fitted to the pictures of a folder, from scratch or from another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from nncodec.nn.fixed_point import SUM_STEPS, WEIGHT_STEPS, FixedPointConv2d
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe, TrainedModel
from nncodec.training.tasks import ModelTask
from nncodec.training.training_set import DataSummary
from nncodec_lossless.natural import colour
from nncodec_lossless.natural.network import Networks, model_tensors, start_networks
from nncodec_lossless.natural.rate import rate_bits

_LEAST_EDGE = 16


@dataclass(frozen=True)
class LosslessSettings:
    """Settings of a lossless model."""

    plain_share: float = field(
        default=0.2, metadata={"help": "share of steps on colours as they are, without a transform"}
    )

    def __post_init__(self) -> None:
        if not 0 <= self.plain_share <= 1:
            raise ValueError(f"plain_share is {self.plain_share}; give a number from 0 to 1")


class LosslessRecipe(Recipe):
    """Pictures of any size, depth and number of planes; see `Recipe`."""

    settings = LosslessSettings
    takes_samples = True
    run = RunOptions(minutes=15, batch_size=3, crop=128, learning_rate=3e-3, ema_decay=0.99)

    def __init__(self, settings: LosslessSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._settings = settings
        self._summary = summary
        self._base = base

    @property
    def mode(self) -> str:
        """See `Recipe.mode`."""
        return "L" if self._summary.grey else "RGB"

    @property
    def size(self) -> int:
        """See `Recipe.size`."""
        return 1

    def task(self) -> LosslessTask:
        """See `Recipe.task`."""
        networks = Networks(FixedPointConv2d)
        if self._base is None:
            start_networks(networks)
        else:
            load_steps(networks, self._base)
        return LosslessTask(networks, self._settings.plain_share, self._summary.top)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`."""
        return TrainedModel("lossless", {}, model_tensors(cast(LosslessTask, task).networks))


class LosslessTask(ModelTask):
    """The ideal code length of pictures, in bits per sample.

    Args:
        networks: to train.
        plain_share: see `LosslessSettings`.
        top: see `DataSummary`.
    """

    def __init__(self, networks: Networks, plain_share: float, top: int = 255) -> None:
        super().__init__()
        self.top = top
        self.networks = networks
        self.plain_share = plain_share

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return bits per sample; a share of the steps leaves colours as they are."""
        planes = (pixels.float() * self.top).round_()
        drawn = float(torch.rand((), generator=generator, device=pixels.device))
        if planes.shape[1] == 3 and drawn >= self.plain_share:
            whole = [plane.to(torch.int32).cpu().numpy() for plane in planes.unbind(1)]
            coded = colour.forward(whole, colour.Transform.YCOCG)
            planes = torch.stack([torch.from_numpy(plane) for plane in coded], 1).to(planes)
        bits = rate_bits(self.networks, planes).sum() / planes.numel()
        return bits, {"bits_per_sample": bits.item()}

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """See `ModelTask.reconstruct`; it is the picture itself."""
        return pixels

    def sample_rows(self, pixels: Tensor) -> list[Tensor]:
        """See `ModelTask.sample_rows`; the first planes, brightened as far as they allow."""
        shown = pixels[:, : 3 if pixels.shape[1] >= 3 else 1]
        return [shown / shown.amax().clamp(min=1 / self.top)]

    def require_size(self, height: int, width: int) -> None:
        """See `ModelTask.require_size`."""
        if min(height, width) < _LEAST_EDGE:
            least = f"at least {_LEAST_EDGE} x {_LEAST_EDGE} are needed"
            raise ValueError(f"crops of {width} x {height} pixels are too small; {least}")


def load_steps(networks: Networks, model_file: ModelFile) -> None:
    """Load the fixed-point numbers of a model file into networks for training.

    Raises:
        ValueError: the tensors do not fit the architecture.
    """
    with torch.no_grad():
        for name, parameter in networks.named_parameters():
            layer, _, part = name.partition(".parametrizations.")
            kind = part.removesuffix(".original")
            stored = model_file.tensors.get(f"{layer}.{kind}")
            if stored is None or stored.shape != tuple(parameter.shape):
                raise ValueError(f"the base model lacks the tensor '{layer}.{kind}', or has it in another shape")
            steps = WEIGHT_STEPS if kind == "weight" else SUM_STEPS
            parameter.copy_(torch.from_numpy(stored.astype("float64") / steps))
