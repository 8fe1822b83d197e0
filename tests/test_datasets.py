"""What the bundled models promise on the public test sets; skipped where NNCODEC_DATA does not name them."""

from __future__ import annotations

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import nncodec
from nncodec import registry
from nncodec.cli import main
from nncodec.nn.tensors import to_tensor
from nncodec.training.data import Pixels, read_idx
from nncodec.training.losses import bce
from nncodec_conv.codec import DigitsCodec

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def ten_thousand(folder: Path) -> Pixels:
    """Return the 10,000 test pictures of a set of the MNIST family."""
    path = folder / "t10k-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip(f"there is no {path.name} in {folder.name}")
    return read_idx(path)


def rate_distortion() -> ModuleType:
    """Return the benchmark's module."""
    pytest.importorskip("bjontegaard", reason="install the extra 'compare'")
    spec = importlib.util.spec_from_file_location("rate_distortion", BENCHMARKS / "rate_distortion.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def mse(decoded: list[Image.Image], pictures: Pixels) -> float:
    """Return the mean squared error of pixels in 0..1."""
    stacked = np.stack([np.asarray(image) for image in decoded])
    return float(np.square((stacked.astype(float) - pictures) / 255).mean())


def test_fashion_takes_half_of_what_webp_does_at_its_error(data_folder: Path) -> None:
    pictures = ten_thousand(data_folder / "fashion-mnist")
    images = [Image.fromarray(picture) for picture in pictures]
    files = nncodec.encode_batch(images, "dense/fashion")
    assert max(map(len, files)) <= 56
    assert mse(nncodec.decode_batch(files), pictures) <= 0.0077
    stack = nncodec.encode(images, "dense/fashion")
    assert len(stack) <= 26 * len(images)
    assert mse(list(nncodec.decode_frames(stack)), pictures) <= 0.0077


def test_digits_reach_the_loss_of_their_description(data_folder: Path) -> None:
    pixels = to_tensor(ten_thousand(data_folder / "mnist")[..., None])
    codec = registry.open_model("conv/digits")
    assert isinstance(codec, DigitsCodec)
    with torch.inference_mode():
        assert bce(codec.network(pixels, quantized=False), pixels).item() <= 0.0910


def test_every_kodak_picture_goes_through_the_command_line(data_folder: Path, tmp_path: Path) -> None:
    originals = sorted((data_folder / "kodak").glob("*.png"))
    if not originals:
        pytest.skip("there is no kodak folder")
    run = CliRunner().invoke(main, ["encode", *map(str, originals), "-o", str(tmp_path / "coded")])
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(main, ["decode", "-r", str(tmp_path / "coded"), "-o", str(tmp_path / "back")])
    assert run.exit_code == 0, run.output
    for original in originals:
        with Image.open(original) as before, Image.open(tmp_path / "back" / original.name) as after:
            assert (before.mode, before.size) == (after.mode, after.size)
            assert np.square(np.asarray(before, float) - np.asarray(after, float)).mean() < 150


def test_the_photo_model_is_at_least_a_fifth_smaller_than_jpeg_on_kodak(data_folder: Path) -> None:
    if not (data_folder / "kodak").is_dir():
        pytest.skip("there is no kodak folder")
    benchmark = rate_distortion()
    pictures = benchmark.load("kodak")

    def ours(image: Image.Image, quality: int) -> tuple[bytes, Image.Image]:
        data = nncodec.encode(image, "conv/photo", quality, coder="zstd")
        return data, nncodec.decode(data)

    settings, qualities = benchmark.PEERS["JPEG"]
    jpeg = benchmark.curve(benchmark.pillow_codec("JPEG", settings), qualities, pictures)
    curve = benchmark.curve(ours, (5, 25, 50, 75, 95), pictures)
    assert benchmark.bd_rate(jpeg, curve) <= -20
    for lower, higher in pairwise(curve):
        assert lower["bpp"] < higher["bpp"]
        assert lower["psnr_db"] < higher["psnr_db"]
