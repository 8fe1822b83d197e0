"""VGG16: torchvision's names and shapes, batch normalisation folded exactly, files that do not fit refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from nncodec.nn.vgg16 import (
    LAYERS,
    VGG16,
    add_batch_normalisation,
    fold_batch_normalisation,
    normalised,
    read_features,
    read_recogniser,
    write_recogniser,
)

# torchvision 0.20's vgg16().state_dict(), as its documentation and every published file have it.
CONVOLUTIONS = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
CONVOLUTIONS |= {17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)}
DENSE = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}


def features(seed: int = 0) -> dict[str, Tensor]:
    """Return the convolutions of a network with random weights, as a file holds them."""
    torch.manual_seed(seed)
    return {name: value for name, value in VGG16(3, head="dense").state_dict().items() if name.startswith("features")}


def test_names_and_shapes_are_torchvisions() -> None:
    with torch.device("meta"):
        found = {name: tuple(value.shape) for name, value in VGG16().state_dict().items()}
    expected: dict[str, tuple[int, ...]] = {}
    for index, shape in CONVOLUTIONS.items():
        expected |= {f"features.{index}.weight": (*shape, 3, 3), f"features.{index}.bias": shape[:1]}
    for index, shape in DENSE.items():
        expected |= {f"classifier.{index}.weight": shape, f"classifier.{index}.bias": shape[:1]}
    assert found == expected
    assert sum(torch.Size(shape).numel() for shape in found.values()) == 138_357_544  # torchvision's documentation


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_any_size_from_32_gives_one_score_per_class(size: tuple[int, int]) -> None:
    assert VGG16(7, head="dense")(torch.rand(2, 1, *size)).shape == (2, 7)


def test_grey_is_three_equal_channels_with_imagenets_mean_and_deviation() -> None:
    grey = torch.rand(1, 1, 2, 2)
    assert torch.equal(normalised(grey), normalised(grey.expand(-1, 3, -1, -1)))
    assert normalised(grey)[0, 2, 1, 1].item() == pytest.approx((grey[0, 0, 1, 1].item() - 0.406) / 0.225, rel=1e-5)


def test_feature_maps_follow_the_named_relus() -> None:
    network = VGG16(1, head="dense")
    pixels = torch.rand(1, 3, 32, 32)
    maps = network.feature_maps(pixels, ["relu3_3", "relu1_2"])
    assert [tuple(feature_map.shape) for feature_map in maps] == [(1, 64, 32, 32), (1, 256, 8, 8)]
    assert all(isinstance(network.features[index], nn.ReLU) for index in LAYERS.values())
    assert torch.equal(maps[1], network.features[: LAYERS["relu3_3"] + 1](normalised(pixels)))


def test_folding_keeps_the_output_and_restores_the_names() -> None:
    torch.manual_seed(0)
    network = VGG16(4, head="dense")
    names = list(network.state_dict())
    add_batch_normalisation(network)
    with torch.no_grad():
        network.train()(torch.rand(8, 1, 32, 32))  # moves the running statistics away from 0 and 1
    pixels = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        before = network.eval()(pixels)
        fold_batch_normalisation(network)
        after = network(pixels)
    assert before.std() > 0.01
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)
    assert list(network.state_dict()) == names


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_features_come_from_every_kind_of_file_whatever_the_classifier(tmp_path: Path, kind: str) -> None:
    tensors = {**features(), "classifier.6.weight": torch.zeros(5, 7)}
    path = tmp_path / ("weights.safetensors" if kind == "safetensors" else "weights.pth")
    if kind == "safetensors":
        save_file(tensors, path)
    else:  # torchvision's file of 2017 is of torch's kind from before it wrote zip archives
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    network, trained_on = read_features(path)
    assert trained_on == ""
    assert torch.equal(network.features[28].weight, tensors["features.28.weight"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"features.28.bias": None}, "features.28.bias is missing"),
        ({"features.0.weight": torch.zeros(64, 1, 3, 3)}, r"features.0.weight is float32 \(64, 1, 3, 3\), not"),
        ({"features.2.bias": torch.zeros(64, dtype=torch.int32)}, "features.2.bias is int32"),
        ({"features.1.weight": torch.zeros(64)}, "it has features.1.weight, which VGG16 has not"),
    ],
)
def test_files_of_other_networks_are_refused_by_the_first_tensor_that_differs(
    tmp_path: Path, change: dict[str, Tensor | None], problem: str
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({name: value for name, value in {**features(), **change}.items() if value is not None}, path)
    with pytest.raises(ValueError, match=problem) as caught:
        read_features(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["noise.safetensors", "noise.pth", "none.pth", "list.pth", "code.pth", "a.png"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "list.pth":
        torch.save([torch.zeros(1)], path)
    elif name == "code.pth":
        torch.save({"features.0.weight": Path("x")}, path)  # anything but tensors would run code when unpickled
    elif name == "a.png":
        Image.new("L", (4, 4)).save(path)
    elif name != "none.pth":
        path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ValueError, match=name) as caught:
        read_features(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch advises to run the code in the file
    reasons = {"none.pth": "No such file", "list.pth": "holds no state dict"}
    assert reasons.get(name, "is no .safetensors or .pth file of the weights of VGG16") in str(caught.value)


def test_a_recogniser_comes_back_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = VGG16(6, head="dense").eval()
    write_recogniser(tmp_path / "own.safetensors", network, "test patterns")
    restored, trained_on = read_recogniser(tmp_path / "own.safetensors")
    pixels = torch.rand(1, 1, 32, 32)
    assert trained_on == "test patterns"
    assert torch.equal(restored(pixels), network(pixels))


def test_a_recogniser_without_classifier_is_refused(tmp_path: Path) -> None:
    save_file(features(), tmp_path / "half.safetensors")
    with pytest.raises(ValueError, match=r"classifier\.0\.bias is missing"):
        read_recogniser(tmp_path / "half.safetensors")


def test_invalid_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="head full or dense"):
        VGG16(10, head="none")
