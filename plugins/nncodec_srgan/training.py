"""The training task of enhancers: first the content loss, then a discriminator too."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from nncodec.training.losses import Loss, l1, mse
from nncodec.training.tasks import ModelTask
from nncodec_srgan.discriminator import SMALLEST_EDGE, Discriminator, Judgement
from nncodec_srgan.generator import Generator, enlarged, reduced

_COLOURS = 3
_REAL, _MADE = 1.0, 0.0
_SECOND_START = 0.5  # where on its cosine the learning rate restarts: at half its height


@dataclass(frozen=True)
class Objective:
    """The loss of a generator.

    Args:
        content_share: the first share of the training, 0..1, with the content loss alone.
        content: weight of the content loss in the rest; before, it is 1.
        adversarial: weight of the discriminator's verdict in the rest.
        matching: weight of the distance between discriminator features of restored and good pictures, in the rest.
        perceptual: weight of the perceptual loss in the rest.
    """

    content_share: float = 1.0
    content: float = 1.0
    adversarial: float = 0.005
    matching: float = 0.0
    perceptual: float = 0.0


class EnhancerTask(ModelTask):
    """A generator that learns good pictures from worse ones.

    A batch (N, 3, H, W) holds the good pictures, and reducing them gives the worse ones. With six planes, the second
    three are the worse pictures, with each pixel repeated to fill `factor` x `factor` good ones.

    In the second part generator and discriminator take turns, two updates per step. The generator as the second part
    found it stays as `content`, and users choose between both sets of weights. Without a discriminator and a perceptual
    loss there is no second part. `Generator.remove_alternation` and `Generator.fix_all_but_filters` keep the generator
    from learning artificial patterns in it.

    Args:
        generator: to train.
        discriminator: judges the generator; None leaves it out.
        objective: weights of the loss, and when they apply.
        content_loss: distance of pictures, pixel by pixel.
        perceptual: the perceptual loss, for an objective that has one.
        content: weights for fidelity from before the training; by default the first part trains them.

    References:
        Ledig et al., CVPR 2017, section 2.2 (content and adversarial loss, and a start from content alone).
        Mao et al., "Least squares generative adversarial networks", ICCV 2017.
        Wang et al., "High-resolution image synthesis and semantic manipulation with conditional GANs", CVPR 2018,
        section 3.2 (features of the discriminator matched).
    """

    adversarial: Tensor

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator | None,
        objective: Objective,
        *,
        content_loss: Loss = l1,
        perceptual: Loss | None = None,
        content: Generator | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.content = copy.deepcopy(content or generator).requires_grad_(False)
        self.register_buffer("adversarial", torch.zeros((), dtype=torch.bool))
        self._keeps_content = content is not None
        self._objective = objective
        self._content_loss = content_loss
        self._perceptual = perceptual
        self._made: tuple[Tensor, Tensor] | None = None  # restored and plain pictures of the generator's turn

    @property
    def is_adversarial(self) -> bool:
        """Whether the second part of the training has begun."""
        return bool(self.adversarial)

    @property
    def comparable(self) -> bool:
        """See `ModelTask.comparable`: the loss of the second part differs from the first and changes with the
        discriminator."""
        return not self.is_adversarial

    def begin_step(self, progress: float) -> None:
        """See `TrainingTask.begin_step`: the second part begins at its share of the training."""
        if not self.is_adversarial and progress >= self._objective.content_share:
            self._begin_second_part()
        if self.is_adversarial:
            self.generator.fix_all_but_filters()

    def end_step(self) -> None:
        """See `TrainingTask.end_step`: the second part keeps alternation out of the generator's last kernel."""
        if self.is_adversarial:
            self.generator.remove_alternation()

    @property
    def turns(self) -> int:
        """See `ModelTask.turns`: generator and discriminator, in the second part."""
        return 2 if self.is_adversarial and self.discriminator is not None else 1

    def require_size(self, height: int, width: int) -> None:
        """See `ModelTask.require_size`: the discriminator needs crops of some size."""
        if self.discriminator is not None and min(height, width) < SMALLEST_EDGE:
            raise ValueError(
                f"crops of {width} x {height} pixels are too small for the discriminator, which needs at least "
                f"{SMALLEST_EDGE} x {SMALLEST_EDGE}; gan_weight = 0 trains without one"
            )

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the generator's loss."""
        low, high = self.pair(pixels)
        restored = self.generator(low)
        plain = enlarged(low, self.generator.config.factor)
        content = self._content_loss(restored, high)
        with torch.no_grad():
            psnr_db = _psnr_db(restored, high)
            figures = {
                "content": content.item(),
                "psnr_db": psnr_db,
                "gain_db": psnr_db - _psnr_db(plain, high),
            }
        if not self.is_adversarial:
            return content, figures
        total = self._objective.content * content
        if self.discriminator is not None:
            verdict, mismatch = self._judged(self.discriminator, restored, high, plain)
            total = total + self._objective.adversarial * verdict
            figures["adversarial"] = verdict.item()
            if mismatch is not None:
                total = total + self._objective.matching * mismatch
                figures["matching"] = mismatch.item()
        if self._perceptual is not None:
            perceptual = self._perceptual(restored, high)
            total = total + self._objective.perceptual * perceptual
            figures["perceptual"] = perceptual.item()
        self._made = (restored.detach(), plain) if self.training else None
        return total, figures

    def turn_loss(
        self, turn: int, pixels: Tensor, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """Return the generator's loss, or the discriminator's on the pictures of the generator's turn."""
        if turn == 0 or self.discriminator is None or self._made is None:
            return self.loss(pixels, progress, generator)
        # Separate batches, so that batch normalisation does not mix real and restored pictures.
        restored, plain = self._made
        real = _distance(self.discriminator(pixels[:, :_COLOURS], plain).verdicts, _REAL)
        made = _distance(self.discriminator(restored, plain).verdicts, _MADE)
        self._made = None
        total = (real + made) / 2
        return total, {"discriminator": total.item()}

    def rate_progress(self, progress: float) -> float:
        """Return how far down its cosine the learning rate is: each part has its own.

        The weights for fidelity are thus fully trained when the second part starts; it starts at half the rate.
        """
        share = self._objective.content_share
        if share == 0 or (self.discriminator is None and self._perceptual is None):
            return progress
        if progress < share:
            return progress / share
        return _SECOND_START + (1 - _SECOND_START) * (progress - share) / max(1 - share, 1e-9)

    @torch.no_grad()
    def reconstruct(self, pixels: Tensor) -> Tensor:
        """See `ModelTask.reconstruct`."""
        restored: Tensor = self.generator(self.pair(pixels)[0])
        return restored.clamp(0, 1)

    def sample_rows(self, pixels: Tensor) -> list[Tensor]:
        """See `ModelTask.sample_rows`: the worse pictures with enlarged pixels, the restored and the good ones."""
        low, high = self.pair(pixels)
        return [F.interpolate(low, size=high.shape[2:], mode="nearest"), self.reconstruct(pixels), high]

    def pair(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the worse and the good pictures of a batch, (N, 3, h, w) and (N, 3, H, W)."""
        factor = self.generator.config.factor
        high = pixels[:, :_COLOURS]
        low = pixels[:, _COLOURS:, ::factor, ::factor] if pixels.shape[1] > _COLOURS else reduced(high, factor)
        return low.contiguous(memory_format=torch.channels_last), high

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the generator and, where there is one, the discriminator."""
        groups: list[dict[str, Any]] = [{"params": list(self.generator.parameters()), "lr": learning_rate}]
        if self.discriminator is not None:
            groups.append({"params": list(self.discriminator.parameters()), "lr": learning_rate})
        return groups

    def _judged(
        self, discriminator: Discriminator, restored: Tensor, high: Tensor, plain: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return the loss of the verdicts on restored pictures, and the distance of their features from those of the
        good ones, or None if it has no weight."""
        # Copies without gradients: this turn trains only the generator and leaves the running statistics, which the
        # discriminator's own turns update.
        fixed = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
        fixed |= {name: buffer.clone() for name, buffer in discriminator.named_buffers()}

        def judge(pixels: Tensor) -> Judgement:
            judgement: Judgement = functional_call(discriminator, fixed, (pixels, plain))
            return judgement

        judged = judge(restored)
        verdict = _distance(judged.verdicts, _REAL)
        if not self._objective.matching:
            return verdict, None
        with torch.no_grad():
            real = judge(high)
        pairs = zip(judged.features, real.features, strict=True)
        return verdict, torch.stack([l1(made.float(), good.float()) for made, good in pairs]).mean()

    def _begin_second_part(self) -> None:
        if self.discriminator is None and self._perceptual is None:
            return
        if not self._keeps_content:
            self.content.load_state_dict(self.generator.state_dict())
        self.adversarial.fill_(True)


def _distance(verdicts: Tensor, label: float) -> Tensor:
    return mse(verdicts, torch.full_like(verdicts, label))


def _psnr_db(restored: Tensor, original: Tensor) -> float:
    error = (restored.clamp(0, 1) - original).square().mean(dim=(1, 2, 3))
    return (-10 * error.clamp(min=1e-10).log10()).mean().item()
