"""Distortions as functions of (restored, original), both (N, C, H, W) in 0..1; each returns a scalar tensor.

Rate is not among them: it is not a function of pixels. Training tasks with a rate add it themselves.
"""

from nncodec.training.losses.block_edges import edge_aware_error, mse_edges
from nncodec.training.losses.combined import LOSSES, loss_by_name, loss_from, parts_of
from nncodec.training.losses.perceptual import PerceptualLoss
from nncodec.training.losses.pointwise import Loss, bce, l1, log_error, mse
from nncodec.training.losses.ssimulacra2 import ssimulacra2_distance, ssimulacra2_loss
from nncodec.training.losses.structural import dissimilarity, multiscale_dissimilarity, multiscale_similarity

__all__ = [
    "LOSSES",
    "Loss",
    "PerceptualLoss",
    "bce",
    "dissimilarity",
    "edge_aware_error",
    "l1",
    "log_error",
    "loss_by_name",
    "loss_from",
    "mse",
    "mse_edges",
    "multiscale_dissimilarity",
    "multiscale_similarity",
    "parts_of",
    "ssimulacra2_distance",
    "ssimulacra2_loss",
]
