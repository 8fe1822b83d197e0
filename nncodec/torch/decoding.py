"""Makes tensors of .nnc files: which part of a picture is decoded, of which type it is, and what it goes through."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from nncodec import api
from nncodec._support.numbers import whole_number
from nncodec._support.several import several
from nncodec._support.worker_process import use_threads
from nncodec.coding import decoder
from nncodec.coding.envelope import require_range
from nncodec.coding.exact_decoder import decode_array
from nncodec.coding.grid import PIXELS_AT_ONCE
from nncodec.errors import InvalidOption, NncError, named
from nncodec.format.container import Container
from nncodec.format.header import ColourMode
from nncodec.limits import DEFAULT_LIMITS, Limits, checked_limits
from nncodec.picture.region import Box, checked_box
from nncodec.plugin.computing import Computing
from nncodec.plugin.device import Device, chosen_device
from nncodec.plugin.precision import Precision, chosen_precision
from nncodec.torch import canvas

Random = np.random.Generator
BoxMaker = Callable[[int, int, Random], Box]
"""Chooses the part of a picture to decode, from its width and height and a source of random numbers."""

_MODES = ("L", "LA", "RGB", "RGBA")


class SampleOptions(TypedDict, total=False):
    """Options of all datasets: how pictures become tensors.

    Attributes:
        box: the part of each picture to decode, (left, upper, right, lower) in pixels, or what chooses one for each
            picture, such as `RandomCrop(224)`. Only the part and its surroundings are decoded; see `nncodec.decode`.
        mode: "L", "LA", "RGB" or "RGBA", to which pictures of other modes are converted. By default each has as many
            channels as it is stored with, and palettes become RGB.
        dtype: `torch.uint8` (the default): levels from 0 to 255; or a type of floats: from 0 to 1, as pictures of more
            than 8 bits need it.
        device: of the tensors, before the transform; by default the processor. Networks of files compute on a GPU that
            is named here, and the pixels of opaque pictures at full size stay there, unless they are exact. Another
            device than the processor needs `num_workers=0`.
        transform: called with each tensor (C, H, W); what it returns is the sample. What it draws at random comes from
            torch's generator, which `DataLoader` seeds in each worker.
        seed: of crops and of the order of shards, 0 by default.
        precision, limits: see `nncodec.decode`.
    """

    box: Box | BoxMaker | None
    mode: str | None
    dtype: torch.dtype
    device: Device | None
    transform: Callable[[Tensor], Any] | None
    seed: int
    precision: Precision | None
    limits: Limits


@dataclass(frozen=True)
class RandomCrop:
    """Chooses a part of a picture at random; a `BoxMaker`.

    Args:
        height: in pixels.
        width: in pixels; by default the height.

    Raises:
        InvalidOption: an edge is not a whole number above 0; or when it is called, if the picture is smaller.
    """

    height: int
    width: int | None = None

    def __post_init__(self) -> None:
        _check_crop(self)

    def __call__(self, width: int, height: int, random: Random) -> Box:
        """Return a box of a picture of this size, every position being equally likely."""
        free_x, free_y, own_width, own_height = _free(self, width, height)
        left, upper = int(random.integers(free_x + 1)), int(random.integers(free_y + 1))
        return left, upper, left + own_width, upper + own_height


@dataclass(frozen=True)
class CenterCrop:
    """Chooses the middle of a picture; a `BoxMaker`. Arguments, errors: see `RandomCrop`."""

    height: int
    width: int | None = None

    def __post_init__(self) -> None:
        _check_crop(self)

    def __call__(self, width: int, height: int, random: Random) -> Box:
        """Return the middle of a picture of this size."""
        free_x, free_y, own_width, own_height = _free(self, width, height)
        return free_x // 2, free_y // 2, free_x // 2 + own_width, free_y // 2 + own_height


def _check_crop(crop: RandomCrop | CenterCrop) -> None:
    require_range("height", crop.height, 1)
    if crop.width is not None:
        require_range("width", crop.width, 1)


def _free(crop: RandomCrop | CenterCrop, width: int, height: int) -> tuple[int, int, int, int]:
    """Return by how much a picture is wider and higher than a crop, and the width and height of the crop."""
    own_width, own_height = int(crop.height if crop.width is None else crop.width), int(crop.height)
    if own_width > width or own_height > height:
        reason = f"no crop of {own_width} x {own_height} pixels fits into a picture of {width} x {height}"
        raise InvalidOption(option="box", reason=reason)
    return width - own_width, height - own_height, own_width, own_height


class SampleDecoder:
    """Decodes samples. It can be pickled; copies in workers of a `DataLoader` share the epoch.

    Args:
        box, mode, dtype, device, transform, seed, precision, limits: see `SampleOptions`.

    Raises:
        InvalidOption: an option is out of range.
    """

    def __init__(
        self,
        *,
        box: Box | BoxMaker | None = None,
        mode: str | None = None,
        dtype: torch.dtype = torch.uint8,
        device: Device | None = None,
        transform: Callable[[Tensor], Any] | None = None,
        seed: int = 0,
        precision: Precision | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if mode is not None and mode not in _MODES:
            raise InvalidOption(option="mode", reason=f"{mode!r} is not {', '.join(_MODES)}")
        if not isinstance(dtype, torch.dtype) or (dtype != torch.uint8 and not dtype.is_floating_point):
            raise InvalidOption(option="dtype", reason=f"{dtype!r} is neither torch.uint8 nor a type of floats")
        check_function("transform", transform)
        if whole_number(seed) is None:
            raise InvalidOption(option="seed", reason=f"{seed!r} is not a whole number")
        chosen_precision(precision)
        self._box: Box | BoxMaker | None = box if box is None or callable(box) else checked_box(box)
        self._mode, self._dtype, self._transform = mode, dtype, transform
        self._device = _torch_device(device)
        # Other devices get the tensors, but compute no pixels.
        self._computing_on = chosen_device(device) if self._device.type == "cuda" else None
        self._precision, self._seed = precision, seed
        self.limits = checked_limits(limits)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def epoch(self) -> int:
        """The number that crops and the order of shards depend on, beside the seed; workers see it change."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._epoch.fill_(number)

    def random(self, *what: object) -> Random:
        """Return a source of random numbers that depends on the seed, the epoch and `what` alone."""
        text = "/".join(map(str, (self._seed, self.epoch, *what)))
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)  # names need not be UTF-8
        return np.random.default_rng(int.from_bytes(digest.digest()))

    def decode(self, data: bytes, key: str) -> Any:
        """Return the sample of a file, of its first frame.

        Args:
            data: the file.
            key: name of the sample, for random numbers and errors.

        Raises:
            NncError: the file is not valid, the box does not fit, or its model cannot be used.
        """
        with _named(key):
            container = self.open(data)
        return next(self.decode_frames(container, [0], key))

    def open(self, data: Any) -> Container:
        """Return an open file; arguments, errors: see `Container`."""
        container = Container(data, self.limits)
        container.check_end()
        return container

    def decode_frames(self, container: Container, frames: Sequence[int], key: str) -> Iterator[Any]:
        """Yield the samples of frames of an open file, in this order, decoded together if no box is drawn for each.

        Args:
            container: from `open`.
            frames: numbers of frames, which the file has.
            key: see `decode`; errors and random numbers depend on the frame, too.
        """
        self._prepare_worker()
        groups = [frames] if not callable(self._box) else [[frame] for frame in frames]
        for group in groups:
            with _named(key), self._computing():
                box = self._box_of(container, f"{key}#{group[0]}" if group[0] else key)
                self._check_mode(container)
                if canvas.is_plain(container, self._mode):
                    decoded = canvas.decode_frames(container, group, box, self._device)
                    tensors: Iterator[Tensor] = map(self._typed, decoded)
                elif container.header.mode is ColourMode.PLANES:
                    arrays = (decode_array(container, frame, box) for frame in group)
                    tensors = (self._tensor(array, container) for array in arrays)
                else:
                    images = decoder.decode_frames(container, group, box, together=True)
                    tensors = (self._tensor(self._array(image, container), container) for image in images)
            for _ in group:
                with _named(key):
                    tensor = next(tensors)
                yield self._finished([tensor])[0]

    def decode_together(self, files: Sequence[bytes], keys: Sequence[str]) -> list[Any]:
        """Return the samples of files; small whole pictures of one size share passes of the model.

        Arguments, errors: see `decode`.
        """
        self._prepare_worker()
        containers = []
        for data, key in zip(files, keys, strict=True):
            with _named(key):
                containers.append(self.open(data))
        samples: list[Any] = []
        for chosen in _few_pixels(containers):
            tensors = None
            if self._box is None and all(one.header.mode is not ColourMode.PLANES for one in containers[chosen]):
                tensors = self._tensors_of(files[chosen], containers[chosen])
            if tensors is None:
                samples += [self.decode(data, key) for data, key in zip(files[chosen], keys[chosen], strict=True)]
            else:
                samples += self._finished(tensors)
        return samples

    def _tensors_of(self, files: Sequence[bytes], containers: Sequence[Container]) -> list[Tensor] | None:
        """Return the whole pictures of files, or None if one cannot be decoded; to decode it alone says why."""
        try:
            with self._computing():
                plain = [n for n, container in enumerate(containers) if canvas.is_plain(container, self._mode)]
                decoded = canvas.decode_together([containers[n] for n in plain], self._device)
                others = sorted({*range(len(containers))} - {*plain})
                images = api.decode_batch([files[n] for n in others], limits=self.limits)
            tensors = {n: self._typed(tensor) for n, tensor in zip(plain, decoded, strict=True)}
            for n, image in zip(others, images, strict=True):
                tensors[n] = self._tensor(self._array(image, containers[n]), containers[n])
        except NncError:
            return None
        return [tensors[n] for n in range(len(containers))]

    def _computing(self) -> AbstractContextManager[None]:
        return Computing.chosen(self._precision, self._computing_on).applied()

    def _finished(self, tensors: list[Tensor]) -> list[Any]:
        # What was assembled on the processor goes to the device now.
        tensors = [one if one.device.type == self._device.type else one.to(self._device) for one in tensors]
        return tensors if self._transform is None else [self._transform(tensor) for tensor in tensors]

    def _box_of(self, container: Container, key: str) -> Box | None:
        if self._box is None:
            return None
        size = container.header.display_size
        return checked_box(self._box(*size, self.random(key)) if callable(self._box) else self._box, size)

    def _check_mode(self, container: Container) -> None:
        samples = container.header.samples
        if self._mode is not None and samples is not None and samples.bits > 8:
            raise InvalidOption(option="mode", reason="the picture has more than 8 bits; leave the mode out")
        if self._mode is not None and container.header.mode is ColourMode.PLANES:
            raise InvalidOption(option="mode", reason="the picture has planes without a mode; leave the mode out")

    def _array(self, image: Image.Image, container: Container) -> NDArray[Any]:
        """Return an image's samples, (H, W) or (H, W, C)."""
        self._check_mode(container)
        wanted = self._mode or ("RGB" if image.mode == "P" else image.mode)
        return np.array(image if image.mode == wanted else image.convert(wanted))

    def _tensor(self, array: NDArray[Any], container: Container) -> Tensor:
        """Return (H, W) or (H, W, C) as a tensor (C, H, W) of the wanted type."""
        samples, levels = container.header.samples, 255
        if array.dtype == np.bool_:
            array = array.astype(np.uint8) * 255
        elif samples is not None and (array.dtype == np.uint16 or container.header.mode is ColourMode.PLANES):
            levels = (1 << samples.bits) - 1
        planes = np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))  # (C, H, W)
        if self._dtype == torch.uint8:
            if array.dtype != np.uint8:
                reason = "the picture has more than 8 bits; take torch.float32"
                raise InvalidOption(option="dtype", reason=reason)
            return torch.from_numpy(planes)
        return self._typed(torch.from_numpy(planes.astype(np.float32)), levels)

    def _typed(self, levels: Tensor, most: int = 255) -> Tensor:
        """Return levels from 0 to `most` as samples of the wanted type, where they are."""
        return levels if self._dtype == torch.uint8 else levels.float().div_(most).to(self._dtype)

    def _prepare_worker(self) -> None:
        """Compute with one thread in a worker of a `DataLoader`: there are as many of them as the user wants threads.

        Raises:
            InvalidOption: tensors are to go to a device that workers cannot use.
        """
        info = get_worker_info()
        if info is None:
            return
        if self._device.type != "cpu":
            raise InvalidOption(option="device", reason=f"{self._device} needs num_workers=0")
        if _Prepared.worker != info.id:
            use_threads(1)
            _Prepared.worker = info.id


