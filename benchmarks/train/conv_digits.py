"""Train `conv/digits` on the MNIST in $NNCODEC_DATA and write its model file.

python benchmarks/train/conv_digits.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from small import Recipe, train

from nncodec.nn.autoencoder import Autoencoder
from nncodec_conv.networks import DigitsConfig, build_digits

RECIPE = Recipe(
    name="conv/digits",
    architecture="conv-digits",
    data="mnist",
    loss="bce",
    plain_share=0.3,
    epochs=25,
    batch_size=128,
    learning_rate=4e-3,
    levels=16,
    summary="handwritten digits, grey 28 x 28, 128 codes of {levels} levels",
    training_data="MNIST training set (60,000 pictures)",
    weights=Path("plugins/nncodec_conv/weights/digits.safetensors"),
)


def digits(levels: int) -> tuple[dict[str, Any], Autoencoder]:
    """Return config and network for so many levels a code."""
    config = DigitsConfig(levels)
    return config.as_dict(), build_digits(config)


if __name__ == "__main__":
    train(RECIPE, digits, __doc__)
