"""The family `LD{K}E{N}D{M}`: K latents, N encoder layers, M decoder layers. This module needs no torch."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

_MAX_EDGE = 256
_MAX_LATENTS = 4096
_MAX_LAYERS = 8


@dataclass(frozen=True)
class DenseConfig:
    """A member of the family, for grey pictures of one size.

    Args:
        width, height: of the pictures, pixels.
        latents: K.
        encoder_layers: N, including the latent layer; widths 2^(N-1) K, ... 2K, K.
        decoder_layers: M, including the output layer; widths P / 2^(M-1), ... P / 2, P for P pixels.
        levels: quantization levels of each latent.
    """

    width: int = 28
    height: int = 28
    latents: int = 32
    encoder_layers: int = 3
    decoder_layers: int = 3
    levels: int = 64

    def __post_init__(self) -> None:
        bounds = {
            "width": (1, _MAX_EDGE),
            "height": (1, _MAX_EDGE),
            "latents": (1, _MAX_LATENTS),
            "encoder_layers": (1, _MAX_LAYERS),
            "decoder_layers": (1, _MAX_LAYERS),
            "levels": (2, 256),
        }
        for key, (low, high) in bounds.items():
            value = getattr(self, key)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{key} is {value!r}, not a whole number from {low} to {high}")

    @classmethod
    def named(cls, name: str, **settings: Any) -> DenseConfig:
        """Return the config of a name such as "LD32E3D3"; raises ValueError for any other form."""
        match = re.fullmatch(r"LD(\d+)E(\d+)D(\d+)", name)
        if not match:
            raise ValueError(f"{name!r} is not of the form LD<latents>E<encoder layers>D<decoder layers>")
        latents, encoder_layers, decoder_layers = map(int, match.groups())
        return cls(latents=latents, encoder_layers=encoder_layers, decoder_layers=decoder_layers, **settings)

    def as_dict(self) -> dict[str, Any]:
        """Return the config as a model file holds it."""
        return asdict(self)

    @property
    def encoder_widths(self) -> list[int]:
        """Neurons of each encoder layer, input first."""
        hidden = [self.latents << i for i in reversed(range(self.encoder_layers))]
        return [self.width * self.height, *hidden]

    @property
    def decoder_widths(self) -> list[int]:
        """Neurons of each decoder layer, latents first."""
        pixels = self.width * self.height
        return [self.latents, *(max(1, pixels >> i) for i in reversed(range(self.decoder_layers)))]
