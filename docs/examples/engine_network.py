"""A network without PyTorch, ready to run in NumPy."""

import numpy as np

from nncodec.engine.arrays import ArrayLoader
from nncodec.engine.operations import ConvLayer

layer = ConvLayer(np.ones((12, 4, 1, 1), np.float32), np.zeros(12, np.float32))


def synthesis(operations, latents):
    return (operations.shuffle(operations.convolve(latents, layer), 2),)


run = ArrayLoader().load("synthesis", synthesis, {"latents": 4}, ("pixels",))
(pixels,) = run(np.zeros((1, 8, 8, 4), np.float32))  # (N, H, W, C)
assert pixels.shape == (1, 16, 16, 3)
