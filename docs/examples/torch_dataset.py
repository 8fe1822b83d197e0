"""A PyTorch dataset of `.nnc` files that hold single pictures or stacks.

dataset = NncDataset(sorted(Path("pictures").glob("*.nnc")))
loader = DataLoader(dataset, batch_size=64, num_workers=2)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

import nncodec


class NncDataset(Dataset[Tensor]):
    """Every frame of every file, as uint8 tensors (C, H, W).

    Opening reads headers only. Files and models are opened where frames are read, so worker processes can take the
    dataset as it is.

    Args:
        paths: `.nnc` files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        counts = []
        for path in self._paths:
            with path.open("rb") as stream:
                counts.append(nncodec.inspect(stream).frames)
        self._ends = list(accumulate(counts))

    def __len__(self) -> int:
        """Return the number of frames in all files."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Tensor:
        """Return one frame; raises IndexError beyond the last."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = bisect_right(self._ends, index)
        first = self._ends[number - 1] if number else 0
        with self._paths[number].open("rb") as stream:
            image = nncodec.decode(stream, frame=index - first)
        pixels = torch.from_numpy(np.array(image))
        return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
