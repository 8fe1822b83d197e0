"""Training sets: packs .nnc files, with what lies beside them, into tar files that are read from front to end.

    shards/shard-000000.tar     cats/0001.nnc, cats/0001.json, dogs/0007.nnc, ...
    shards/shard-000001.tar     ...

The tar files follow WebDataset: neighbours whose names agree up to the first dot of the last part are one sample. Which
files a shard holds depends on the names and sizes in the source alone, so a run that is repeated writes only what is
missing or has changed.

References:
    Aizman, Maltby, Breuel: High Performance I/O For Large Scale Deep Learning, 2019 (WebDataset).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from nncodec._support.text import describe
from nncodec.batch.planning import UNKNOWN_BYTES
from nncodec.batch.run import Place
from nncodec.batch.stores import STATE_FOLDER, Entry, Store, open_store, url_of
from nncodec.coding.envelope import require_range
from nncodec.coding.inspection import check
from nncodec.errors import NncError, named
from nncodec.limits import Limits
from nncodec.picture.naming import is_nnc

DEFAULT_SHARD_BYTES = 10**9
SIBLINGS = ("json", "txt", "cls")
"""Extensions of files that belong to the picture beside which they lie: facts, a caption, the number of a class."""

_BLOCK = 512  # of a tar file: a header takes one, and contents are padded to them
_NOTES = f"{STATE_FOLDER}/pack"
_ANY_SIZE = Limits(pixels=1 << 80)  # checksums allocate no pixels


@dataclass(frozen=True)
class PackReport:
    """What a run of `pack` has done.

    Args:
        shards, samples, bytes: of the whole set: its tar files, its pictures, and the size of the tar files.
        written: shards that this run has written; the others were there.
    """

    shards: int = 0
    samples: int = 0
    bytes: int = 0
    written: int = 0


@dataclass(frozen=True)
class _Sample:
    """A picture and what lies beside it: its key, the picture's file, and the files of `beside` by extension."""

    key: str
    picture: Entry
    beside: tuple[tuple[str, Entry], ...]

    @property
    def tar_bytes(self) -> int:
        """Bytes in a tar file, about: long names take more."""
        sizes = [_size_of(entry) for entry in (self.picture, *(entry for _, entry in self.beside))]
        return sum(_BLOCK + -(-size // _BLOCK) * _BLOCK for size in sizes)

    def identity(self) -> str:
        """Return what changes when the sample does."""
        files = [self.picture, *(entry for _, entry in self.beside)]
        return json.dumps([self.key, *([entry.name, entry.size, entry.version] for entry in files)])


def pack(
    source: Place,
    dest: Place,
    *,
    shard_bytes: int = DEFAULT_SHARD_BYTES,
    beside: Place | None = None,
    seed: int | None = 0,
) -> PackReport:
    """Pack all .nnc files below a folder into tar files, with the files `.json`, `.txt` and `.cls` of the same name.

    Every picture's checksums are compared first. A shard appears when it is complete. Names of all files are in memory.

    Args:
        source: folder, zip or tar file, or URL that fsspec opens; such as the destination of `encoding`.
        dest: folder or URL for `shard-000000.tar` and so on; it holds no other tar files.
        shard_bytes: size at which the next shard begins.
        beside: where the files of the same name lie, such as the source of `encoding`; by default in `source`.
        seed: of the order, which is random, so that pictures of one folder do not lie together; None keeps the order of
            names.

    Raises:
        InvalidOption: the size of shards is not a whole number from 1 on, or a place is no path or URL.
        NncError: a store cannot be used, a picture is damaged, two files would get one name, or `dest` holds other tar
            files, such as those of an earlier, larger set.
        OSError: a shard cannot be written.
    """
    require_range("shard_bytes", shard_bytes, 1)
    files, target = open_store(url_of("source", source)), open_store(url_of("dest", dest), "pack/tmp")
    others = files if beside is None else open_store(url_of("beside", beside))
    if beside is not None and others.is_empty():
        raise NncError(detail=f"there are no files in {others.url}")
    if files.is_cut:
        raise NncError(detail=f"{files.url} is cut: it has no end marker, so files may be missing")
    samples = list(_samples(files, others))
    if not samples:
        raise NncError(detail=f"there are no .nnc files in {files.url}")
    if seed is not None:
        samples.sort(key=lambda sample: _place_of(sample.key, seed))
    with target.locked("pack"):
        target.clean("pack/tmp")
        return _packed(samples, files, others, target, shard_bytes)


def _place_of(key: str, seed: int) -> bytes:
    """Return what a sample is sorted by, so that the order is random."""
    text = f"{seed}/{key}".encode("utf-8", "surrogatepass")  # names need not be UTF-8
    return hashlib.blake2b(text, digest_size=16).digest()


def _packed(samples: list[_Sample], files: Store, others: Store, target: Store, shard_bytes: int) -> PackReport:
    shards = list(_divided(samples, shard_bytes))
    names = [f"shard-{number:06}.tar" for number in range(len(shards))]
    there = {} if target.is_empty() else {entry.name: entry for entry in target.listing("")[0]}
    if foreign := sorted(name for name in there.keys() - set(names) if name.endswith(".tar")):
        reason = "is no part of this set; choose an empty folder, or remove it"
        raise NncError(detail=f"{foreign[0]} in {target.url} {reason}")
    total = written = 0
    for name, shard in zip(names, shards, strict=True):
        digest = hashlib.sha256("\n".join(sample.identity() for sample in shard).encode()).hexdigest()
        size = there[name].size if name in there and _note_of(target, name) == [digest, there[name].size] else None
        if size is None:
            size = _write_shard(files, others, target, name, shard)
            target.publish(f"{_NOTES}/{name}.json", json.dumps([digest, size]).encode())
            written += 1
        total += size
    return PackReport(len(shards), len(samples), total, written)


def _samples(files: Store, others: Store) -> Iterator[_Sample]:
    """Yield the samples in the order of their names."""
    used: dict[str, str] = {}
    for folder, entries in _walk(files):
        pictures = [entry for entry in entries if is_nnc(PurePosixPath(entry.name))]
        if not pictures:
            continue
        by_name = {entry.name: entry for entry in (entries if others is files else _listed(others, folder))}
        for picture in pictures:
            stem = picture.name[: -len(".nnc")]
            key = f"{folder}/" * bool(folder) + stem.rpartition("/")[2].replace(".", "_")
            if key in used:
                raise NncError(detail=f"{used[key]} and {picture.name} would both be {key}.nnc; rename one")
            used[key] = picture.name
            found = ((extension, by_name.get(f"{stem}.{extension}")) for extension in SIBLINGS)
            yield _Sample(key, picture, tuple((extension, entry) for extension, entry in found if entry))


def _walk(store: Store) -> Iterator[tuple[str, list[Entry]]]:
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            files, inner = store.listing(folder)
        except Exception as error:  # the stores of fsspec may raise anything
            raise NncError(detail=f"cannot list {folder or store.url}: {describe(error)}") from error
        folders += reversed(inner)
        yield folder, files


def _listed(store: Store, folder: str) -> list[Entry]:
    try:
        return store.listing(folder)[0]
    except FileNotFoundError:
        return []


def _divided(samples: Iterable[_Sample], shard_bytes: int) -> Iterator[list[_Sample]]:
    shard: list[_Sample] = []
    size = 0
    for sample in samples:
        if shard and size + sample.tar_bytes > shard_bytes:
            yield shard
            shard, size = [], 0
        shard.append(sample)
        size += sample.tar_bytes
    if shard:
        yield shard


def _write_shard(files: Store, others: Store, target: Store, name: str, shard: Sequence[_Sample]) -> int:
    """Write a shard and return its size."""
    with target.publishing(name) as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for sample in shard:
            picture = _read(files, sample.picture)
            try:
                check(picture, limits=_ANY_SIZE)
            except NncError as error:
                raise named(error, sample.picture.name) from error
            _add(tar, f"{sample.key}.nnc", picture)
            for extension, entry in sample.beside:
                _add(tar, f"{sample.key}.{extension}", _read(others, entry))
        tar.close()
        return stream.tell()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # no time and no owner: equal files give equal shards
    member.size = len(data)
    try:
        tar.addfile(member, io.BytesIO(data))
    except UnicodeEncodeError as error:  # half of a surrogate pair, which stands for no byte of a name
        raise NncError(detail=f"{name!a} is no name that a tar file can hold; rename the file") from error


def _read(store: Store, entry: Entry) -> bytes:
    try:
        return store.read(entry.name)
    except Exception as error:  # the stores of fsspec may raise anything
        raise NncError(detail=f"cannot read {entry.name}: {describe(error)}") from error


def _note_of(target: Store, name: str) -> object:
    """Return the digest and the size of a shard as they were noted, or None."""
    try:
        return json.loads(target.read(f"{_NOTES}/{name}.json"))
    except (FileNotFoundError, ValueError):
        return None


def _size_of(entry: Entry) -> int:
    return UNKNOWN_BYTES if entry.size is None else entry.size
