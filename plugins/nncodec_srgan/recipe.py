"""How enhancers are trained: from pairs of folders, or from good pictures that are made worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from nncodec.api import DEFAULT_MODEL
from nncodec.nn.tensors import weights_of
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.training.losses import loss_from, parts_of
from nncodec.training.losses.perceptual import perceptual_loss
from nncodec.training.options import RunOptions
from nncodec.training.pairs import PLANES
from nncodec.training.recipe import OnPrepared, Recipe, TrainedModel
from nncodec.training.tasks import ModelTask, start_from
from nncodec.training.training_set import DataSummary, TrainingSet
from nncodec_srgan.decoded import decoded_pairs
from nncodec_srgan.discriminator import Discriminator
from nncodec_srgan.enhancer import CONTENT, DETAIL, model_config, shape_of
from nncodec_srgan.generator import FACTORS, Generator, GeneratorConfig
from nncodec_srgan.training import EnhancerTask, Objective

_MOST_VARIANTS = 16


@dataclass(frozen=True)
class EnhancerSettings:
    """What can be set of an enhancer; see `GeneratorConfig`, `Objective` and `decoded_pairs`.

    `size_in` and `size_out` are another spelling of `factor` and `crop`, and never kept.
    """

    factor: int = field(default=4, metadata={"help": "how many times larger its pictures are: 1 (restores), 2 or 4"})
    width: int = field(default=64, metadata={"help": "feature maps, a multiple of 4"})
    blocks: int = field(default=5, metadata={"help": "residual blocks"})
    unshuffle: int = field(default=1, metadata={"help": "for factor 1: squares of this edge become channels first"})
    normalise: bool = field(default=True, metadata={"help": "batch normalisation; folded away in use"})
    filters: int = field(default=0, metadata={"help": "for factor 1: filters to choose from at every place"})
    size_in: int | None = field(
        default=None, metadata={"help": "edge of crops of the worse pictures; with size_out, in place of factor"}
    )
    size_out: int | None = field(default=None, metadata={"help": "edge of crops of the good pictures: crop"})
    codec: str = field(
        default=DEFAULT_MODEL, metadata={"help": "for factor 1 without --low: the model whose output is restored"}
    )
    quality_low: int = field(default=0, metadata={"help": "its lowest quality ..."})
    quality_high: int = field(default=20, metadata={"help": "... and its highest; each picture gets one in between"})
    variants: int = field(default=1, metadata={"help": "so many of each picture, at qualities of their own"})
    content_share: float = field(default=0.7, metadata={"help": "first share of the training, by content loss alone"})
    content_loss: str = field(
        default="l1", metadata={"help": "l1, mse or what else 'nncodec train' knows; mse for the highest PSNR"}
    )
    content_weight: float = field(default=1.0, metadata={"help": "of the content loss in the rest"})
    gan_weight: float = field(default=0.005, metadata={"help": "of the discriminator's verdict; 0 trains without one"})
    matching_weight: float = field(
        default=0.0, metadata={"help": "of what the discriminator sees differ between good and made pictures"}
    )
    perceptual_weight: float = field(
        default=0.0, metadata={"help": "of the VGG16 loss in the rest, with weights at hand"}
    )
    features: str = field(default="", metadata={"help": "file of VGG16 weights; without it, that of $NNCODEC_VGG16"})
    discriminator_width: int = field(default=64, metadata={"help": "maps of the discriminator's first layer"})

    def __post_init__(self) -> None:
        if not 0 <= self.content_share <= 1:
            raise ValueError(f"content_share is {self.content_share}; give a number from 0 to 1")
        for name in ("content_weight", "gan_weight", "matching_weight", "perceptual_weight"):
            if not 0 <= getattr(self, name) < 1e6:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number from 0")
        if not 1 <= self.discriminator_width <= 256:
            raise ValueError(f"discriminator_width is {self.discriminator_width}; give 1 to 256")
        if not 0 <= self.quality_low <= self.quality_high <= 100:
            raise ValueError(
                f"quality_low is {self.quality_low} and quality_high {self.quality_high}; give 0 <= low <= high <= 100"
            )
        if not 1 <= self.variants <= _MOST_VARIANTS:
            raise ValueError(f"variants is {self.variants}; give 1 to {_MOST_VARIANTS}")
        parts_of(self.content_loss)
        _shape(self)


class EnhancerRecipe(Recipe):
    """TrainingSet of any size in colour; see `Recipe`.

    The worse pictures are those of a folder, or the good ones reduced (factors 2 and 4), or what a codec makes of them
    (factor 1).
    """

    settings = EnhancerSettings
    run = RunOptions(
        epochs=20, batch_size=8, crop=128, learning_rate=4e-4, sample_epochs=1, bfloat16=True, augment=True
    )
    takes_pairs = True

    def __init__(self, settings: EnhancerSettings, summary: DataSummary, base: ModelFile | None = None) -> None:
        self._settings = settings
        self._base = base
        self._shape = shape_of(base) if base else _shape(settings)
        factor = self._shape.factor
        if summary.factor not in (None, factor):
            whose = f"{base.name} is for" if base else "factor is"
            raise ValueError(
                f"the good pictures are {summary.factor} times as large as the worse ones, and {whose} {factor}; "
                + ("give it others, or train anew" if base else f"set factor={summary.factor}")
            )
        self._by_codec = factor == 1 and summary.factor is None
        if self._by_codec:
            registry.catalog().find(settings.codec)  # an unknown one is refused before anything is encoded

    @classmethod
    def translated(cls, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Recipe.translated`: `size_in` and `size_out` become `factor` and `crop`."""
        kept = dict(chosen)
        size_in, size_out = kept.pop("size_in", None), kept.pop("size_out", None)
        if size_in is None and size_out is None:
            return kept
        if size_out is None:
            raise ValueError(f"size_in is {size_in}, but of which size shall the good pictures be? give size_out too")
        if kept.setdefault("crop", size_out) != size_out:
            raise ValueError(f"crop is {kept['crop']} and size_out {size_out}, which are the same thing; give one")
        if size_in is not None:
            factor = next((one for one in FACTORS if size_in > 0 and one * size_in == size_out), None)
            if factor is None:
                raise ValueError(f"size_out is {size_out} and size_in {size_in}; give 1, 2 or 4 times as much")
            if kept.setdefault("factor", factor) != factor:
                raise ValueError(f"from size_in = {size_in} to size_out = {size_out} is not factor {kept['factor']}")
        return kept

    @classmethod
    def planes(cls, settings: EnhancerSettings, base: ModelFile | None = None) -> int:
        """See `Recipe.planes`: what a codec makes of pictures is held beside them, for a while twice."""
        shape = shape_of(base) if base else _shape(settings)
        return super().planes(settings, base) + (PLANES * settings.variants if shape.factor == 1 else 0)

    @property
    def mode(self) -> str:
        """See `Recipe.mode`."""
        return "RGB"

    @property
    def size(self) -> int:
        """See `Recipe.size`."""
        return self._shape.factor * self._shape.multiple

    def prepare(self, pictures: TrainingSet, seed: int, on_progress: OnPrepared) -> TrainingSet:
        """See `Recipe.prepare`: for factor 1 a codec makes the worse pictures, unless there are some."""
        if not self._by_codec:
            return pictures
        settings = self._settings
        qualities = settings.quality_low, settings.quality_high
        sides = [
            decoded_pairs(side, settings.codec, qualities, settings.variants, seed, on_progress) if side else []
            for side in (pictures.training, pictures.validation)
        ]
        return replace(pictures, training=sides[0], validation=sides[1], factor=1)

    def task(self) -> EnhancerTask:
        """See `Recipe.task`.

        A base gives the weights for fidelity. Where no part of the training is by content loss alone, they are kept,
        and those for detail go on from the base's own if it has some, else from those for fidelity.
        """
        settings = self._settings
        generator, content = Generator(self._shape), None
        if self._base:
            start_from(generator, self._base.tensors, CONTENT)
            if settings.content_share == 0:
                content = generator
                has_detail = any(name.startswith(DETAIL) for name in self._base.tensors)
                generator = start_from(Generator(self._shape), self._base.tensors, DETAIL if has_detail else CONTENT)
        features = Path(settings.features) if settings.features else None
        return EnhancerTask(
            generator,
            Discriminator(settings.discriminator_width) if settings.gan_weight and settings.content_share < 1 else None,
            Objective(
                content_share=settings.content_share,
                content=settings.content_weight,
                adversarial=settings.gan_weight,
                matching=settings.matching_weight,
                perceptual=settings.perceptual_weight,
            ),
            content_loss=loss_from(settings.content_loss),
            perceptual=perceptual_loss(features) if settings.perceptual_weight else None,
            content=content,
        )

    def export(self, task: ModelTask, pictures: Sequence[Pixels], on_progress: Callable[[str], None]) -> TrainedModel:
        """See `Recipe.export`; nothing is fitted."""
        task = cast(EnhancerTask, task)
        if not task.is_adversarial:
            return TrainedModel("srgan", model_config(self._shape, detail=False), weights_of(task.generator, CONTENT))
        tensors = weights_of(task.content, CONTENT) | weights_of(task.generator, DETAIL)
        return TrainedModel("srgan", model_config(self._shape, detail=True), tensors)


def _shape(settings: EnhancerSettings) -> GeneratorConfig:
    return GeneratorConfig(**{name: getattr(settings, name) for name in GeneratorConfig.names()})
