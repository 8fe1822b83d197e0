"""The transforms of the photo models."""

from __future__ import annotations

import pytest
import torch

from nncodec.nn import transforms


def test_no_start_is_computed_where_weights_are_loaded_next(monkeypatch: pytest.MonkeyPatch) -> None:
    config = transforms.TransformConfig(8, fine_blocks=1, coarse_blocks=1, detail_channels=2)
    computed = transforms.PhotoTransforms(config).detail_out.weight
    torch.testing.assert_close(computed[:, :, 0, 0].T @ computed[:, :, 0, 0], torch.eye(2))
    monkeypatch.setattr(transforms, "detail_weights", None)
    with torch.device("meta"):
        assert transforms.PhotoTransforms(config).detail_out.weight.shape == computed.shape
