"""Several codecs of one rate each behind one quality scale: the codebooks of `vq_plugin` in one model file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from vq_plugin import VqCodec

from nncodec.plugin import ArchitectureSpec, CodecModel, IntArray, Latents, ModelFile, Pixels, hookimpl


@hookimpl
def nncodec_architectures() -> list[ArchitectureSpec]:
    return [ArchitectureSpec("rates", "rates_plugin:RatesCodec")]


class RatesCodec(CodecModel):
    """Each codec has an equal part of the scale 0..100; the latents' range is that of the largest codebook."""

    def __init__(self, codecs: Sequence[VqCodec]) -> None:
        self._codecs = codecs
        widest = max((codec.traits.latents[0] for codec in codecs), key=lambda spec: spec.maximum)
        self.traits = replace(codecs[0].traits, latents=(widest,), qualities=True)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> RatesCodec:
        count = model_file.config.get("rates")
        if type(count) is not int or not 1 <= count <= 100 or len(model_file.tensors) != count:
            raise ValueError("the config is not a number of rates from 1 to 100, with a codebook for each")
        books = [model_file.tensors[f"codebook.{number}"] for number in range(count)]
        return cls([VqCodec.from_file(replace(model_file, config={}, tensors={"codebook": book})) for book in books])

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        return self._at(quality).analysis(pixels, quality, effort)

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        codec = self._at(quality)
        entries = np.minimum(latents["entry"], codec.traits.latents[0].maximum)  # a file may hold any in the range
        return codec.synthesis({"entry": entries}, quality)

    def _at(self, quality: int) -> VqCodec:
        return self._codecs[quality * len(self._codecs) // 101]
