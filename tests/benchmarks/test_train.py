"""The trainings of the bundled models: settings that their recipes take, and the scripts around `nncodec train`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from tiny_hyperprior import tiny_file, tiny_network
from torch import Tensor, nn

from benchmarks.train import detailed_photo, export, graphics, photo_on_gpu, restore_pairs, widened_photo
from benchmarks.train.soap import Soap
from nncodec.plugin import registry
from nncodec.plugin.model_file import read_model, write_model
from nncodec.training.recipe import find_recipe
from nncodec.training.settings import combine, read_toml
from nncodec_hyperprior.starting import fresh_network, network_from

TRAIN = Path(export.__file__).parent
ARCHITECTURES = {
    "conv_digits": "conv-digits",
    "conv_photo": "conv-photo",
    "dense_fashion": "dense",
    "hyperprior_detail": "hyperprior",
    "hyperprior_looks": "hyperprior",
    "hyperprior_photo": "hyperprior",
    "restore_content": "srgan",
    "restore_detail": "srgan",
    "restore_first": "srgan",
    "restore_looks": "srgan",
    "x4_content": "srgan",
    "x4_detail": "srgan",
}


def test_every_file_of_settings_has_its_architecture() -> None:
    assert {path.stem for path in TRAIN.glob("*.toml")} == ARCHITECTURES.keys()


@pytest.mark.parametrize("stem", ARCHITECTURES)
def test_settings_are_those_of_the_recipe(stem: str) -> None:
    path = TRAIN / f"{stem}.toml"
    chosen = read_toml(path)
    settings = combine(find_recipe(ARCHITECTURES[stem]), chosen).as_dict()
    assert {name: settings[name] for name in chosen} == chosen
    assert f"nncodec train {ARCHITECTURES[stem]} " in path.read_text(encoding="utf-8")


def test_bundled_files_are_those_that_exports_replace() -> None:
    for name, bundled in export.BUNDLED.items():
        assert export.ROOT / bundled.weights == registry.catalog().find(name).path


def test_an_export_changes_the_card_only(tmp_path: Path) -> None:
    trained = registry.catalog().find("srgan/x4")
    written = export.export("srgan/x4", trained.path, [trained.path], tmp_path / "x4.safetensors", {"measured": 1})
    assert (written.name, written.digest) == ("srgan/x4", trained.digest)
    assert written.card["sources"] == export.SOURCES
    assert written.card["measured"] == 1
    assert written.card["parts"] == [*trained.card["parts"], *trained.card["parts"]]
    assert len(trained.card["parts"]) > 1


def test_the_start_of_the_photo_model_codes_like_the_narrow_one(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.effect_noise((64, 64), 40).convert("RGB").save(path)
    widened_photo.write_start(tmp_path / "start.safetensors", [path])
    start = network_from(read_model(tmp_path / "start.safetensors")).transforms
    narrow = read_model(registry.catalog().find("conv/photo").path)
    order = narrow.tensors["order"].astype(np.int64)
    wide = start.analysis_down.weight.detach().numpy()
    expected = narrow.tensors["network.analysis_down.weight"].astype(np.float32)[order]
    np.testing.assert_allclose(wide[: len(order)], expected, atol=1e-3)
    assert len(wide) > len(order)


def test_detail_channels_add_to_what_the_photo_model_codes() -> None:
    base = network_from(read_model(registry.catalog().find("photo-psnr").path))
    network = fresh_network(detailed_photo.detailed(base.config))
    detailed_photo.copy_weights(base, network)
    picture = torch.from_numpy(skimage.data.astronaut()[:128, 160:288].copy()).permute(2, 0, 1)[None].float() / 255
    detailed_photo.start_detail(base, network, [picture])
    with torch.no_grad():
        before, after = (net.transforms.analysis(picture) for net in (base, network))
        # Edges are padded differently; the middle is the same.
        assert torch.allclose(after[:, :256, 4, 4], before[:, :, 4, 4], atol=1e-4)
        best, low = torch.tensor([100.0]), torch.tensor([50.0])
        transforms = network.transforms
        latents = after * transforms.gain(best) * transforms.inverse_gain(best)
        decoded, without = (
            transforms.synthesis(latents * transforms.used(quality), quality) for quality in (best, low)
        )
    errors = [(pixels - picture).square().mean() for pixels in (decoded, without)]
    assert errors[0] < 0.5 * errors[1]


def test_pairs_are_coded_in_every_orientation_for_itself(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(20, 36, 3), dtype=np.uint8)
    turned = [restore_pairs.turned(pixels, orientation) for orientation in range(8)]
    assert len({picture.tobytes() for picture in turned}) == 8
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(pixels).save(folder / "a.png")
    pairs = restore_pairs.Pairs(folder, tmp_path / "pairs", "photo", (5, 15))
    for orientation in (0, 7):
        pairs.write((folder / "a.png", orientation))
        high, low = (
            np.asarray(Image.open(tmp_path / "pairs" / side / str(orientation) / "a.png")) for side in ("high", "low")
        )
        assert np.array_equal(high, turned[orientation])
        assert low.shape == high.shape
        assert not np.array_equal(low, high)


def test_graphics_are_drawn_alike_from_one_seed_and_are_of_many_kinds() -> None:
    photograph = Image.fromarray(skimage.data.astronaut())
    drawn = [graphics.draw(np.random.default_rng([0, n]), 64, photograph) for n in range(60)]
    again = [graphics.draw(np.random.default_rng([0, n]), 64, photograph) for n in range(60)]
    assert all(np.array_equal(first, second) for first, second in zip(drawn, again, strict=True))
    assert {(image.mode, image.size) for image in drawn} == {("RGB", (64, 64))}
    colours = [len(image.getcolors(64 * 64) or []) for image in drawn]
    assert min(colours) == 1  # a flat colour
    assert max(colours) > 500  # a gradient or a photograph under text
    assert len(set(colours)) > 15


class _AloneSoap:
    """SOAP for one kernel, written as the paper has it."""

    def __init__(self, kernel: Tensor) -> None:
        self.kernel = kernel
        self._statistics = [torch.zeros(edge, edge, dtype=torch.float64) for edge in kernel.shape[:2]]
        self._bases: list[Tensor] = []
        self._momentum, self._squares = torch.zeros_like(kernel), torch.zeros_like(kernel)

    def count(self, gradient: Tensor, weight: float) -> None:
        for statistic, sums in zip(self._statistics, ("aihw,bihw->ab", "oahw,obhw->ab"), strict=True):
            statistic.lerp_(torch.einsum(sums, gradient, gradient), weight)

    def find_bases(self) -> None:
        self._bases = [torch.linalg.eigh(statistic).eigenvectors.flip(-1) for statistic in self._statistics]

    def step(self, gradient: Tensor, rate: float, number: int) -> None:
        turned = torch.einsum("oihw,oa,ib->abhw", gradient, *self._bases)
        self._momentum.lerp_(gradient, 0.05)
        self._squares.lerp_(turned**2, 0.05)
        direction = torch.einsum("oihw,oa,ib->abhw", self._momentum, *self._bases) / (self._squares.sqrt() + 1e-8)
        update = torch.einsum("abhw,oa,ib->oihw", direction, *self._bases)
        self.kernel -= rate * (1 - 0.95**number) ** -0.5 * update
        self.count(gradient, 0.05)

    def refresh_bases(self) -> None:
        for axis, (statistic, basis) in enumerate(zip(self._statistics, self._bases, strict=True)):
            order = torch.diag(basis.T @ statistic @ basis).argsort(descending=True)
            self._bases[axis] = torch.linalg.qr((statistic @ basis)[:, order]).Q
            self._squares = self._squares.index_select(axis, order)


def test_stacked_kernels_move_as_each_would_alone() -> None:
    torch.manual_seed(0)
    kernels = [nn.Parameter(torch.randn(5, 3, 1, 2)) for _ in range(2)]
    bias = nn.Parameter(torch.randn(4))
    targets = [torch.randn_like(parameter) for parameter in (*kernels, bias)]
    bias_alone = nn.Parameter(bias.detach().clone())
    adam = torch.optim.Adam([bias_alone], lr=2.0 * 0.01)
    alone = [_AloneSoap(kernel.detach().double().clone()) for kernel in kernels]
    mixing = torch.randn(5, 5)
    soap: Soap | None = None
    for number in range(45):
        for parameter in (*kernels, bias):
            parameter.grad = None
        for kernel, target in zip(kernels, targets, strict=False):
            torch.autograd.backward(1e-3 * (mixing @ (kernel - target).flatten(1)).square().sum())  # not to be clipped
        torch.autograd.backward(1e-3 * (bias - targets[2]).square().sum())
        gradients = [kernel.grad.double() for kernel in kernels if kernel.grad is not None]
        if soap is None:
            soap = Soap([{"params": [*kernels, bias], "lr": 2.0}])
            for stack in soap.stacks:
                stack.count(1.0)
                stack.find_bases()
            for state, gradient in zip(alone, gradients, strict=True):
                state.count(gradient, 1.0)
                state.find_bases()
            continue
        bias_alone.grad = 2e-3 * (bias_alone.detach() - targets[2])
        adam.step()
        soap.set_rate(0.01)
        soap.step()
        for state, gradient in zip(alone, gradients, strict=True):
            state.step(gradient, 2.0 * 0.01, number)
        if number % 10 == 0:
            soap.refresh_bases()
            for state in alone:
                state.refresh_bases()
    for kernel, state in zip(kernels, alone, strict=True):
        np.testing.assert_allclose(kernel.detach().numpy(), state.kernel.numpy(), atol=1e-3)
    np.testing.assert_allclose(bias.detach().numpy(), bias_alone.detach().numpy(), atol=1e-4)
    assert soap is not None
    assert soap.skipped == 0
    assert bias.grad is not None
    bias.grad[0] = torch.nan
    soap.step()
    assert soap.skipped == 1
    assert bias.isfinite().all()


def test_the_training_on_a_gpu_takes_the_same_steps_on_a_processor(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.fromarray(skimage.data.astronaut()[:128, 128 * number : 128 * (number + 1)]).save(
            pictures / f"{number}.png"
        )
    base, output = tmp_path / "base.safetensors", tmp_path / "more.safetensors"
    tiny = tiny_file(tiny_network())
    write_model(
        base, architecture="hyperprior", config=tiny.config, name="tiny/base", card={}, tensors=dict(tiny.tensors)
    )
    options = [
        "--device",
        "cpu",
        "--workers",
        "0",
        "--batch-size",
        "2",
        "--crop",
        "64",
        "--loss",
        "mse",
        "--steps",
        "25",
    ]
    for wrong in (["--device", "cuda:99"], ["--device", "abacus"]):
        with pytest.raises(SystemExit):
            photo_on_gpu.main([str(base), str(output), str(pictures), *wrong])
    with pytest.raises(SystemExit):
        photo_on_gpu.main([str(base), str(tmp_path / "none" / "o.safetensors"), str(tmp_path / "no"), *options])
    assert not output.exists()
    photo_on_gpu.main([str(base), str(output), str(pictures), *options])
    before, after = (read_model(path).tensors for path in (base, output))
    assert before.keys() == after.keys()
    moved = [name for name in before if not np.array_equal(before[name], after[name])]
    assert len(moved) > len(before) / 2
