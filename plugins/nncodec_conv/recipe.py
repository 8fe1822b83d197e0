"""Recipes of the plain convolutional autoencoders: the digit model and the stacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
from nncodec_conv.digits import DIGIT_EDGE, DigitsConfig
from nncodec_conv.networks import StackConfig, build_digits, build_stack
from nncodec_conv.starting import start_stack


@dataclass(frozen=True)
class DigitsSettings:
    """Settings of the digit model."""

    levels: int = field(default=16, metadata={"help": "quantization levels of a code, 2 to 256"})
    loss: str = field(
        default="bce", metadata={"help": "reconstruction loss: a part such as bce, mse, l1, or 0.5*ssim + 0.5*mse"}
    )
    plain_share: float = field(default=0.3, metadata={"help": "weight of the loss without quantization, 0 to 1"})

    def __post_init__(self) -> None:
        _require_levels(self.levels)
        _require_share(self.plain_share)
        parts_of(self.loss)


class DigitsRecipe(Recipe):
    """Grey pictures of 28 x 28; see `Recipe`."""

    settings = DigitsSettings
    run = RunOptions(epochs=20, batch_size=128, learning_rate=4e-3)

    def __init__(self, settings: DigitsSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        if (summary.width, summary.height) != (DIGIT_EDGE, DIGIT_EDGE):
            sizes = f"{summary.width} x {summary.height}" if summary.width else "different sizes"
            raise ValueError(
                f"the digit model takes pictures of {DIGIT_EDGE} x {DIGIT_EDGE} pixels, these have {sizes}; resize "
                "them, or choose an architecture for other sizes"
            )
        if not summary.grey:
            raise ValueError(
                "the digit model codes grey pictures and some of these have colour; convert them, or choose an "
                "architecture for colour"
            )
        self._settings = settings
        self._base = base
        self._config = DigitsConfig(**base.config) if base else DigitsConfig(settings.levels)

    @property
    def mode(self) -> str:
        """See `Recipe.mode`."""
        return "L"

    @property
    def size(self) -> tuple[int, int]:
        """See `Recipe.size`."""
        return DIGIT_EDGE, DIGIT_EDGE

    def task(self) -> AutoencoderTask:
        """See `Recipe.task`."""
        network = build_digits(self._config)
        if self._base:
            start_from(network, self._base.tensors)
        return AutoencoderTask(network, loss_from(self._settings.loss), self._settings.plain_share)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`; nothing is fitted."""
        return TrainedModel("conv-digits", self._config.as_dict(), weights_of(cast(Autoencoder, task.network)))


@dataclass(frozen=True)
class StackSettings:
    """Settings of a stack; see `StackConfig`."""

    layers: int = field(default=5, metadata={"help": "convolutions of encoder and of decoder: 3, 5, 7 or 10"})
    width: int = field(default=64, metadata={"help": "channels between layers"})
    codes: int = field(default=32, metadata={"help": "channels of the code"})
    levels: int = field(default=32, metadata={"help": "quantization levels of a code, 2 to 256"})
    loss: str = field(
        default="mse", metadata={"help": "sum of weighted parts, such as 0.4*ssim + 0.1*perceptual + 0.5*mse"}
    )
    features: str = field(default="", metadata={"help": "file of VGG16 weights, for the part 'perceptual' of the loss"})
    rate: float = field(default=0.0, metadata={"help": "weight of the code's bits per pixel, added to the loss"})

    def __post_init__(self) -> None:
        StackConfig(self.layers, self.width, self.codes, self.levels)
        _require_levels(self.levels)
        parts_of(self.loss)
        if not self.rate >= 0:
            raise ValueError(f"rate is {self.rate}; give a number from 0 on")


class StackRecipe(Recipe):
    """Colour pictures of any size; see `Recipe`."""

    settings = StackSettings
    run = RunOptions(minutes=20, batch_size=16, crop=96, learning_rate=1e-3)

    def __init__(self, settings: StackSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._settings = settings
        self._base = base
        if base:
            self._config = StackConfig(**base.config)
        else:
            self._config = StackConfig(settings.layers, settings.width, settings.codes, settings.levels)

    @property
    def mode(self) -> str:
        """See `Recipe.mode`."""
        return "RGB"

    @property
    def size(self) -> int:
        """See `Recipe.size`."""
        return self._config.stride

    def task(self) -> AutoencoderTask:
        """See `Recipe.task`."""
        settings = self._settings
        network = build_stack(self._config)
        if self._base:
            start_from(network, self._base.tensors)
        else:
            start_stack(network, self._config)
        loss = loss_from(settings.loss, features=Path(settings.features) if settings.features else None)
        return AutoencoderTask(network, loss, rate=settings.rate)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`; nothing is fitted."""
        return TrainedModel("conv-stack", self._config.as_dict(), weights_of(cast(Autoencoder, task.network)))


def _require_levels(levels: int) -> None:
    if not 2 <= levels <= 256:
        raise ValueError(f"levels is {levels}; give a whole number from 2 to 256")


def _require_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"plain_share is {share}; give a number from 0 to 1")
