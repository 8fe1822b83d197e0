"""The SRGAN enhancer: a generator with weights for fidelity and optional weights for detail, mixed by strength."""

from __future__ import annotations

import functools
from typing import Any

import torch

from nncodec.nn.devices import OnDevices, pixel_device
from nncodec.nn.precision import pixel_precision
from nncodec.nn.tensors import load_weights, to_pixels, to_tensor
from nncodec.plugin.enhancer import EnhancerModel, EnhancerTraits
from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile, ModelInfo
from nncodec_srgan.generator import Generator, GeneratorConfig, folded

CONTENT, DETAIL = "content.", "gan."
"""Prefixes of the tensor names in a model file: weights for fidelity and for detail."""

_HAS_DETAIL = "gan"
# Steps of strength: the results of neighbouring steps hardly differ in a pixel.
_STRENGTHS = 100


def model_config(shape: GeneratorConfig, *, detail: bool) -> dict[str, Any]:
    """Return the config of a model file: the shape, and whether there are weights for detail."""
    return shape.as_dict() | {_HAS_DETAIL: detail}


def shape_of(model_info: ModelInfo) -> GeneratorConfig:
    """Return the shape of a model file's generators; raise ValueError for an invalid config."""
    config = dict(model_info.config)
    if type(config.pop(_HAS_DETAIL, None)) is not bool:
        raise ValueError(f"{_HAS_DETAIL!r} is missing, or not true or false")
    return GeneratorConfig.of(config)


class SrganEnhancer(EnhancerModel):
    """Restores or enlarges pictures with a generator.

    Strength moves every weight along the line from those for fidelity to those for detail.

    References:
        Wang et al., "ESRGAN: Enhanced super-resolution generative adversarial networks", ECCV workshops 2018, section
        3.4 (network interpolation).
    """

    def __init__(self, content: Generator, detail: Generator | None) -> None:
        shape = content.config
        self.traits = EnhancerTraits(shape.factor, shape.multiple, shape.halo, strengths=detail is not None)
        self._content = OnDevices(content)
        self._detail = None if detail is None else OnDevices(detail)
        self._mixed = functools.lru_cache(maxsize=2)(self._mix)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> SrganEnhancer:
        """See `EnhancerModel.from_file`."""
        shape = shape_of(model_file)
        prefixes = (CONTENT, DETAIL) if model_file.config[_HAS_DETAIL] else (CONTENT,)
        odd = [name for name in model_file.tensors if not name.startswith(prefixes)]
        if odd:
            raise ValueError(f"tensor {min(odd)!r} is not part of this architecture")
        with torch.device("meta"):
            built = [Generator(shape) for _ in prefixes]
        loaded = [
            folded(load_weights(generator, model_file.tensors, prefix))
            for generator, prefix in zip(built, prefixes, strict=True)
        ]
        if not all(value.isfinite().all() for generator in loaded for value in generator.state_dict().values()):
            raise ValueError("its batch normalisation is invalid")  # a negative variance, say
        return cls(loaded[0], loaded[1] if len(loaded) > 1 else None)

    @torch.inference_mode()
    def enhance(self, pixels: Pixels, strength: float) -> Pixels:
        """See `EnhancerModel.enhance`."""
        generator = self._mixed(round(_STRENGTHS * strength) if self._detail else 0)
        with pixel_precision():
            return to_pixels(generator.current()(to_tensor(pixels, pixel_device())))

    def _mix(self, hundredths: int) -> OnDevices[Generator]:
        if self._detail is None or hundredths == 0:
            return self._content
        if hundredths == _STRENGTHS:
            return self._detail
        share = hundredths / _STRENGTHS
        content = self._content.module
        with torch.device("meta"):
            mixed = Generator(content.config)
        detail = self._detail.module.state_dict()
        between = {name: value.lerp(detail[name], share) for name, value in content.state_dict().items()}
        mixed.load_state_dict(between, assign=True)
        return OnDevices(mixed.requires_grad_(False).eval())
