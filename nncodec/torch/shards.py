"""Tar files that are read from front to end, divided among workers, in an order that a seed decides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Unpack

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from nncodec.coding.envelope import require_range
from nncodec.errors import NncError
from nncodec.torch.decoding import SampleDecoder, SampleOptions, check_function
from nncodec.torch.pictures import Target
from nncodec.torch.places import TAR, Part, Source, Stores, find_files, places_of
from nncodec.torch.tars import PICTURE, beside, read_samples

_Sample = tuple[str, dict[str, bytes]]


class ShardDataset(IterableDataset[Any]):
    """The pictures of tar files such as `nncodec batch pack` writes, as tensors (C, H, W).

    Each tar file is read from front to end, by one worker, so there should be a multiple of as many of them as all
    processes have workers. For one number of workers, a seed and an epoch give the same samples in the same order;
    crops depend on the seed, the epoch and the key of a sample alone.

    Args:
        source: a folder, a tar file, the URL of one that fsspec opens, or a list of these. Members of a tar file that
            follow one another and agree up to the first dot of their name are a sample; those without `.nnc` are left
            out.
        target: see `NncDataset`.
        shuffle: number of samples, as they are stored, that each worker draws from; 0 keeps the order of tar files and
            samples.
        decode_together: number of samples that are decoded at once; small whole pictures of one size share passes of
            the model.
        rank, world_size: the part of the tar files for this process, if several processes train.
        **options: see `SampleOptions`.

    Raises:
        NncError: a place cannot be read, there is no tar file, or an option is out of range.

    Example:
        >>> loader = DataLoader(ShardDataset("shards", shuffle=1000), batch_size=64, num_workers=2)
    """

    def __init__(
        self,
        source: Source,
        target: Target | None = None,
        *,
        shuffle: int = 0,
        decode_together: int = 1,
        rank: int = 0,
        world_size: int = 1,
        **options: Unpack[SampleOptions],
    ) -> None:
        self._decoder = SampleDecoder(**options)
        check_function("target", target)
        require_range("shuffle", shuffle, 0)
        require_range("decode_together", decode_together, 1)
        require_range("rank", rank, 0, require_range("world_size", world_size, 1) - 1)
        self._target, self._shuffle, self._at_once = target, shuffle, decode_together
        self._rank, self._world_size = rank, world_size
        self._stores = Stores()
        self._shards = [
            Part(folder, entry.name, 0, entry.size)
            for place in places_of(source)
            for folder, entry in find_files(place, {TAR}, self._stores)
        ]
        if not self._shards:
            raise NncError(detail=f"there are no tar files in {source}; nncodec batch pack makes some")

    def set_epoch(self, epoch: int) -> None:
        """Set the number that order and crops depend on beside the seed, before an epoch; persistent workers see it."""
        self._decoder.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        """Yield the samples for this worker; raises NncError, with the key, if one cannot be decoded."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        number, count = self._rank * workers + worker, self._world_size * workers
        shards = self._shards
        if self._shuffle:
            shards = [shards[place] for place in self._decoder.random("shards").permutation(len(shards))]
        stored = self._stored(shards[number::count])
        if self._shuffle:
            stored = _shuffled(stored, self._shuffle, self._decoder.random("samples", number, count))
        while some := list(itertools.islice(stored, self._at_once)):
            keys = [key for key, _ in some]
            pictures = self._decoder.decode_together([parts[PICTURE] for _, parts in some], keys)
            if self._target is None:
                yield from pictures
                continue
            for (key, parts), picture in zip(some, pictures, strict=True):
                yield picture, self._target(key, beside(parts))

    def _stored(self, shards: list[Part]) -> Iterator[_Sample]:
        for shard in shards:
            for key, parts in read_samples(self._stores.stream(shard), shard.name):
                if PICTURE in parts:
                    yield key, parts


def _shuffled(samples: Iterator[_Sample], count: int, random: np.random.Generator) -> Iterator[_Sample]:
    """Yield samples in another order: each is drawn from the next `count` that are left."""
    waiting = list(itertools.islice(samples, count))
    for sample in samples:
        place = int(random.integers(len(waiting)))
        drawn, waiting[place] = waiting[place], sample
        yield drawn
    random.shuffle(waiting)
    yield from waiting
