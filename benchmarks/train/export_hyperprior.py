"""Turn a checkpoint of `hyperprior_photo.py` into the model file of `hyperprior/photo`: round weights, fit tables.

    python benchmarks/train/export_hyperprior.py --run runs/hyperprior_photo

Tables are fitted on training photographs; the held-back ones only measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from common import PHOTO_SOURCES, data_folder
from hyperprior_photo import HELD_BACK

from nncodec.format.entropy import ideal_bits
from nncodec.plugin.latents import Latents, Pixels
from nncodec.plugin.model_file import ModelFile, write_model
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.data import list_pictures, load_pictures, split_by_name
from nncodec_hyperprior.codec import HYPER_STRIDE, HyperpriorCodec, model_config
from nncodec_hyperprior.network import NetworkConfig
from nncodec_hyperprior.packing import packed_tensors
from nncodec_hyperprior.starting import fresh_network
from nncodec_hyperprior.training import HyperpriorTask

MEASURED_AT = (0, 10, 30, 50, 70, 90, 100)


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/hyperprior_photo"))
    parser.add_argument("--pictures", type=int, default=32, help="training photographs to fit tables on")
    parser.add_argument("--output", type=Path, default=Path("plugins/nncodec_hyperprior/weights/photo.safetensors"))
    options = parser.parse_args()
    state = load_checkpoint(options.run / "checkpoint.pt")
    task = HyperpriorTask(fresh_network(NetworkConfig()))
    task.load_state_dict(state["model"])
    network = task.network.eval()
    training, held_back = split_by_name(list_pictures(data_folder("photos")), HELD_BACK)
    chosen = [training[i] for i in np.random.default_rng(0).permutation(len(training))[: options.pictures]]
    tensors = packed_tensors(network, load_pictures(chosen), print)
    model_file = ModelFile("hyperprior", model_config(network.config), "hyperprior/photo", {}, "", tensors=tensors)
    card = {
        "summary": "photographs of any size, colour and grey, quality 0..100 in one model",
        "licence": "Apache-2.0",
        "training_data": f"{len(training)} photographs and graphics of {len(training) + len(held_back)} in the sources",
        "sources": PHOTO_SOURCES,
        "training": {
            "steps": int(state["step"]),
            "minutes": round(state["elapsed_s"] / 60),
            "hardware": "2 CPU cores",
            "transforms_started_from": "conv/photo",
        },
        "measured": measure(HyperpriorCodec.from_file(model_file), load_pictures(held_back)),
        "measured_on": f"{len(held_back)} photographs held back from the training set; bits per pixel are ideal",
    }
    print(card)
    write_model(
        options.output,
        architecture=model_file.architecture,
        config=model_file.config,
        name=model_file.name,
        card=card,
        tensors=model_file.tensors,
    )


def encode(codec: HyperpriorCodec, picture: Pixels, quality: int, effort: int = 0) -> Latents:
    """Return the latents of a picture, cut to whole hyper-latents."""
    pixels = _cropped(picture)[None]
    return codec.quantize(codec.analysis(pixels, quality, effort), pixels, quality, effort)


def measure(codec: HyperpriorCodec, pictures: Sequence[Pixels]) -> dict[str, dict[str, float]]:
    """Return ideal rate and PSNR at some qualities, means over pictures."""
    results = {}
    for quality in MEASURED_AT:
        rates, psnrs = [], []
        for picture in pictures:
            pixels = _cropped(picture)[None]
            latents = encode(codec, picture, quality)
            error = (codec.synthesis(latents, quality).astype(float) - pixels) ** 2
            bits = ideal_bits(latents, codec.entropy(quality), codec.traits.latents)
            rates.append(bits / (pixels.shape[1] * pixels.shape[2]))
            psnrs.append(10 * np.log10(255**2 / error.mean()))
        results[str(quality)] = {"bpp": round(float(np.mean(rates)), 4), "psnr_db": round(float(np.mean(psnrs)), 2)}
    return results


def _cropped(picture: Pixels) -> Pixels:
    height, width = (n // HYPER_STRIDE * HYPER_STRIDE for n in picture.shape[:2])
    return picture[:height, :width]


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
