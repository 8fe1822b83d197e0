"""How dense autoencoders are trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.tensors import weights_of
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training.losses import loss_from, parts_of
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe, TrainedModel
from nncodec.training.tasks import AutoencoderTask, ModelTask, start_from
from nncodec.training.training_set import DataSummary
from nncodec_dense.config import DenseConfig
from nncodec_dense.network import build


@dataclass(frozen=True)
class DenseSettings:
    """Settings of a member of the family `LD{K}E{N}D{M}`; see `DenseConfig`."""

    latents: int = field(default=32, metadata={"help": "K: latents of an image"})
    encoder_layers: int = field(default=3, metadata={"help": "N: encoder layers, including the latent layer"})
    decoder_layers: int = field(default=3, metadata={"help": "M: decoder layers, including the output layer"})
    levels: int = field(default=64, metadata={"help": "quantization levels of a latent, 2 to 256"})
    loss: str = field(
        default="mse", metadata={"help": "reconstruction loss: a part such as mse, bce, l1, or 0.5*ssim + 0.5*mse"}
    )
    plain_share: float = field(default=0.0, metadata={"help": "weight of the loss without quantization, 0 to 1"})

    def __post_init__(self) -> None:
        if not 0 <= self.plain_share <= 1:
            raise ValueError(f"plain_share is {self.plain_share}; give a number from 0 to 1")
        _config(self, 1, 1)
        parts_of(self.loss)


class DenseRecipe(Recipe):
    """Grey pictures that all have one size, up to 256 x 256; see `Recipe`."""

    settings = DenseSettings
    run = RunOptions(epochs=60, batch_size=128, learning_rate=1.5e-3)

    def __init__(self, settings: DenseSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        if summary.width is None or summary.height is None:
            raise ValueError(
                "dense models take pictures of one size and these differ; resize them, or choose an architecture "
                "that takes any size"
            )
        if not summary.grey:
            raise ValueError(
                "dense models code grey pictures and some of these have colour; convert them, or choose an "
                "architecture for colour"
            )
        self._settings = settings
        self._base = base
        self._config = DenseConfig(**base.config) if base else _config(settings, summary.width, summary.height)
        if (self._config.width, self._config.height) != (summary.width, summary.height):
            raise ValueError(
                f"the base model takes pictures of {self._config.width} x {self._config.height} pixels, "
                f"these have {summary.width} x {summary.height}; resize them, or train anew"
            )

    @property
    def mode(self) -> str:
        """See `Recipe.mode`."""
        return "L"

    @property
    def size(self) -> tuple[int, int]:
        """See `Recipe.size`."""
        return self._config.width, self._config.height

    def task(self) -> AutoencoderTask:
        """See `Recipe.task`."""
        network = build(self._config)
        if self._base:
            start_from(network, self._base.tensors)
        return AutoencoderTask(network, loss_from(self._settings.loss), self._settings.plain_share)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`; nothing is fitted."""
        network = cast(Autoencoder, task.network)
        return TrainedModel("dense", self._config.as_dict(), weights_of(network))


def _config(settings: DenseSettings, width: int, height: int) -> DenseConfig:
    return DenseConfig(
        width=width,
        height=height,
        latents=settings.latents,
        encoder_layers=settings.encoder_layers,
        decoder_layers=settings.decoder_layers,
        levels=settings.levels,
    )
