"""VGG16 with torchvision's parameter names: a classifier, and the feature maps that perceptual losses compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nncodec.errors import first_line

SMALLEST_EDGE: Final = 32
"""The five poolings leave one position of an image with this edge, and none of a smaller one."""

LAYERS: Final = {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22, "relu5_3": 29}
"""Index in `features` of the last ReLU before each pooling, by the name used in the literature."""

_WIDTHS: Final[tuple[tuple[int, ...], ...]] = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
# Statistics of ImageNet; torchvision's weights expect inputs normalised with these.
_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION: Final = (0.229, 0.224, 0.225)


class VGG16(nn.Module):
    """Thirteen 3 x 3 convolutions in five stages, each ended by a pooling, and a classifier.

    Args:
        classes: outputs of the classifier.
        head: "full" for the published classifier (average pooling to 7 x 7, three dense layers, 124M parameters);
            "dense" for one dense layer on the mean of each of the 512 last maps.

    References:
        K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015,
        configuration D. Names and shapes are those of torchvision's `vgg16`.
    """

    def __init__(self, classes: int = 1000, head: str = "full") -> None:
        super().__init__()
        if classes < 1 or head not in ("full", "dense"):
            raise ValueError(f"VGG16 needs at least one class and the head full or dense, not {classes} and {head!r}")
        layers: list[nn.Module] = []
        channels = 3
        for stage in _WIDTHS:
            for width in stage:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        if head == "full":
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                *(nn.Linear(channels * 49, 4096), nn.ReLU(inplace=True), nn.Dropout()),
                *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout()),
                nn.Linear(4096, classes),
            )
        else:
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Linear(channels, classes))
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the classes' scores (logits), (N, classes).

        Args:
            pixels: (N, 1 or 3, H, W) in 0..1, edges of at least 32; they are normalised here.
        """
        maps = self.features(normalised(pixels))  # (N, 512, H / 32, W / 32)
        return self.classifier(self.avgpool(maps).flatten(1))  # type: ignore[no-any-return]

    def feature_maps(self, pixels: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Return the maps of some layers, in the order of the network.

        Args:
            pixels: (N, 1 or 3, H, W) in 0..1, large enough that the last of the layers has a position.
            layers: names from `LAYERS`.

        Returns:
            One tensor (N, width, h, w) per layer.
        """
        wanted = {LAYERS[name] for name in layers}
        maps = []
        values = normalised(pixels)
        for index in range(max(wanted) + 1):
            values = self.features[index](values)
            if index in wanted:
                maps.append(values)
        return maps


def normalised(pixels: Tensor) -> Tensor:
    """Return images (N, 1 or 3, H, W) in 0..1 as VGG16 takes them: three channels, ImageNet's mean and deviation."""
    mean = pixels.new_tensor(_IMAGENET_MEAN)[:, None, None]
    deviation = pixels.new_tensor(_IMAGENET_DEVIATION)[:, None, None]
    return (pixels - mean) / deviation  # a single channel broadcasts to three


def add_batch_normalisation(network: VGG16) -> None:
    """Add batch normalisation after every convolution; without it, VGG16 hardly trains from random weights."""
    for index, layer in enumerate(network.features):
        if isinstance(layer, nn.Conv2d):
            network.features[index] = nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels))


def fold_batch_normalisation(network: VGG16) -> None:
    """Undo `add_batch_normalisation` in eval mode by folding its running statistics into the convolutions."""
    for index, layer in enumerate(network.features):
        if isinstance(layer, nn.Sequential):
            convolution, normalisation = layer
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(normalisation, nn.BatchNorm2d)
            network.features[index] = fuse_conv_bn_eval(convolution, normalisation)


def read_features(path: Path) -> tuple[VGG16, str]:
    """Return VGG16 with the convolutions of a file, for its feature maps; the classifier is not usable.

    Args:
        path: a state dict with torchvision's names, in a .safetensors file or one of torch's own; a classifier may be
            missing or of any size.

    Returns:
        The network in inference mode, and the training data that the file names ("" if it names none).

    Raises:
        ValueError: the file cannot be read, or does not hold VGG16; one line names the first tensor that is wrong.
    """
    tensors, trained_on = _read(path)
    network = VGG16(1, head="dense")
    _fill(network.features, "features.", tensors, path)
    return network.eval(), trained_on


def read_recogniser(path: Path) -> tuple[VGG16, str]:
    """Return VGG16 with the kind of classifier that the file holds.

    Args, Returns, Raises: see `read_features`; a classifier that is missing or of another shape raises as well.
    """
    tensors, trained_on = _read(path)
    last = "classifier.6.bias" if "classifier.6.bias" in tensors else "classifier.0.bias"
    if last not in tensors:
        raise ValueError(f"{path} holds no classifier of VGG16: {last} is missing")
    network = VGG16(max(1, tensors[last].numel()), head="full" if last == "classifier.6.bias" else "dense")
    _fill(network.features, "features.", tensors, path)
    _fill(network.classifier, "classifier.", tensors, path)
    return network.eval(), trained_on


def write_recogniser(path: Path, network: VGG16, trained_on: str) -> None:
    """Write the weights of a network, with batch normalisation folded, to a .safetensors file with torchvision's names.

    Args:
        path: the file.
        network: to write.
        trained_on: its training data, in a word or two; `read_features` returns it.
    """
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, path, {"trained_on": trained_on})


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a file by name, and their training data."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as stream:
                metadata = stream.metadata() or {}
                return {name: stream.get_tensor(name) for name in stream.keys()}, metadata.get("trained_on", "")  # noqa: SIM118
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"cannot read VGG16 weights from {path}: {error.strerror or first_line(error)}") from error
    except MemoryError:
        raise
    except Exception as error:  # torch raises anything, and advises to load what may run code
        raise ValueError(f"{path} is no .safetensors or .pth file of the weights of VGG16") from error
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError(f"{path} holds no state dict (tensors by name)")
    return dict(loaded), ""


def _fill(module: nn.Module, prefix: str, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load tensors into a module, in place, or raise an error that names one that does not fit."""
    wanted = module.state_dict()
    for name in tensors:
        if name.startswith(prefix) and name.removeprefix(prefix) not in wanted:
            raise ValueError(f"{path} does not hold VGG16: it has {name}, which VGG16 has not")
    for name, place in wanted.items():
        tensor = tensors.get(prefix + name)
        if tensor is None:
            raise ValueError(f"{path} does not hold VGG16: {prefix}{name} is missing")
        if tensor.shape != place.shape or not tensor.is_floating_point():
            is_, should = f"{tensor.dtype} {tuple(tensor.shape)}", f"{place.dtype} {tuple(place.shape)}"
            raise ValueError(f"{path} does not hold VGG16: {prefix}{name} is {is_}, not {should}".replace("torch.", ""))
        place.copy_(tensor)