def decode_batch(files: Iterable[bytes], **options: Unpack[SampleOptions]) -> list[Any]:
    """Decode the first frame of many files to tensors; small files with equal headers share passes of the model.

    Args:
        files: the bytes of .nnc files.
        **options: see `SampleOptions`. With `device="cuda"` pixels are computed on the GPU and stay there.

    Returns:
        A tensor (C, H, W) for each file, in order, or what the transform returns.

    Raises:
        FormatError, ModelError: a file is not valid, or its model cannot be used.
        InvalidOption: an option is out of range, there is no such device, or a file cannot be decoded so: its box
            reaches outside the picture, or the picture has other samples than `dtype` or `mode`.
        NncError: base of these and of what a plugin does wrong. What is wrong with a file begins with its place,
            "file 0" for the first.

    Example:
        >>> pictures = torch.stack(nncodec.torch.decode_batch(files, device="cuda", dtype=torch.float32))
    """
    files = several("files", files)
    return SampleDecoder(**options).decode_together(files, [f"file {number}" for number in range(len(files))])


def check_function(option: str, function: object) -> None:
    """Raise InvalidOption unless what is to be called can be, or is None."""
    if function is not None and not callable(function):
        raise InvalidOption(option=option, reason=f"expected a function, got {type(function).__name__}")


