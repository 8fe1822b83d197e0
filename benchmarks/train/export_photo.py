"""Turn a checkpoint of `conv_photo.py` into the model file of `conv/photo`: fit centres, order and contexts.

    python benchmarks/train/export_photo.py --run runs/conv_photo

Contexts are fitted on training photographs; the held-back ones only measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from common import PHOTO_SOURCES, data_folder
from conv_photo import HELD_BACK

from nncodec.nn.tensors import with_file_precision
from nncodec.plugin.latents import IntArray, Pixels
from nncodec.plugin.model_file import ModelFile, write_model
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.data import list_pictures, load_pictures, split_by_name
from nncodec_conv.packing import DEAD_ZONE, packed_photo
from nncodec_conv.photo import LATENT, PhotoCodec
from nncodec_conv.photo_network import STRIDE, PhotoConfig, PhotoNetwork
from nncodec_conv.training import PhotoTask


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/conv_photo"))
    parser.add_argument("--pictures", type=int, default=160, help="training photographs to fit contexts on")
    parser.add_argument("--dead-zone", type=float, default=DEAD_ZONE)
    parser.add_argument("--output", type=Path, default=Path("plugins/nncodec_conv/weights/photo.safetensors"))
    options = parser.parse_args()
    state = load_checkpoint(options.run / "checkpoint.pt")
    task = PhotoTask(PhotoNetwork(PhotoConfig()))
    task.load_state_dict(state["model"])
    network = with_file_precision(task.network).to(memory_format=torch.channels_last).eval()
    training, held_back = split_by_name(list_pictures(data_folder("photos")), HELD_BACK)
    chosen = [training[i] for i in np.random.default_rng(0).permutation(len(training))[: options.pictures]]
    packed = packed_photo(network, load_pictures(chosen), print, dead_zone=options.dead_zone)
    fitted = ModelFile(packed.architecture, packed.config, "conv/photo", {}, "", tensors=packed.tensors)
    card = {
        "summary": "photographs of any size, colour and grey, quality 0..100 in one model",
        "licence": "Apache-2.0",
        "training_data": f"{len(training)} photographs and graphics of {len(training) + len(held_back)} in the sources",
        "sources": PHOTO_SOURCES,
        "training": {"steps": int(state["step"]), "minutes": round(state["elapsed_s"] / 60), "hardware": "2 CPU cores"},
        "measured": measure(PhotoCodec.from_file(fitted), load_pictures(held_back)),
        "measured_on": f"{len(held_back)} photographs held back from the training set; bits per pixel are ideal",
    }
    print(card)
    write_model(
        options.output,
        architecture=fitted.architecture,
        config=fitted.config,
        name=fitted.name,
        card=card,
        tensors=fitted.tensors,
    )


def measure(codec: PhotoCodec, pictures: Sequence[Pixels]) -> dict[str, dict[str, float]]:
    """Return ideal rate and PSNR at some qualities, means over pictures."""
    results = {}
    for quality in (10, 30, 50, 70, 90):
        rates, psnrs = [], []
        for picture in pictures:
            pixels = _cropped(picture)[None]
            latents = codec.analysis(pixels, quality, 0)
            error = (codec.synthesis(latents, quality).astype(float) - pixels) ** 2
            rates.append(_ideal_bits(codec, latents, quality) / (pixels.shape[1] * pixels.shape[2]))
            psnrs.append(10 * np.log10(255**2 / error.mean()))
        results[str(quality)] = {"bpp": round(float(np.mean(rates)), 4), "psnr_db": round(float(np.mean(psnrs)), 2)}
    return results


def _ideal_bits(codec: PhotoCodec, latents: dict[str, IntArray], quality: int) -> float:
    entropy = codec.entropy(quality)
    tables = entropy.tables
    assert tables is not None
    bits = 0.0
    for number, stage in enumerate(entropy.stages()):
        context = entropy.context(number, latents)
        symbols = latents[LATENT][stage.where] - context.offsets
        column = symbols - tables.minimum
        last = tables.frequencies.shape[1] - 1
        column = np.where((column >= 0) & (column < last), column, last)
        bits -= np.log2(tables.frequencies[context.tables, column] / (1 << tables.precision)).sum()
    return bits


def _cropped(picture: Pixels) -> Pixels:
    height, width = (n // STRIDE * STRIDE for n in picture.shape[:2])
    return picture[:height, :width]


if __name__ == "__main__":
    main()
