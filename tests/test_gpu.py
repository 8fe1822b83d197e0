"""On a real GPU: files decode to the same latents as on the processor, and to the same pixels within one level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from click.testing import CliRunner
from golden_files import GOLDEN
from PIL import Image
from torch import Tensor

import nncodec
from nncodec import metrics
from nncodec.cli import main
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.format.container import Container
from nncodec.nn.fixed_point import ACTIVATION_LIMIT, ExactConv2d, exact_addmm
from nncodec.nn.precision import all_of_float32
from nncodec.nn.tensors import to_tensor
from nncodec.plugin import registry
from nncodec.plugin.latents import Latents
from nncodec.plugin.model_file import read_model
from nncodec.torch import decode_batch
from nncodec.training.losses import multiscale_similarity, ssimulacra2_distance
from nncodec_hyperprior.coding import code_latents, hard_rounding
from nncodec_hyperprior.starting import network_from

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")

PHOTO = Image.fromarray(skimage.data.astronaut())
DIGIT = PHOTO.convert("L").resize((28, 28))
MODELS = {"hyperprior/photo": PHOTO, "conv/photo": PHOTO, "conv/digits": DIGIT, "dense/fashion": DIGIT}


def latents_of(data: bytes) -> Latents:
    container = Container(data)
    return block_latents(container, open_file_model(container), 0)


def levels(one: object, other: object) -> int:
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("model", MODELS)
def test_files_are_those_of_the_processor(model: str, quality: int) -> None:
    rate = quality if registry.open_model(model).traits.qualities else None
    files = {
        device: nncodec.encode(
            MODELS[model], model, rate, lossless=False, verify=True, precision="float32", device=device
        )
        for device in ("cpu", "cuda")
    }
    latents = {device: latents_of(data) for device, data in files.items()}
    for name, expected in latents["cpu"].items():
        # A latent in the middle between two steps may round to either, and in context changes those after it a little.
        assert (latents["cuda"][name] != expected).mean() < 0.02, name
    for data in files.values():
        decoded = {device: nncodec.decode(data, precision="float32", device=device) for device in files}
        assert levels(decoded["cpu"], decoded["cuda"]) <= 1
        assert levels(decoded["cpu"], nncodec.decode(data, device="cuda")) <= 4


@pytest.mark.parametrize("path", sorted((GOLDEN / "v1").glob("*.nnc")), ids=lambda path: path.stem)
def test_golden_files_decode_within_one_level(path: Path) -> None:
    if Container(path).header.samples:
        pytest.skip("exact pictures are decoded on the processor")
    frames = {
        device: [np.asarray(frame) for frame in nncodec.decode_frames(path, precision="float32", device=device)]
        for device in ("cpu", "cuda")
    }
    assert max(map(levels, frames["cpu"], frames["cuda"])) <= 1


def test_tensors_stay_on_the_gpu() -> None:
    pictures = [PHOTO.crop((0, 0, 96, 64)), PHOTO.crop((96, 0, 192, 64))]
    files = nncodec.encode_batch(pictures, quality=60, lossless=False)
    tensors = decode_batch(files, device="cuda", precision="float32")
    for tensor, data in zip(tensors, files, strict=True):
        assert tensor.is_cuda
        assert levels(tensor.permute(1, 2, 0).cpu(), nncodec.decode(data, precision="float32")) <= 1


def test_refined_files_are_about_those_of_the_processor() -> None:
    picture = PHOTO.crop((160, 40, 288, 168))
    refined = {
        device: nncodec.encode(picture, effort=3, lossless=False, precision="float32", device=device)
        for device in ("cpu", "cuda")
    }
    assert len(refined["cuda"]) == pytest.approx(len(refined["cpu"]), rel=0.02)
    decoded = {device: nncodec.decode(data, precision="float32") for device, data in refined.items()}
    psnr_db = {device: metrics.psnr(picture, image) for device, image in decoded.items()}
    assert psnr_db["cuda"] == pytest.approx(psnr_db["cpu"], abs=0.1)


@pytest.mark.parametrize(("enhancer", "strength"), [("restore", 0.0), ("restore", 1.0), ("x4", 0.5)])
def test_enhancers_give_the_same_picture(enhancer: str, strength: float) -> None:
    picture = PHOTO.crop((160, 40, 288, 168))
    enhanced = [
        nncodec.enhance(picture, enhancer, strength=strength, precision="float32", device=device)
        for device in ("cpu", "cuda")
    ]
    assert levels(*enhanced) <= 1


@pytest.mark.parametrize("loss", [ssimulacra2_distance, multiscale_similarity])
@pytest.mark.parametrize("amount", [0.002, 0.05])
def test_losses_are_those_of_the_processor(loss: Callable[[Tensor, Tensor], Tensor], amount: float) -> None:
    torch.manual_seed(0)
    original = to_tensor(np.asarray(PHOTO)[None, 100:356, 100:356])
    restored = original + amount * torch.randn_like(original)
    # They are differences of large sums, of which TF32 would leave nothing.
    assert loss(restored.cuda(), original.cuda()).item() == pytest.approx(loss(restored, original).item(), rel=1e-3)


def test_training_sees_the_contexts_that_a_decoder_sees() -> None:
    file = registry.catalog().models["hyperprior/photo"].path
    network = network_from(read_model(file))
    pixels = to_tensor(np.asarray(PHOTO)[None, 100:228, 100:228])
    quality = torch.tensor([90.0])
    with torch.no_grad():
        latents = network.transforms.analysis(pixels) * network.transforms.gain(quality)
        hyper = torch.randint(-3, 4, (1, 64, 4, 4)).float()
        expected = code_latents(network.prior, latents, hyper, quality, hard_rounding)
        network.cuda()
        with all_of_float32(torch.device("cuda")):
            found = code_latents(network.prior, latents.cuda(), hyper.cuda(), quality.cuda(), hard_rounding)
    assert torch.equal(found[0].cpu(), expected[0])


def test_a_model_is_trained_on_a_gpu(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, left in enumerate(range(0, 384, 128)):
        PHOTO.crop((left, 0, left + 128, 128)).save(pictures / f"{number}.png")
    output = tmp_path / "own.safetensors"
    arguments = ["hyperprior", str(pictures), "-o", str(output), "--from", "photo", "--device", "cuda"]
    options = ["--steps", "3", "--crop", "64", "--batch-size", "2", "--run", str(tmp_path / "run")]
    done = CliRunner().invoke(main, ["train", *arguments, *options, "--set", "table_megapixels=0.02"])
    assert done.exit_code == 0, done.output
    assert output.stat().st_size > 1e6


@pytest.mark.parametrize("setting", ["ieee", "tf32"])
def test_exact_layers_refuse_tf32(setting: str) -> None:
    torch.manual_seed(0)
    layer = ExactConv2d(8, 32, 1)
    weight = torch.randint(-4000, 4001, (32, 8, 1, 1)).numpy().astype(np.int16)  # more bits than TF32 keeps
    layer.set_steps(weight, np.zeros(32, np.int32))
    inputs = torch.randint(-ACTIVATION_LIMIT, ACTIVATION_LIMIT + 1, (1, 8, 8, 8)).float()
    expected = layer(inputs)
    settings = [torch.backends.cudnn.conv, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
    before = [one.fp32_precision for one in settings]
    try:
        for one in settings:
            one.fp32_precision = setting
        assert torch.equal(layer.cuda()(inputs.cuda()).cpu(), expected)
        rows, matrix = inputs[0].flatten(1).T.contiguous(), torch.from_numpy(weight[..., 0, 0].astype(np.float32)).T
        sums = exact_addmm(torch.zeros(32), rows, matrix)
        assert torch.equal(exact_addmm(torch.zeros(32).cuda(), rows.cuda(), matrix.cuda()).cpu(), sums)
    finally:
        for one, value in zip(settings, before, strict=True):
            one.fp32_precision = value
