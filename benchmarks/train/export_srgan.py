"""Turn enhancers that `nncodec train srgan` has trained into the model files that ship with the plugin.

    python benchmarks/train/export_srgan.py srgan/x4 x4-gan.safetensors --earlier x4-content.safetensors

Tensors stay as they are, and so does the digest of a file; its card gains where the photographs are from, their
licences, and how all parts were trained.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import PHOTO_SOURCES

from nncodec.plugin.model_file import ModelFile, read_model, write_model

WEIGHTS = Path("plugins/nncodec_srgan/weights")
_SUMMARIES = {
    "srgan/x4": "pictures enlarged four times",
    "srgan/restore": "what photo makes of photographs at qualities up to 30, restored",
}
_DATA = {
    "srgan/x4": "photos",
    "srgan/restore": "photos in four orientations, and what hyperprior/photo makes of them at qualities 5 to 15; in a "
    "fifth, at 15 to 45",
}


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(_SUMMARIES), help="what it is to be called")
    parser.add_argument("trained", type=Path, help="the model file of the last part")
    parser.add_argument("--earlier", type=Path, nargs="*", default=[], help="those of earlier parts, first to last")
    parser.add_argument("--output", type=Path, help="by default the plugin's own weights file of that name")
    options = parser.parse_args()
    trained = read_model(options.trained)
    parts = [read_model(path) for path in options.earlier]
    card = {
        "summary": _SUMMARIES[options.name],
        "licence": "Apache-2.0",
        "training_data": f"{_DATA[options.name]}:{trained.card['training_data'].partition(':')[2]}",
        "sources": PHOTO_SOURCES,
        "hardware": "2 CPU cores",
        "parts": [_part(one) for one in (*parts, trained)],
    }
    output = options.output or WEIGHTS / f"{options.name.rpartition('/')[2]}.safetensors"
    output.parent.mkdir(parents=True, exist_ok=True)
    written = write_model(
        output,
        architecture=trained.architecture,
        config=trained.config,
        name=options.name,
        card=card,
        tensors=trained.tensors,
    )
    print(f"{output}: {written.name}, {output.stat().st_size:,} bytes, digest {written.digest[:16]}")
    print(card)


def _part(trained: ModelFile) -> dict[str, Any]:
    """Return what a model's card says of its training."""
    return {key: trained.card[key] for key in ("training", "measured", "base") if key in trained.card}


if __name__ == "__main__":
    main()
