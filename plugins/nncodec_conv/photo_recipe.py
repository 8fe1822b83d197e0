"""How the photo network is trained: from a DCT, or on from a model such as `conv/photo`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch

from nncodec.nn.tensors import with_file_precision
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe, TrainedModel
from nncodec.training.sampling import draw_pictures
from nncodec.training.tasks import ModelTask, start_from
from nncodec.training.training_set import DataSummary
from nncodec_conv.packing import DEAD_ZONE, GROUPS, packed_photo
from nncodec_conv.photo_network import STRIDE, PhotoConfig, PhotoNetwork
from nncodec_conv.training import PhotoTask


@dataclass(frozen=True)
class PhotoSettings:
    """What can be set of the photo network; see `TransformConfig`."""

    fine_blocks: int = field(default=3, metadata={"help": "residual blocks at 1/8 resolution, each side"})
    coarse_blocks: int = field(default=2, metadata={"help": "residual blocks at 1/16 resolution, each side"})
    lambda_low: float = field(default=0.0012, metadata={"help": "weight of the error (0..255) at quality 0"})
    lambda_high: float = field(default=0.25, metadata={"help": "weight of the error (0..255) at quality 100"})
    table_megapixels: float = field(default=2.0, metadata={"help": "pixels that probability tables are fitted on"})

    def __post_init__(self) -> None:
        for name in ("fine_blocks", "coarse_blocks"):
            if not 0 <= getattr(self, name) <= 16:
                raise ValueError(f"{name} is {getattr(self, name)}; give a whole number from 0 to 16")
        if not 0 < self.lambda_low < self.lambda_high:
            raise ValueError(f"lambda_low is {self.lambda_low}, lambda_high {self.lambda_high}; give 0 < low < high")
        if not self.table_megapixels > 0:
            raise ValueError(f"table_megapixels is {self.table_megapixels}; give a number above 0")


class PhotoRecipe(Recipe):
    """Colour pictures of any size; see `Recipe`."""

    settings = PhotoSettings
    run = RunOptions(minutes=60, batch_size=8, crop=192, learning_rate=8e-4, bfloat16=True)

    def __init__(self, settings: PhotoSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._settings = settings
        self._base = base
        self._groups, self._dead_zone = GROUPS, DEAD_ZONE
        self._config = PhotoConfig(
            latent_channels=sum(GROUPS),
            fine_blocks=settings.fine_blocks,
            coarse_blocks=settings.coarse_blocks,
            lambda_low=settings.lambda_low,
            lambda_high=settings.lambda_high,
        )
        if base:
            stored = dict(base.config)
            try:
                self._groups, self._dead_zone = tuple(stored.pop("groups")), float(stored.pop("dead_zone"))
                self._config = PhotoConfig(**stored)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the model to go on from has another config: {error}") from error

    @property
    def mode(self) -> str:
        """See `Recipe.mode`."""
        return "RGB"

    @property
    def size(self) -> int:
        """See `Recipe.size`."""
        return STRIDE

    def task(self) -> PhotoTask:
        """See `Recipe.task`."""
        network = PhotoNetwork(self._config)
        return PhotoTask(start_from(network, self._base.tensors, "network.") if self._base else network)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`; contexts are fitted to a part of the pictures."""
        network = with_file_precision(copy.deepcopy(cast(PhotoNetwork, task.network)))
        chosen = draw_pictures(pictures, round(1e6 * self._settings.table_megapixels))
        in_place = network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        return packed_photo(in_place, chosen, on_progress, self._groups, self._dead_zone)
