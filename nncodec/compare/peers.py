"""The codecs of other people that models are measured against, each with the options its users would choose.

JPEG, WebP and AVIF are Pillow's own; JPEG XL comes with `pillow-jxl-plugin`, where that is installed. JPEG and AVIF are
listed twice: with chroma subsampling, as most people use them, and without it, AVIF also tuned for PSNR rather than for
the eye. That reaches the higher PSNR on RGB, which is what learned codecs are trained for and judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import features

from nncodec._support.extras import is_installed


@dataclass(frozen=True)
class Peer:
    """How a codec is used.

    Args:
        label: for plots and tables.
        format: Pillow's name for it.
        settings: options of `Image.save` beside the quality.
        options: the same for people.
        qualities: every quality there is, worst first.
        ladder: those that a curve is drawn through.
        feature: what Pillow calls it in `features`; None where it needs a module instead.
        module: the module that registers it with Pillow.
        package: what to install where it is missing.
    """

    label: str
    format: str
    settings: Mapping[str, Any]
    options: str
    qualities: range
    ladder: Sequence[int]
    feature: str | None = None
    module: str | None = None
    package: str = field(default="a Pillow that was built with it")

    @property
    def installed(self) -> bool:
        """Whether it can be used here."""
        if self.module is not None:
            return is_installed(self.module)
        return self.feature is None or bool(features.check(self.feature))


_STEPS = (10, 20, 30, 40, 50, 60, 70, 80, 90)

PEERS = {
    "jpeg": Peer(
        label="JPEG",
        format="JPEG",
        settings={"optimize": True, "progressive": True, "subsampling": "4:2:0"},
        options="optimized, progressive, 4:2:0",
        qualities=range(1, 101),
        ladder=(5, *_STEPS, 95),
        feature="jpg",
    ),
    "jpeg444": Peer(
        label="JPEG 4:4:4",
        format="JPEG",
        settings={"optimize": True, "progressive": True, "subsampling": "4:4:4"},
        options="optimized, progressive, 4:4:4",
        qualities=range(1, 101),
        ladder=(5, *_STEPS, 95),
        feature="jpg",
    ),
    "webp": Peer(
        label="WebP",
        format="WEBP",
        settings={"method": 6},
        options="method 6",
        qualities=range(101),
        ladder=(0, *_STEPS, 95),
        feature="webp",
    ),
    "avif": Peer(
        label="AVIF",
        format="AVIF",
        settings={"speed": 6, "subsampling": "4:2:0"},
        options="speed 6, 4:2:0",
        qualities=range(101),
        ladder=_STEPS,
        feature="avif",
    ),
    "avif-psnr": Peer(
        label="AVIF for PSNR",
        format="AVIF",
        settings={"speed": 6, "subsampling": "4:4:4", "advanced": {"tune": "psnr"}},
        options="speed 6, 4:4:4, tune=psnr",
        qualities=range(101),
        ladder=_STEPS,
        feature="avif",
    ),
    "jxl": Peer(
        label="JPEG XL",
        format="JXL",
        settings={"effort": 7},
        options="effort 7",
        qualities=range(100),  # at 100 it is lossless, and its encoder wants to be told so
        ladder=(*_STEPS, 95),
        module="pillow_jxl",
        package="pillow-jxl-plugin",
    ),
}
"""Every peer by name; any other format that Pillow writes with a quality is `pillow:FORMAT`, see `codecs`."""
