"""Makes tensors of .nnc files: which part of a picture is decoded, of which type it is, and what it goes through."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import get_worker_info

from nncodec import api
from nncodec._support.workers import use_threads
from nncodec.coding import decoder
from nncodec.coding.exact_decoder import decode_array
from nncodec.coding.grid import PIXELS_AT_ONCE
from nncodec.errors import InvalidOption, NncError
from nncodec.format.container import Container
from nncodec.format.header import ColourMode
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.picture.region import Box, checked_box
from nncodec.plugin.precision import Precision
from nncodec.plugin.precision import precision as precision_of

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
        device: to which tensors go before the transform, by default none; another than the processor needs
            `num_workers=0`. Files are decoded on the processor.
        transform: called with each tensor (C, H, W); what it returns is the sample. What it draws at random comes from
            torch's generator, which `DataLoader` seeds in each worker.
        seed: of crops and of the order of shards, 0 by default.
        precision, limits: see `nncodec.decode`.
    """

    box: Box | BoxMaker | None
    mode: str | None
    dtype: torch.dtype
    device: torch.device | str | None
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
        InvalidOption: when it is called, if the picture is smaller.
    """

    height: int
    width: int | None = None

    def __call__(self, width: int, height: int, random: Random) -> Box:
        """Return a box of a picture of this size, every position being equally likely."""
        free_x, free_y, own_width = _free(self, width, height)
        left, upper = int(random.integers(free_x + 1)), int(random.integers(free_y + 1))
        return left, upper, left + own_width, upper + self.height


@dataclass(frozen=True)
class CenterCrop:
    """Chooses the middle of a picture; a `BoxMaker`. Arguments, errors: see `RandomCrop`."""

    height: int
    width: int | None = None

    def __call__(self, width: int, height: int, random: Random) -> Box:
        """Return the middle of a picture of this size."""
        free_x, free_y, own_width = _free(self, width, height)
        return free_x // 2, free_y // 2, free_x // 2 + own_width, free_y // 2 + self.height


def _free(crop: RandomCrop | CenterCrop, width: int, height: int) -> tuple[int, int, int]:
    """Return by how much a picture is wider and higher than a crop, and the width of the crop."""
    own_width = crop.height if crop.width is None else crop.width
    if min(own_width, crop.height) < 1 or own_width > width or crop.height > height:
        reason = f"no crop of {own_width} x {crop.height} pixels fits into a picture of {width} x {height}"
        raise InvalidOption(option="box", reason=reason)
    return width - own_width, height - crop.height, own_width


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
        device: torch.device | str | None = None,
        transform: Callable[[Tensor], Any] | None = None,
        seed: int = 0,
        precision: Precision | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if mode is not None and mode not in _MODES:
            raise InvalidOption(option="mode", reason=f"{mode!r} is not {', '.join(_MODES)}")
        if dtype != torch.uint8 and not dtype.is_floating_point:
            raise InvalidOption(option="dtype", reason=f"{dtype} is neither torch.uint8 nor a type of floats")
        self._box: Box | BoxMaker | None = box if box is None or callable(box) else checked_box(box)
        self._mode, self._dtype, self._transform = mode, dtype, transform
        self._device = None if device is None else torch.device(device)
        self._precision, self._seed = precision, seed
        self.limits = limits
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
        return np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest()))

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
        _prepare_worker()
        groups = [frames] if not callable(self._box) else [[frame] for frame in frames]
        for group in groups:
            with _named(key), precision_of(self._precision):
                box = self._box_of(container, f"{key}#{group[0]}" if group[0] else key)
                self._check_mode(container)
                if container.header.mode is ColourMode.PLANES:
                    arrays: Iterator[NDArray[Any]] = (decode_array(container, frame, box) for frame in group)
                else:
                    images = decoder.decode_frames(container, group, box, together=True)
                    arrays = (self._array(image, container) for image in images)
            for _ in group:
                with _named(key):
                    tensor = self._tensor(next(arrays), container)
                yield self._finished([tensor])[0]

    def decode_together(self, files: Sequence[bytes], keys: Sequence[str]) -> list[Any]:
        """Return the samples of files; small whole pictures of one size share passes of the model.

        Arguments, errors: see `decode`.
        """
        _prepare_worker()
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
            images = api.decode_batch(files, limits=self.limits, precision=self._precision)
            return [self._tensor(self._array(*pair), pair[1]) for pair in zip(images, containers, strict=True)]
        except NncError:
            return None

    def _finished(self, tensors: list[Tensor]) -> list[Any]:
        if self._device is not None:
            if self._device.type != "cpu" and get_worker_info() is not None:
                raise InvalidOption(option="device", reason=f"{self._device} needs num_workers=0")
            same = len({tensor.shape for tensor in tensors}) == 1
            tensors = [*torch.stack(tensors).to(self._device)] if same else [one.to(self._device) for one in tensors]
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
        return torch.from_numpy(planes.astype(np.float32) / np.float32(levels)).to(self._dtype)


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
        raise NncError(detail=f"{key}: {error}") from error


class _Prepared:
    """Whether this worker computes with one thread; a worker that is forked later does not inherit a yes."""

    worker: int | None = None


def _prepare_worker() -> None:
    """Compute with one thread in a worker of a `DataLoader`: there are as many of them as the user wants threads."""
    info = get_worker_info()
    if info is not None and _Prepared.worker != info.id:
        use_threads(1)
        _Prepared.worker = info.id
