"""The training task of plain autoencoders."""

from __future__ import annotations

import torch
from torch import Tensor

from nncodec.nn.autoencoder import Autoencoder
from nncodec.training.loop import TrainingTask
from nncodec.training.losses import loss_by_name


class AutoencoderTask(TrainingTask):
    """Reconstruction through the quantizer.

    Args:
        network: what is trained.
        loss: name of a reconstruction loss.
        plain_share: weight of the same loss without quantization, 0..1; it keeps the network good on both paths.
    """

    def __init__(self, network: Autoencoder, loss: str, plain_share: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.loss_name = loss
        self.plain_share = plain_share
        self._loss = loss_by_name(loss)

    def loss(self, pixels: Tensor, progress: float, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted loss and both parts."""
        quantized = self._loss(self.network(pixels).float(), pixels)
        figures = {self.loss_name: quantized.item()}
        if not self.plain_share:
            return quantized, figures
        plain = self._loss(self.network(pixels, quantized=False).float(), pixels)
        figures["unquantized"] = plain.item()
        return (1 - self.plain_share) * quantized + self.plain_share * plain, figures
