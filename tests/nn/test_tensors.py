"""Arrays to tensors and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nncodec.nn.tensors import channels_last


@pytest.mark.parametrize("shape", [(1, 5, 8, 6), (3, 4, 2, 3), (1, 1, 1, 1), (2, 128, 32, 32), (1, 64, 70, 50)])
def test_arrays_keep_their_values_with_channels_last_in_memory(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(-(1 << 20), 1 << 20, shape, np.int32)
    for part in (values, values[:, :, ::2, 1::2], values[:, 1:]):
        if part.size:
            tensor = channels_last(part)
            assert tensor.dtype == torch.float32
            assert tensor.is_contiguous(memory_format=torch.channels_last)
            np.testing.assert_array_equal(tensor.numpy(), part)
