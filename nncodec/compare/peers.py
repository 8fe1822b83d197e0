"""Peers: the other codecs that models are measured against, with the options that their users would choose.

Pillow has JPEG, WebP and AVIF; `pillow-jxl-plugin` adds JPEG XL, and `pyjpegli` another encoder of JPEG. JPEG and AVIF
are listed several times: with chroma subsampling, as most people use them, and without it, AVIF also tuned for PSNR and
for SSIMULACRA2. Every measure has an AVIF that was made for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, features

from nncodec._support.extras import is_installed


@dataclass(frozen=True)
class Peer:
    """A codec of Pillow and its options.

    Args:
        label: for plots and tables.
        format: Pillow's name of it.
        save_options: options of `Image.save` beside the quality.
        options: the same for people.
        qualities: all qualities, worst first.
        ladder: the default qualities of a curve.
        feature: its name in `PIL.features`; None if it needs a module instead.
        module: the module that registers it with Pillow.
        package: what to install if it is missing.
        encoder: writes the file in place of Pillow, from a picture of mode L or RGB and a quality.
    """

    label: str
    format: str
    save_options: Mapping[str, Any]
    options: str
    qualities: range
    ladder: Sequence[int]
    feature: str | None = None
    module: str | None = None
    package: str = field(default="a Pillow that was built with it")
    encoder: Callable[[Image.Image, int], bytes] | None = None

    @property
    def installed(self) -> bool:
        """Whether this installation has it."""
        if self.module is not None:
            return is_installed(self.module)
        return self.feature is None or bool(features.check(self.feature))


def _jpegli(image: Image.Image, quality: int) -> bytes:
    package = importlib.import_module("pyjpegli")
    data: bytes = package.encode(image.convert("RGB").tobytes(), *image.size, quality)
    return data


_STEPS = (10, 20, 30, 40, 50, 60, 70, 80, 90)

PEERS = {
    "jpeg": Peer(
        label="JPEG",
        format="JPEG",
        save_options={"optimize": True, "progressive": True, "subsampling": "4:2:0"},
        options="optimized, progressive, 4:2:0",
        qualities=range(1, 101),
        ladder=(5, *_STEPS, 95),
        feature="jpg",
    ),
    "jpeg444": Peer(
        label="JPEG 4:4:4",
        format="JPEG",
        save_options={"optimize": True, "progressive": True, "subsampling": "4:4:4"},
        options="optimized, progressive, 4:4:4",
        qualities=range(1, 101),
        ladder=(5, *_STEPS, 95),
        feature="jpg",
    ),
    "webp": Peer(
        label="WebP",
        format="WEBP",
        save_options={"method": 6},
        options="method 6",
        qualities=range(101),
        ladder=(0, *_STEPS, 95),
        feature="webp",
    ),
    "avif": Peer(
        label="AVIF",
        format="AVIF",
        save_options={"speed": 6, "subsampling": "4:2:0"},
        options="speed 6, 4:2:0, default tuning (iq from libavif 1.4 on)",
        qualities=range(101),
        ladder=_STEPS,
        feature="avif",
    ),
    "avif-psnr": Peer(
        label="AVIF for PSNR",
        format="AVIF",
        save_options={"speed": 6, "subsampling": "4:4:4", "advanced": {"tune": "psnr"}},
        options="speed 6, 4:4:4, tune=psnr",
        qualities=range(101),
        ladder=_STEPS,
        feature="avif",
    ),
    "avif-ssimulacra2": Peer(
        label="AVIF for SSIMULACRA2",
        format="AVIF",
        save_options={"speed": 6, "subsampling": "4:2:0", "advanced": {"tune": "ssimulacra2"}},
        options="speed 6, 4:2:0, tune=ssimulacra2",
        qualities=range(100),  # at 100 the encoder refuses the tuning
        ladder=_STEPS,
        feature="avif",
    ),
    "jxl": Peer(
        label="JPEG XL",
        format="JXL",
        save_options={"effort": 7},
        options="effort 7",
        qualities=range(100),  # 100 is lossless, which its encoder wants as an option of its own
        ladder=(*_STEPS, 95),
        module="pillow_jxl",
        package="pillow-jxl-plugin",
    ),
    "jxl9": Peer(
        label="JPEG XL effort 9",
        format="JXL",
        save_options={"effort": 9},
        options="effort 9",
        qualities=range(100),
        ladder=(*_STEPS, 95),
        module="pillow_jxl",
        package="pillow-jxl-plugin",
    ),
    "jpegli": Peer(
        label="jpegli",
        format="JPEG",
        save_options={},
        options="pyjpegli's own options",
        qualities=range(1, 101),
        ladder=(*_STEPS, 95),
        module="pyjpegli",
        package="pyjpegli",
        encoder=_jpegli,
    ),
}
"""All peers by name; other formats that Pillow writes with a quality are `pillow:FORMAT`, see `codecs`."""
