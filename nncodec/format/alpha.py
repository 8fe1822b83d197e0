"""The alpha chunk, which is lossless: differences from the row above, then Zstandard."""

from __future__ import annotations

import numpy as np

from nncodec.format.entropy.zstd import compress, decompress
from nncodec.plugin.latents import Pixels


def pack_alpha(alpha: Pixels) -> bytes:
    """Return the chunk of alpha planes, uint8 (frames, H, W)."""
    difference = alpha.copy()
    difference[:, 1:] -= alpha[:, :-1]  # modulo 256
    return compress(difference.tobytes())


def unpack_alpha(chunk: bytes, frames: int, height: int, width: int) -> Pixels:
    """Return the planes of a chunk; raises Corrupt if its number of samples differs."""
    raw = decompress(chunk, frames * height * width, exact=True)
    difference = np.frombuffer(raw, np.uint8).reshape(frames, height, width)
    return np.cumsum(difference, axis=1, dtype=np.uint8)
