"""The recipe of hyperprior models: they start from a DCT or from a model such as the bundled one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from nncodec.engine.transform_config import TransformConfig
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training.options import RunOptions
from nncodec.training.recipe import Recipe, TrainedModel
from nncodec.training.sampling import draw_pictures
from nncodec.training.tasks import ModelTask
from nncodec.training.training_set import DataSummary
from nncodec_hyperprior.codec import network_config
from nncodec_hyperprior.config import HYPER_STRIDE, NetworkConfig, PriorConfig, model_config
from nncodec_hyperprior.network import HyperpriorNetwork
from nncodec_hyperprior.objective import LOOKS, Distortion
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import fresh_network, network_from
from nncodec_hyperprior.training import HyperpriorTask

# Pictures of one size with edges up to this are used whole, with the padding that their files have.
_WHOLE_EDGE = 128
_DETAIL_NARROWING = 3


@dataclass(frozen=True)
class HyperpriorSettings:
    """Settings of a hyperprior model; see `TransformConfig` and `PriorConfig`."""

    latent_channels: int = field(default=256, metadata={"help": "latent channels, a multiple of 8"})
    fine_blocks: int = field(default=3, metadata={"help": "residual blocks at 1/8 resolution, each side"})
    coarse_blocks: int = field(default=2, metadata={"help": "residual blocks at 1/16 resolution, each side"})
    detail_channels: int = field(
        default=0, metadata={"help": "more latent channels for high qualities; hyperprior/photo has 128"}
    )
    detail_quality: int = field(default=55, metadata={"help": "lowest quality that codes the detail channels"})
    hyper_channels: int = field(default=64, metadata={"help": "channels of the hyper-latents"})
    width: int = field(default=128, metadata={"help": "output channels of the hyper-decoder"})
    hidden: int = field(default=192, metadata={"help": "channels inside the context networks"})
    lambda_low: float = field(default=0.0005, metadata={"help": "weight of the error (0..255) at quality 0"})
    lambda_high: float = field(default=0.8, metadata={"help": "weight of the error (0..255) at quality 100"})
    loss: str = field(
        default=LOOKS,
        metadata={"help": "distortion: mse, mse-edges, ssimulacra2, ms-ssim or a weighted sum"},
    )
    table_megapixels: float = field(default=2.0, metadata={"help": "pixels that probability tables are fitted on"})

    def __post_init__(self) -> None:
        if self.latent_channels < 8 or self.latent_channels % 8:
            raise ValueError(f"latent_channels is {self.latent_channels}; give a multiple of 8")
        if self.detail_channels < 0:
            raise ValueError(f"detail_channels is {self.detail_channels}; give 0 or more")
        if not 0 < self.lambda_low < self.lambda_high:
            raise ValueError(f"lambda_low is {self.lambda_low}, lambda_high {self.lambda_high}; give 0 < low < high")
        if not self.table_megapixels > 0:
            raise ValueError(f"table_megapixels is {self.table_megapixels}; give a number above 0")
        Distortion(self.loss)
        network_config(model_config(_config(self)))


class HyperpriorRecipe(Recipe):
    """Pictures of any size, colour or grey; see `Recipe`."""

    settings = HyperpriorSettings
    run = RunOptions(minutes=60, batch_size=8, crop=192, learning_rate=6e-4, ema_decay=0.998, bfloat16=True)

    def __init__(self, settings: HyperpriorSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._settings = settings
        self._summary = summary
        self._base = base

    @property
    def mode(self) -> str:
        """See `Recipe.mode`; grey pictures become three equal planes in the task."""
        return "L" if self._summary.grey else "RGB"

    @property
    def size(self) -> tuple[int, int] | int:
        """See `Recipe.size`; small pictures of one size stay whole."""
        width, height = self._summary.width, self._summary.height
        if width is not None and height is not None and max(width, height) <= _WHOLE_EDGE:
            return width, height
        return HYPER_STRIDE

    def task(self) -> HyperpriorTask:
        """See `Recipe.task`."""
        network = network_from(self._base) if self._base else fresh_network(_config(self._settings))
        network.config = replace(network.config, loss=self._settings.loss)
        return HyperpriorTask(network)

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`; tables are fitted to a part of the pictures."""
        network = cast(HyperpriorNetwork, task.network)
        chosen = draw_pictures(pictures, round(1e6 * self._settings.table_megapixels))
        tensors = packed_tensors(network, chosen, on_progress)
        return TrainedModel("hyperprior", model_config(network.config), tensors)


def _config(settings: HyperpriorSettings) -> NetworkConfig:
    eighth = settings.latent_channels // 8
    transforms = TransformConfig(
        latent_channels=settings.latent_channels + settings.detail_channels,
        fine_blocks=settings.fine_blocks,
        coarse_blocks=settings.coarse_blocks,
        lambda_low=settings.lambda_low,
        lambda_high=settings.lambda_high,
        detail_channels=settings.detail_channels,
        detail_quality=settings.detail_quality if settings.detail_channels else 0,
        deblocking=True,
        padding="replicate",
    )
    groups: tuple[int, ...] = (eighth, 3 * eighth, 4 * eighth)
    context_hidden: tuple[int, ...] | None = None
    if settings.detail_channels:
        # Fine detail is hardly predictable, and a narrow network predicts it as well.
        context_hidden = (settings.hidden,) * len(groups) + (max(1, settings.hidden // _DETAIL_NARROWING),)
        groups = (*groups, settings.detail_channels)
    prior = PriorConfig(
        groups=groups,
        hyper_channels=settings.hyper_channels,
        width=settings.width,
        hidden=settings.hidden,
        context_hidden=context_hidden,
        detail_quality=transforms.detail_quality,
    )
    return NetworkConfig(transforms, prior, settings.loss)
