"""Train `dense/fashion` (LD32E3D3) on the Fashion-MNIST in $NNCODEC_DATA and write its model file.

python benchmarks/train/dense_fashion.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from small import Recipe, train

from nncodec.nn.autoencoder import Autoencoder
from nncodec_dense.network import DenseConfig, build

MEMBER = "LD32E3D3"
RECIPE = Recipe(
    name="dense/fashion",
    architecture="dense",
    data="fashion-mnist",
    loss="mse",
    plain_share=0.0,
    epochs=160,
    batch_size=128,
    learning_rate=1.5e-3,
    levels=64,
    summary=f"{MEMBER}: grey pictures of clothing, 28 x 28, 32 latents of {{levels}} levels",
    training_data="Fashion-MNIST training set (60,000 pictures; Zalando, MIT licence)",
    weights=Path("plugins/nncodec_dense/weights/fashion.safetensors"),
)


def member(levels: int) -> tuple[dict[str, Any], Autoencoder]:
    """Return config and network for so many levels a latent."""
    config = DenseConfig.named(MEMBER, levels=levels)
    return config.as_dict(), build(config)


if __name__ == "__main__":
    train(RECIPE, member, __doc__)
