"""Turn a model file that `nncodec train` has written into the one that ships with a plugin.

    python -m benchmarks.train.export dense/fashion fashion.safetensors
    python -m benchmarks.train.export srgan/x4 x4-gan.safetensors --earlier x4-content.safetensors
    python -m benchmarks.train.export hyperprior/photo hyperprior_photo.safetensors --measure

`nncodec train` refuses the name of an installed model and knows neither the sources of the photographs nor the earlier
parts of a training. This script sets the name and writes a new card; the tensors, and so the digest, stay the same.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring.data import split_photographs
from benchmarks.measuring.models import use_models
from benchmarks.measuring.records import ROOT
from nncodec.compare import compare
from nncodec.plugin.model_file import ModelFile, ModelInfo, read_model, write_model

SOURCES = {
    "BuddiesOfBudgie/budgie-backgrounds": "CC0 1.0",
    "Ivordir/Okolors": "Unsplash License",
    "QubesOS/qubes-artwork": "Unsplash License, NASA public domain",
    "getsolus/artwork": "public domain, CC0, CC BY, CC BY-SA, per picture",
    "hoojaoh/data-stunning": "CC BY-SA 1.0-4.0, FAL, GFDL, per picture (Wikimedia)",
    "imazen/codec-corpus": "CC BY-SA 4.0",
    "immich-app/test-assets": "public domain",
    "linuxdeepin/deepin-wallpapers": "Unsplash License",
    "marcespie/openbsd-backgrounds": "CC BY 4.0",
    "pierotofy/drone_dataset_brighton_beach": "BSD-2-Clause",
    "pop-os/wallpapers": "Unsplash License",
    "rose-pine/wallpapers": "CC BY-SA 4.0",
    "tetiana-kolmychek/oceanic-awesomewm-theme": "CC0 (Pexels)",
}
"""Public repositories of the photographs, with the licences they state."""

MEASURED_AT = (0, 10, 30, 50, 70, 90, 100)

_HELD_BACK = 0.04  # as in conv_photo.toml and hyperprior_photo.toml
_PHOTO = "photographs of any size, colour and grey, quality 0..100 in one model"


@dataclass(frozen=True)
class Bundled:
    """A model that ships with a plugin.

    Args:
        weights: its file, from the root of the repository.
        summary: for the card.
        data: what it was trained on, for the card.
        sources: of the training pictures, with licences.
    """

    weights: str
    summary: str
    data: str
    sources: Mapping[str, str]


BUNDLED = {
    "dense/fashion": Bundled(
        "plugins/nncodec_dense/weights/fashion.safetensors",
        "LD32E3D3: grey pictures of clothing, 28 x 28, 32 latents of 64 levels",
        "Fashion-MNIST training set (Zalando, MIT licence)",
        {},
    ),
    "conv/digits": Bundled(
        "plugins/nncodec_conv/weights/digits.safetensors",
        "handwritten digits, grey 28 x 28, 128 codes of 16 levels",
        "MNIST training set",
        {},
    ),
    "conv/photo": Bundled("plugins/nncodec_conv/weights/photo.safetensors", _PHOTO, "photos", SOURCES),
    "hyperprior/photo": Bundled("plugins/nncodec_hyperprior/weights/photo.safetensors", _PHOTO, "photos", SOURCES),
    "hyperprior/photo-psnr": Bundled(
        "plugins/nncodec_hyperprior/weights/photo-psnr.safetensors",
        f"{_PHOTO}, trained for squared error",
        "photos",
        SOURCES,
    ),
    "srgan/x4": Bundled(
        "plugins/nncodec_srgan/weights/x4.safetensors", "pictures enlarged four times", "photos", SOURCES
    ),
    "srgan/restore": Bundled(
        "plugins/nncodec_srgan/weights/restore.safetensors",
        "what photo makes of photographs at qualities up to 20, restored",
        "photos in five orientations, and what hyperprior/photo-psnr makes of them at qualities 5 to 45; then in two, "
        "and what hyperprior/photo makes of them at qualities 0 to 35",
        SOURCES,
    ),
}


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(BUNDLED), help="name of the model")
    parser.add_argument("trained", type=Path, help="the model file of the last part of the training")
    parser.add_argument("--earlier", type=Path, nargs="*", default=[], help="those of earlier parts, in order")
    parser.add_argument("--measure", action="store_true", help="measure rates and PSNR on held-back photographs")
    parser.add_argument("--output", type=Path, help="default: the plugin's own weights file of that name")
    options = parser.parse_args()
    measured = measure(read_model(options.trained)) if options.measure else {}
    written = export(options.name, options.trained, options.earlier, options.output, measured)
    print(f"{written.path}: {written.name}, {written.path.stat().st_size:,} bytes, digest {written.digest[:16]}")
    print(written.card)


def export(
    name: str, trained: Path, earlier: list[Path], output: Path | None, measured: Mapping[str, Any]
) -> ModelInfo:
    """Write the model file that ships and return what it says of itself.

    Args:
        name: a key of `BUNDLED`.
        trained: the model file of the last part of the training.
        earlier: those of earlier parts, first to last.
        output: None writes the plugin's own file.
        measured: further keys of the card.
    """
    bundled, model = BUNDLED[name], read_model(trained)
    card = {
        "summary": bundled.summary,
        "licence": "Apache-2.0",
        "training_data": f"{bundled.data}:{model.card['training_data'].partition(':')[2]}",
        "sources": dict(bundled.sources),
        "hardware": "2 CPU cores",
        "parts": [part for trained in (*map(read_model, earlier), model) for part in _parts(trained)],
        **measured,
    }
    output = output or ROOT / bundled.weights
    output.parent.mkdir(parents=True, exist_ok=True)
    return _write(model, output, name, card)


def measure(model: ModelFile) -> dict[str, Any]:
    """Return a photo model's mean rate and PSNR at some qualities, on held-back photographs and through real files."""
    _, held_back = split_photographs(_HELD_BACK)
    name = "candidate/photo"
    with tempfile.TemporaryDirectory() as folder:
        _write(model, Path(folder) / "candidate.safetensors", name, {})
        use_models(Path(folder))
        comparison = compare(held_back, [name], qualities={name: MEASURED_AT})
    points = {
        str(point.quality): {"bpp": round(point.bpp, 4), "psnr_db": round(point.psnr_db, 2)}
        for point in comparison.mean_curve(name)
    }
    about = f"{len(held_back)} photographs held back from the training set; bits per pixel are those of whole files"
    return {"measured": points, "measured_on": about}


def _write(model: ModelFile, path: Path, name: str, card: Mapping[str, Any]) -> ModelInfo:
    return write_model(
        path, architecture=model.architecture, config=model.config, name=name, card=card, tensors=model.tensors
    )


def _parts(trained: ModelFile) -> list[dict[str, Any]]:
    """Return what a model's card says of its training: each part of a bundled model's, or one."""
    if "parts" in trained.card:
        return list(trained.card["parts"])
    return [{key: trained.card[key] for key in ("training", "measured", "base") if key in trained.card}]


if __name__ == "__main__":
    main()
