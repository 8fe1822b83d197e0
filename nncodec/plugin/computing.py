"""How and where networks compute pixels, as one value: work that goes on later keeps what was current at its start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from nncodec.plugin.device import Device, chosen_device, device
from nncodec.plugin.precision import Precision, chosen_precision, precision


class Computing(NamedTuple):
    """How and where networks compute pixels.

    Args:
        precision: see `nncodec.precision`.
        device: see `nncodec.device`.
    """

    precision: Precision = "auto"
    device: str = "cpu"

    @classmethod
    def chosen(cls, precision: Precision | None = None, device: Device | None = None) -> Computing:
        """Return what options give; None stands for what is current.

        Raises:
            InvalidOption: see `chosen_precision` and `chosen_device`.
        """
        return cls(chosen_precision(precision), chosen_device(device))

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Make it current within the block, in this thread or task."""
        with precision(self.precision), device(self.device):
            yield
