"""Pictures in any order, from a folder, a list of files, tar files, or URLs of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Unpack

from torch.utils.data import Dataset

from nncodec.batch.packing import SIBLINGS
from nncodec.errors import NncError
from nncodec.torch.decoding import SampleDecoder, SampleOptions, check_function, place_of
from nncodec.torch.places import NNC, TAR, Part, Source, Stores, extension_of, find_files, places_of
from nncodec.torch.tars import PICTURE, beside, index_samples

Target = Callable[[str, Mapping[str, bytes]], Any]
"""Returns what belongs to a picture, such as its class, from the key of the sample and the contents of the files beside
it by extension ("json", "txt", "cls")."""

_INDEX_BUFFER_BYTES = 1 << 16  # headers of a tar file lie as far apart as its files are large


class _Sample(NamedTuple):
    key: str
    picture: Part
    beside: dict[str, Part] | None


class NncDataset(Dataset[Any]):
    """Every picture of a folder, of a list of files, or of tar files, as tensors (C, H, W).

    Pictures are read and decoded where samples are asked for: in workers, which may be forked or spawned and compute
    with one thread each, or in the main process. A `DataLoader` asks for a batch at once, and small whole pictures of
    one size then share passes of the model. A file of several frames gives its first; see `StackDataset`.

    The names of all files are in memory, about 300 bytes a picture. Headers of tar files are read at the beginning;
    from an object store, `ShardDataset` reads less.

    Args:
        source: a folder with its subfolders, a tar file, the URL of one that fsspec opens, or a list of these and of
            `.nnc` files. Samples have the order of the list, those of a folder the order of their names, after those of
            its tar files.
        target: what belongs to a picture; then samples are pairs (tensor, target). Files beside pictures are found in
            folders and tar files, not for files that are listed.
        **options: see `SampleOptions`.

    Raises:
        NncError: a place cannot be read, there is no picture, two names differ in the case of the extension alone, or
            an option is out of range.

    Example:
        >>> dataset = NncDataset("pictures", box=RandomCrop(224), seed=1)
        >>> loader = DataLoader(dataset, batch_size=64, num_workers=2, shuffle=True)
    """

    def __init__(self, source: Source, target: Target | None = None, **options: Unpack[SampleOptions]) -> None:
        self._decoder = SampleDecoder(**options)
        check_function("target", target)
        self._target, self._stores = target, Stores()
        self._samples = [
            sample
            for place in places_of(source)
            for sample in _found(place, self._stores, with_beside=target is not None)
        ]
        if not self._samples:
            raise NncError(detail=f"there are no .nnc files in {source}; it takes folders, .nnc files and tar files")

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._samples)

    @property
    def keys(self) -> Sequence[str]:
        """The names of the samples in their order: paths in their folder or tar file, without extension."""
        return [sample.key for sample in self._samples]

    def set_epoch(self, epoch: int) -> None:
        """Set the number that crops depend on beside the seed, before an epoch; workers that persist see it, too."""
        self._decoder.epoch = epoch

    def __getitem__(self, index: int) -> Any:
        """Return a sample.

        Raises:
            IndexError: there are fewer.
            InvalidOption: it is a slice, or no number.
            NncError: the sample cannot be decoded; its key is said.
        """
        index = place_of(index)
        return self._with_targets([index], [self._decoder.decode(self._read(index), self._samples[index].key)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return samples that are decoded together; errors: see `__getitem__`."""
        indices = [*map(place_of, indices)]
        keys = [self._samples[index].key for index in indices]
        return self._with_targets(indices, self._decoder.decode_together([*map(self._read, indices)], keys))

    def _read(self, index: int) -> bytes:
        return self._stores.read(self._samples[index].picture)

    def _with_targets(self, indices: Sequence[int], pictures: list[Any]) -> list[Any]:
        if self._target is None:
            return pictures
        pairs = []
        for index, picture in zip(indices, pictures, strict=True):
            key, _, parts = self._samples[index]
            contents = {extension: self._stores.read(part) for extension, part in (parts or {}).items()}
            pairs.append((picture, self._target(key, contents)))
        return pairs


def _found(place: str, stores: Stores, *, with_beside: bool) -> Iterable[_Sample]:
    extensions = {NNC, TAR, *(f".{extension}" for extension in SIBLINGS if with_beside)}
    parts: dict[tuple[str, str], dict[str, Part]] = {}
    rivals: dict[tuple[str, str], str] = {}
    for folder, entry in find_files(place, extensions, stores):
        whole = Part(folder, entry.name, 0, entry.size)
        extension = extension_of(entry.name)
        if extension == TAR:
            yield from _found_in(whole, stores, with_beside=with_beside)
            continue
        # What lies beside a picture may come before it or after it.
        stem = entry.name[: -len(extension)]
        own = parts.setdefault((folder, stem), {})
        if other := own.get(extension[1:]):
            rivals[folder, stem] = f"{other.name} and {entry.name} would both be {stem}{extension}; rename one"
        own[extension[1:]] = whole._replace(size=None)
    for (folder, stem), own in parts.items():
        if PICTURE in own:
            if (folder, stem) in rivals:
                raise NncError(detail=rivals[folder, stem])
            yield _Sample(stem, own[PICTURE], beside(own) if with_beside else None)


def _found_in(tar: Part, stores: Stores, *, with_beside: bool) -> Iterable[_Sample]:
    for key, parts in index_samples(stores.stream(tar, _INDEX_BUFFER_BYTES), tar.name):
        if PICTURE in parts:
            places = {extension: tar._replace(start=start, size=size) for extension, (start, size) in parts.items()}
            yield _Sample(key, places[PICTURE], beside(places) if with_beside else None)
