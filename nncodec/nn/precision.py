"""bfloat16 for the transforms of pixels, where it is allowed and fast."""

from __future__ import annotations

import functools

import torch

from nncodec.plugin.precision import current_precision

_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")


def pixel_precision() -> torch.autocast:
    """Return the context for transforms of pixels: autocast to bfloat16 if `current_precision` allows it.

    Elsewhere it switches autocast off, a caller's too. Networks that run in it keep their first and last layers in
    float32, see `PhotoTransforms`. What chooses a probability must not run in it.
    """
    reduced = current_precision() == "auto" and is_bfloat16_fast()
    return torch.autocast("cpu", torch.bfloat16, enabled=reduced)


def is_bfloat16_fast() -> bool:
    """Return whether this processor multiplies bfloat16 and oneDNN, which uses it, is on."""
    return bool(torch.backends.mkldnn.enabled) and _multiplies_bfloat16()


@functools.cache
def _multiplies_bfloat16() -> bool:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # absent before torch 2.6
    return any(capabilities.get(unit) for unit in _BFLOAT16_UNITS)
