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
"""Approximate rate of the pictures shown: low enough to see differences."""


@dataclass(frozen=True)
class CodedPicture:
    """A picture after one codec.

    Args:
        codec: its name, as in `CodecInfo`.
        decoded: of the original's size.
        bytes: of the whole file.
        quality: on the codec's own scale.
        psnr_db: over all samples of the whole picture.
    """

    codec: str
    decoded: Image.Image
    bytes: int
    quality: int
    psnr_db: float


@dataclass(frozen=True)
class Sample:
    """A picture before and after each codec, at nearly equal bytes.

    Args:
        name: as in `PictureInfo`.
        why: why it is shown, for people.
        original: as the codecs got it.
        coded: in the order of the comparison's codecs, without those that failed.
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

    The bytes are those of the ranked codec near `SHOWN_BPP`, or more if some codec cannot get that small. A codec that
    fails on a picture is left out there.

    Args:
        pictures: those of the comparison, as for `study.compare`.
        reference: the codec that pictures are ranked against, see `rank_pictures`.
        effort: of models, unless their name gives one; as in the comparison.
        each: most pictures to take of the worst, and of the best.
        max_pixels: as in the comparison.
        on_progress: called with pictures done and pictures in total. An exception that it raises stops the work.

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
        able = {point.codec for point in comparison.measurements if point.picture == name}
        names = [codec.name for codec in comparison.codecs if codec.name in able]
        coded = (_coded(codec, original, target, effort) for codec in names)
        samples.append(Sample(name, why, original, tuple(picture for picture in coded if picture is not None)))
    if on_progress:
        on_progress(len(chosen), len(chosen))
    return samples


def samples_table(comparison: Comparison, samples: Sequence[Sample]) -> Table:
    """Return the numbers of the pictures shown, of whole pictures."""
    pixels = {picture.name: picture.width * picture.height for picture in comparison.pictures}
    columns = (
        Column("picture", "Picture", right=False),
        Column("codec", "Codec", right=False, codec=True),
        Column("quality", "Quality"),
        Column("bytes", "Bytes", "{:,}".format),
        Column("bpp", "Bits per pixel", decimals(3)),
        Column("psnr_db", "PSNR", decimals(2), "dB"),
    )
    rows = [
        (sample.name, coded.codec, coded.quality, coded.bytes, 8 * coded.bytes / pixels[sample.name], coded.psnr_db)
        for sample in samples
        for coded in sample.coded
    ]
    return Table("samples", "Pictures shown", columns, tuple(rows))


def _coded(codec: str, original: Image.Image, target_bytes: int, effort: int | None) -> CodedPicture | None:
    try:
        data, decoded, quality = code_at_bytes(open_codec(codec, effort=effort), original, target_bytes)
    except Exception:  # a codec may be anyone's code, and must not stop the report
        return None
    return CodedPicture(codec, decoded, len(data), quality, psnr(original, decoded))


def _target_bytes(comparison: Comparison, codec: str, picture: str) -> int:
    of_picture = [point for point in comparison.measurements if point.picture == picture]
    smallest: dict[str, int] = {}
    for point in of_picture:
        smallest[point.codec] = min(point.bytes, smallest.get(point.codec, point.bytes))
    own = (point for point in of_picture if point.codec == codec)
    wanted = min(own, key=lambda point: abs(math.log(point.bpp / SHOWN_BPP))).bytes
    return max(wanted, *smallest.values())
