"""Tar files as WebDataset has them: neighbours with one key are one sample, whichever program wrote the file."""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO, TypeVar

from nncodec._support.tar_end import StrictTarInfo
from nncodec._support.text import describe
from nncodec.errors import NncError

PICTURE = "nnc"
"""What the picture of a sample is called among its parts."""

_T = TypeVar("_T")
_Member = tuple[str, str, _T]


def read_samples(stream: BinaryIO, name: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the samples of a tar file, reading it from front to end: their keys, and contents by extension.

    Args:
        stream: need not be seekable.
        name: of the file, for errors.

    Raises:
        NncError: the file is damaged, ends without its end marker, or cannot be read; or two names of a sample differ
            in the case of the extension alone.
    """

    def members() -> Iterator[_Member[bytes]]:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=StrictTarInfo) as tar:
            for key, extension, member in _members(tar):
                content = tar.extractfile(member)
                yield key, extension, b"" if content is None else content.read()

    return _samples(members(), name)


def index_samples(stream: BinaryIO, name: str) -> Iterator[tuple[str, dict[str, tuple[int, int]]]]:
    """Yield the samples of a tar file without their contents: their keys, and where each part begins and its size.

    Arguments, errors: see `read_samples`; the stream is seekable.
    """

    def members() -> Iterator[_Member[tuple[int, int]]]:
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=StrictTarInfo) as tar:
            for key, extension, member in _members(tar):
                yield key, extension, (member.offset_data, member.size)

    return _samples(members(), name)


def _members(tar: tarfile.TarFile) -> Iterator[_Member[tarfile.TarInfo]]:
    """Yield the files that belong to samples: key, extension and member."""
    for member in tar:
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
        folder, slash, base = member.name.rpartition("/")
        stem, dot, extension = base.partition(".")
        if member.isreg() and not member.issparse() and stem and dot:
            yield f"{folder}{slash}{stem}", extension, member


def _samples(members: Iterator[_Member[_T]], name: str) -> Iterator[tuple[str, dict[str, _T]]]:
    try:
        for key, parts in itertools.groupby(members, lambda member: member[0]):
            # Of members with one name the last counts, as for every program that reads tar files.
            yield key, _in_small_letters(key, {extension: value for _, extension, value in parts}, name)
    except (tarfile.TarError, ValueError) as error:  # hostile headers raise either
        raise NncError(detail=f"{name} is no tar file, or is damaged ({describe(error)})") from error


def _in_small_letters(key: str, parts: Mapping[str, _T], name: str) -> dict[str, _T]:
    """Return the parts of a sample by their extensions in small letters; refuse a picture of which one is lost so."""
    found = {extension.lower(): extension for extension in parts}
    for extension in parts:
        other = found[extension.lower()]
        if other != extension and PICTURE in found:
            names = f"{key}.{extension} and {key}.{other}"
            raise NncError(detail=f"{name}: {names} would both be {key}.{other.lower()}; rename one")
    return {small: parts[extension] for small, extension in found.items()}


def beside(parts: Mapping[str, _T]) -> dict[str, _T]:
    """Return the parts of a sample apart from its picture."""
    return {extension: value for extension, value in parts.items() if extension != PICTURE}
