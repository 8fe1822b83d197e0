"""Pictures of one size in one file, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from torch.utils.data import Dataset

from nncodec.batch.run import Place
from nncodec.batch.stores import url_of
from nncodec.errors import NncError, named
from nncodec.format.container import Container
from nncodec.torch.decoding import SampleDecoder, SampleOptions, place_of
from nncodec.torch.places import NNC, Part, PerProcess, Stores, extension_of, find_files

_BUFFER_BYTES = 1 << 13  # of the header at once, and at most so much beside a block


class StackDataset(Dataset[Any]):
    """Every frame of an .nnc file of several frames, such as `nncodec.encode` makes of a list, as tensors (C, H, W).

    The header is read once in each process, then the blocks of the frames that are asked for. A block is entropy
    decoded whole, so random access to a large stack wants blocks of few frames: `nncodec.encode(pictures,
    frames_per_block=16)`. Frames that a `DataLoader` asks for at once share their blocks, and passes of the model if no
    box is drawn for each. Alpha is decoded for all frames each time; leave it out.

    Args:
        source: path of the file, or a URL that fsspec opens.
        **options: see `SampleOptions`.

    Raises:
        NncError: the file cannot be read, or is not valid, or an option is out of range.
    """

    def __init__(self, source: Place, **options: Unpack[SampleOptions]) -> None:
        self._decoder, self._stores = SampleDecoder(**options), Stores()
        url = url_of("source", source)
        if extension_of(url) != NNC:
            raise NncError(detail=f"{url} is no .nnc file")
        ((folder, entry),) = find_files(url, {NNC}, self._stores)
        self._file = Part(folder, entry.name, 0, entry.size)
        self._container: PerProcess[Container] = PerProcess(self._open)
        self._count = self._container.value.header.frames

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._count

    def set_epoch(self, epoch: int) -> None:
        """Set the number that crops depend on beside the seed, before an epoch; workers that persist see it, too."""
        self._decoder.epoch = epoch

    def __getitem__(self, index: int) -> Any:
        """Return a frame; raises IndexError beyond the last, and NncError if it cannot be decoded."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return frames, each block decoded once; errors: see `__getitem__`."""
        indices = [*map(place_of, indices)]
        if wrong := [index for index in indices if not -self._count <= index < self._count]:
            raise IndexError(wrong[0])
        numbers = [index % self._count for index in indices]
        in_order = sorted(set(numbers))
        decoded = self._decoder.decode_frames(self._container.value, in_order, self._file.name)
        frames = dict(zip(in_order, decoded, strict=True))
        return [frames[number] for number in numbers]

    def _open(self) -> Container:
        try:
            return self._decoder.open(self._stores.stream(self._file, _BUFFER_BYTES))
        except NncError as error:
            raise named(error, self._file.name) from error
