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

from nncodec.latents import IntArray
from nncodec.model import Pixels
from nncodec.model_file import ModelFile, write_model
from nncodec.nn.tensors import to_tensor, with_file_precision
from nncodec.training.checkpoint import load_checkpoint
from nncodec.training.data import list_pictures, load_pictures, split_by_name
from nncodec_conv.fitting import fit_contexts
from nncodec_conv.photo import LATENT, PhotoCodec, photo_tensors
from nncodec_conv.photo_network import STRIDE, PhotoConfig, PhotoNetwork
from nncodec_conv.training import PhotoTask

GROUPS = (3, 5, 8, 16, 32, 48, 80)
RANKING_QUALITY = 40
DEAD_ZONE = 0.06


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
    fitted = fit(network, load_pictures(chosen), options.dead_zone)
    config = {**network.config.__dict__, "groups": list(GROUPS), "dead_zone": options.dead_zone}
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
        options.output, architecture="conv-photo", config=config, name="conv/photo", card=card, tensors=fitted.tensors
    )


def fit(network: PhotoNetwork, pictures: Sequence[Pixels], dead_zone: float) -> ModelFile:
    """Fit centres, order and contexts, and return the model as a file in memory."""
    latents = [_analysis(network, picture) for picture in pictures]
    flat = np.concatenate([values.reshape(values.shape[1], -1) for values in latents], axis=1)
    centre = np.median(flat, axis=1).astype(np.float32)
    size = np.abs(np.round((flat - centre[:, None]) * _gain(network, RANKING_QUALITY)[:, None])).mean(axis=1)
    order = np.argsort(-size)
    del flat

    def at_quality(quality: int) -> list[IntArray]:
        gain = _gain(network, quality)[:, None, None]
        scaled = [((values[0] - centre[:, None, None]) * gain)[order][None] for values in latents]
        return [(np.sign(s) * np.floor(np.abs(s) + 0.5 - dead_zone)).astype(np.int32) for s in scaled]

    contexts = fit_contexts(at_quality, GROUPS, on_progress=lambda line: print(line, flush=True))
    config = {**network.config.__dict__, "groups": list(GROUPS), "dead_zone": dead_zone}
    return ModelFile(
        "conv-photo", config, "conv/photo", {}, "", tensors=photo_tensors(network, order, centre, contexts)
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


def _analysis(network: PhotoNetwork, picture: Pixels) -> np.ndarray:
    with torch.inference_mode():
        return network.analysis(to_tensor(_cropped(picture)[None])).numpy()


def _gain(network: PhotoNetwork, quality: int) -> np.ndarray:
    with torch.inference_mode():
        return network.gain(torch.tensor([float(quality)]))[0, :, 0, 0].numpy()


def _cropped(picture: Pixels) -> Pixels:
    height, width = (n // STRIDE * STRIDE for n in picture.shape[:2])
    return picture[:height, :width]


if __name__ == "__main__":
    main()
