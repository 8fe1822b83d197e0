"""The bundled models keep their promises on public test sets; NNCODEC_DATA names their folder, or these skip."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import nncodec
import nncodec_pillow
from benchmarks.measuring.data import middle
from nncodec import metrics
from nncodec.cli import main
from nncodec.compare import PEERS, CurvePoint, bd_delta, bd_rate, compare
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import registry
from nncodec.plugin.latents import Pixels
from nncodec.training.data import read_idx
from nncodec.training.losses import bce
from nncodec_conv.codec import DigitsCodec

pytestmark = pytest.mark.slow
Curve = list[CurvePoint]
CROP = (384, 256)  # a quarter of a Kodak picture


def ten_thousand(folder: Path) -> Pixels:
    """Return the 10,000 test images of a data set in MNIST's format."""
    path = folder / "t10k-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip(f"there is no {path.name} in {folder.name}")
    return read_idx(path)


@pytest.fixture(scope="module")
def kodak(data_folder: Path) -> list[Path]:
    """Return every fourth picture of Kodak, one of them upright; the figures in this file are of them."""
    paths = sorted((data_folder / "kodak").glob("*.png"))[2::4]
    if not paths:
        pytest.skip("there is no kodak folder")
    return paths


@pytest.fixture(scope="module")
def kodak_crops(kodak: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return files of the middle of each picture."""
    folder = tmp_path_factory.mktemp("kodak")
    for path in kodak:
        with Image.open(path) as picture:
            size = CROP if picture.width > picture.height else CROP[::-1]
            crop = middle(picture.convert("RGB"), *size)
            crop.info.clear()
            crop.save(folder / path.name)
    return sorted(folder.iterdir())


def mse(decoded: list[Image.Image], pictures: Pixels) -> float:
    """Return the mean squared error of pixels in 0..1."""
    stacked = np.stack([np.asarray(image) for image in decoded])
    return float(np.square((stacked.astype(float) - pictures) / 255).mean())


def test_fashion_takes_half_of_what_webp_does_at_its_error(data_folder: Path) -> None:
    pictures = ten_thousand(data_folder / "fashion-mnist")[::8]
    images = [Image.fromarray(picture) for picture in pictures]
    files = nncodec.encode_batch(images, "dense/fashion", lossless=False)
    assert max(map(len, files)) <= 56
    assert mse(nncodec.decode_batch(files), pictures) <= 0.0077
    stack = nncodec.encode(images, "dense/fashion", lossless=False)
    assert len(stack) <= 26 * len(images)
    assert mse(list(nncodec.decode_frames(stack)), pictures) <= 0.0077


def test_digits_reach_the_loss_of_their_description(data_folder: Path) -> None:
    pixels = to_tensor(ten_thousand(data_folder / "mnist")[..., None])
    codec = registry.open_model("conv/digits")
    assert isinstance(codec, DigitsCodec)
    with torch.inference_mode():
        assert bce(codec._network.module(pixels, quantized=False), pixels).item() <= 0.0910


def test_kodak_pictures_go_through_the_command_line(kodak: list[Path], kodak_crops: list[Path], tmp_path: Path) -> None:
    paths = [kodak[0], *kodak_crops[1:]]
    run = CliRunner().invoke(main, ["encode", *map(str, paths), "-o", str(tmp_path / "coded")])
    assert run.exit_code == 0, run.output
    run = CliRunner().invoke(main, ["decode", "-r", str(tmp_path / "coded"), "-o", str(tmp_path / "back")])
    assert run.exit_code == 0, run.output
    for original in paths:
        with Image.open(original) as before, Image.open(tmp_path / "back" / original.name) as after:
            assert (before.mode, before.size) == (after.mode, after.size)
            assert np.square(np.asarray(before, float) - np.asarray(after, float)).mean() < 150


def curve(encode: Callable[[Image.Image, int], bytes], qualities: Sequence[int], paths: Sequence[Path]) -> Curve:
    """Return mean rate and PSNR of images at each quality, from files that Pillow opens."""
    points = []
    for quality in qualities:
        rates, psnrs = [], []
        for path in paths:
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
            picture.info.clear()
            data = encode(picture, quality)
            with Image.open(io.BytesIO(data)) as decoded:
                psnrs.append(metrics.psnr(picture, decoded.convert("RGB")))
            rates.append(8 * len(data) / (picture.width * picture.height))
        points.append(CurvePoint(float(np.mean(rates)), float(np.mean(psnrs))))
    return points


def test_the_photo_model_for_psnr_beats_jpeg_and_webp_on_kodak(kodak_crops: list[Path]) -> None:
    """Three crops give -54.3% and -27.0%, all six -52.6% and -23.3%; two points are for other machines and encoders."""
    pytest.importorskip("bjontegaard", reason="install the extra 'compare'")

    def peer(format: str, **settings: object) -> Callable[[Image.Image, int], bytes]:
        def encode(picture: Image.Image, quality: int) -> bytes:
            buffer = io.BytesIO()
            picture.save(buffer, format, quality=quality, **settings)
            return buffer.getvalue()

        return encode

    nncodec_pillow.register_nnc_opener()
    crops = kodak_crops[1::2]
    ours = curve(
        lambda picture, quality: nncodec.encode(picture, "hyperprior/photo-psnr", quality),
        range(0, 101, 25),
        crops,
    )
    qualities = (10, 30, 50, 70, 90)
    jpeg = curve(peer("JPEG", optimize=True, progressive=True, subsampling="4:2:0"), qualities, crops)
    webp = curve(peer("WEBP", method=6), qualities, crops)
    for reference, most in ((jpeg, -52), (webp, -25)):
        difference = bd_rate(reference, ours)
        assert difference is not None
        assert difference <= most
    for lower, higher in pairwise(ours):
        assert lower.bpp < higher.bpp
        assert (lower.psnr_db or 0) < (higher.psnr_db or 0)


def test_the_photo_model_beats_avif_by_looks_on_kodak(kodak_crops: list[Path]) -> None:
    """Three crops; the 24 whole pictures give -21.7% by SSIMULACRA2 and -19.2% by MS-SSIM."""
    pytest.importorskip("bjontegaard", reason="install the extra 'compare'")
    if not PEERS["avif"].installed:
        pytest.skip("this Pillow has no AVIF")
    qualities = {"photo": (20, 55, 90), "avif": (25, 50, 80)}
    comparison = compare(kodak_crops[::2], list(qualities), qualities=qualities)
    for metric, most in (("ssimulacra2", -16), ("ms_ssim", -12)):
        delta = bd_delta(comparison.mean_curve("avif"), comparison.mean_curve("photo"), metric)
        assert delta.rate_percent is not None
        assert delta.rate_percent < most


def test_restore_makes_kodak_better_at_low_quality_for_no_bytes(kodak_crops: list[Path]) -> None:
    """The crops gain 0.34 dB, the 24 whole pictures 0.27 dB."""
    gains, similarities = [], []
    for path in kodak_crops:
        with Image.open(path) as picture:
            data = nncodec.encode(picture, "hyperprior/photo", 10)
            plain, restored = nncodec.decode(data), nncodec.decode(data, enhancer="srgan/restore")
            gains.append(metrics.psnr(picture, restored) - metrics.psnr(picture, plain))
            similarities.append(metrics.ms_ssim(picture, restored) - metrics.ms_ssim(picture, plain))
    assert np.mean(gains) >= 0.29
    assert np.mean(similarities) >= 0


@pytest.mark.parametrize(("name", "least"), [("set5", 1.5), ("set14", 1.0)])
def test_x4_is_better_than_bicubic_interpolation(data_folder: Path, name: str, least: float) -> None:
    """The targets apply to luma without four pixels along the edges. Of Set14, every third picture is enough."""
    paths = sorted((data_folder / name).glob("*.png"))[:: 3 if name == "set14" else 1]
    if not paths:
        pytest.skip(f"there is no {name} folder")

    def brightness(image: Image.Image) -> np.ndarray:
        return (np.asarray(image, float) @ [65.481, 128.553, 24.966] / 255)[4:-4, 4:-4]

    gains = []
    for path in paths:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        picture = picture.crop((0, 0, picture.width // 4 * 4, picture.height // 4 * 4))
        small = picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.BICUBIC)
        errors = [
            np.square(brightness(larger) - brightness(picture)).mean()
            for larger in (small.resize(picture.size, Image.Resampling.BICUBIC), nncodec.enhance(small, "srgan/x4"))
        ]
        gains.append(10 * np.log10(errors[0] / errors[1]))
    assert np.mean(gains) >= least
