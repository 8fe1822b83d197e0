"""The pictures that a report shows: the worst and the best of a run, coded by every codec at equal bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nncodec.compare.codecs import open_codec
from nncodec.compare.matching import code_at_bytes
from nncodec.compare.pictures import load, sources_of
from nncodec.compare.report.ranking import rank_pictures
from nncodec.compare.results import Comparison
from nncodec.compare.tables import Column, Table, decimals
from nncodec.limits import DEFAULT_LIMITS
from nncodec.metrics import psnr

SHOWN_BPP = 0.3
"""About the rate of the pictures shown: low enough that differences can be seen."""


@dataclass(frozen=True)
class CodedPicture:
    """One picture after one codec.

    Args:
        codec: its name, as in `CodecInfo`.
        decoded: of the original's size.
        bytes: of the whole file.
        quality: in the codec's own scale.
        psnr_db: over all samples of the whole picture.
    """

    codec: str
    decoded: Image.Image
    bytes: int
    quality: int
    psnr_db: float


@dataclass(frozen=True)
class Sample:
    """One picture to look at, before and after each codec, at nearly equal bytes.

    Args:
        name: as in `PictureInfo`.
        why: why it is shown, for people.
        original: as it was handed to the codecs.
        coded: in the order of the comparison's codecs; a codec that could not code it is left out.
    """

    name: str
    why: str
    original: Image.Image
    coded: tuple[CodedPicture, ...]


def choose_samples(
    comparison: Comparison,
    pictures: Mapping[str, Image.Image | Path] | Iterable[Path | str],
    *,
    reference: str | None = None,
    effort: int | None = None,
    each: int = 3,
    max_pixels: int = DEFAULT_LIMITS.pixels,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Sample]:
    """Return the worst and the best pictures of `rank_pictures`, coded by every codec at equal bytes.

    The bytes are those of the ranked codec near `SHOWN_BPP`, or of the codec that reaches least far down if it needs
    more, so that every codec can meet them. A codec that fails on a picture is left out there.

    Args:
        pictures: what the comparison was made of, as `study.compare` takes it.
        reference: the codec that pictures are ranked against, see `rank_pictures`.
        effort: of models whose name does not give one, as in the comparison.
        each: how many of the worst, and of the best, to take at most.
        max_pixels: as in the comparison.
        on_progress: called with pictures done and pictures in all. An exception that it raises stops the work.

    Raises:
        OSError, NncError: a picture can no longer be read.
    """
    ranking = rank_pictures(comparison, reference)
    if ranking is None:
        return []
    chosen = ranking.ends(each)
    sources = {source.name: source for source in sources_of(pictures)}
    samples = []
    for done, (name, why) in enumerate(chosen):
        if on_progress:
            on_progress(done, len(chosen))
        original = load(sources[name], max_pixels=max_pixels).image
        target = _target_bytes(comparison, ranking.codec, name)
        able = {one.codec for one in comparison.measurements if one.picture == name}
        names = [codec.name for codec in comparison.codecs if codec.name in able]
        coded = (_coded(codec, original, target, effort) for codec in names)
        samples.append(Sample(name, why, original, tuple(one for one in coded if one is not None)))
    if on_progress:
        on_progress(len(chosen), len(chosen))
    return samples


def samples_table(comparison: Comparison, samples: Sequence[Sample]) -> Table:
    """Return the numbers of the pictures shown, of whole pictures."""
    pixels = {one.name: one.width * one.height for one in comparison.pictures}
    columns = (
        Column("picture", "Picture", right=False),
        Column("codec", "Codec", right=False, codec=True),
        Column("quality", "Quality"),
        Column("bytes", "Bytes", "{:,}".format),
        Column("bpp", "Bits per pixel", decimals(3)),
        Column("psnr_db", "PSNR", decimals(2), "dB"),
    )
    rows = [
        (sample.name, one.codec, one.quality, one.bytes, 8 * one.bytes / pixels[sample.name], one.psnr_db)
        for sample in samples
        for one in sample.coded
    ]
    return Table("samples", "Pictures shown", columns, tuple(rows))


def _coded(codec: str, original: Image.Image, target_bytes: int, effort: int | None) -> CodedPicture | None:
    try:
        data, decoded, quality = code_at_bytes(open_codec(codec, effort=effort), original, target_bytes)
    except Exception:  # a codec may be anyone's code, and the rest of the report is worth having
        return None
    return CodedPicture(codec, decoded, len(data), quality, psnr(original, decoded))


def _target_bytes(comparison: Comparison, codec: str, picture: str) -> int:
    of_picture = [one for one in comparison.measurements if one.picture == picture]
    smallest: dict[str, int] = {}
    for one in of_picture:
        smallest[one.codec] = min(one.bytes, smallest.get(one.codec, one.bytes))
    own = (one for one in of_picture if one.codec == codec)
    wanted = min(own, key=lambda one: abs(math.log(one.bpp / SHOWN_BPP))).bytes
    return max(wanted, *smallest.values())