def place_of(index: object) -> int:
    """Return the place of a sample that is asked for, as lists take it; raises InvalidOption for a slice, or others."""
    try:
        return operator.index(index)  # type: ignore[arg-type]  # also NumPy's numbers, and tensors
    except TypeError:
        reason = f"{index!r} is not a whole number; torch.utils.data.Subset takes several samples"
        raise InvalidOption(option="index", reason=reason) from None


def _torch_device(name: Device | None) -> torch.device:
    try:
        device = torch.device("cpu" if name is None else name)
    except (RuntimeError, TypeError):
        raise InvalidOption(option="device", reason=f"torch knows no device {name!r}; give 'cpu' or 'cuda'") from None
    if device.type not in ("cpu", "cuda"):  # of GPUs, `chosen_device` says what is there
        try:
            torch.empty(1, device=device)
        except Exception as error:  # each kind of device has its own
            reason = f"this PyTorch has no device {str(device)!r}; give 'cpu' or 'cuda'"
            raise InvalidOption(option="device", reason=reason) from error
    return device


def _few_pixels(containers: Sequence[Container]) -> Iterator[slice]:
    """Divide files into neighbours of up to `PIXELS_AT_ONCE` together: all of a batch need not fit into memory."""
    start = pixels = 0
    for place, container in enumerate(containers):
        own = container.header.frame_pixels
        if place > start and pixels + own > PIXELS_AT_ONCE:
            yield slice(start, place)
            start, pixels = place, 0
        pixels += own
    yield slice(start, len(containers))


@contextmanager
def _named(key: str) -> Iterator[None]:
    """Put the name of a sample before what is wrong with it."""
    try:
        yield
    except NncError as error:
        raise named(error, key) from error


class _Prepared:
    """Whether this worker computes with one thread; a worker that is forked later does not inherit a yes."""

    worker: int | None = None
