"""Run a whole comparison: every picture through every codec, in one process or several."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from nncodec._support import extras
from nncodec._support.numbers import whole_number
from nncodec._support.workers import each
from nncodec.compare.codecs import default_codecs, open_codec
from nncodec.compare.matching import check_matched
from nncodec.compare.measure import Matching, PictureResult, Plan, measure_picture
from nncodec.compare.pictures import PictureSource, sources_of
from nncodec.compare.results import Comparison, Match, Skipped
from nncodec.compare.versions import versions
from nncodec.errors import InvalidOption
from nncodec.limits import DEFAULT_LIMITS
from nncodec.metrics.cvvdp import require_package
from nncodec.picture.options import check_progress

_MODEL_QUALITIES = range(101)


def compare(
    pictures: Mapping[str, Image.Image | Path] | Iterable[Path | str],
    codecs: Sequence[str] | None = None,
    *,
    qualities: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    effort: int | None = None,
    match: Sequence[Matching] = (),
    timings: bool = False,
    colorvideovdp: bool = False,
    jobs: int = 1,
    max_pixels: int = DEFAULT_LIMITS.pixels,
    command: str = "",
    on_progress: Callable[[int, int], None] | None = None,
    on_note: Callable[[str, str], None] | None = None,
) -> Comparison:
    """Measure codecs on pictures.

    `pictures.load` prepares every picture, so all codecs get the same samples without metadata. A picture or codec
    that fails is listed in `Comparison.skipped`, and the rest goes on.

    Args:
        pictures: files, or images and files by name.
        codecs: names for `codecs.open_codec`; by default the photo model and the installed peers.
        qualities: for every codec, or by codec; by default each codec's own ladder.
        effort: effort of models, 0..9, unless their name gives one.
        match: also match the codecs in these ways.
        timings: measure encoding and decoding times; takes `measure.TIMED_RUNS` + 1 times as long.
        colorvideovdp: also measure ColorVideoVDP, which takes about three seconds per megapixel and quality.
        jobs: pictures at once, each in a worker process; timings need 1.
        max_pixels: refuse pictures with more.
        command: command line that repeats this comparison, stored with it.
        on_progress: called with steps done and steps in total. An exception that it raises stops the work.
        on_note: called with a picture's name and a line: a conversion, or why something is skipped.

    Raises:
        InvalidOption: an unknown codec or quality, or another invalid option.
        NncError: the extra `compare` is not installed, or ColorVideoVDP is asked for and not installed.

    Example:
        >>> import skimage.data
        >>> from PIL import Image
        >>> from nncodec.compare import bd_rate, compare
        >>> cat = Image.fromarray(skimage.data.chelsea())
        >>> comparison = compare({"cat": cat}, ["jpeg", "webp"], qualities=[20, 50, 80])
        >>> bd_rate(comparison.mean_curve("jpeg"), comparison.mean_curve("webp")) < 0
        True
    """
    check_progress(on_progress)
    extras.check("pytorch_msssim", "compare", "comparing")
    sources = sources_of(pictures)
    if colorvideovdp:
        require_package()
    plan = replace(_plan(codecs, qualities, effort, match, timings, max_pixels), colorvideovdp=colorvideovdp)
    if not sources:
        raise InvalidOption(option="pictures", reason="there are none")
    if jobs < 1 or (jobs > 1 and timings):
        raise InvalidOption(option="jobs", reason="it is 1 or more, and 1 where times are measured")
    total = len(sources) * len(plan.codecs)
    done = 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        if on_progress:
            on_progress(done, total)

    work: Callable[[PictureSource], PictureResult] = functools.partial(measure_picture, plan=plan)
    if jobs == 1:
        work = functools.partial(measure_picture, plan=plan, advance=lambda: advance(1))

    def lost(source: PictureSource, reason: str) -> PictureResult:
        return PictureResult(matched=[[] for _ in plan.matchings], skipped=[Skipped(source.name, None, reason)])

    by_name: dict[str, PictureResult] = {}
    with contextlib.closing(each(work, sources, jobs, lost=lost)) as results:
        for source, result in results:
            by_name[source.name] = result
            if jobs > 1:  # workers cannot report single steps
                advance(len(plan.codecs))
            if on_note:
                for note in (*result.notes, *(_skip_note(skipped) for skipped in result.skipped)):
                    on_note(source.name, note)
    return _comparison([by_name[source.name] for source in sources], plan, command)


def _comparison(results: Sequence[PictureResult], plan: Plan, command: str) -> Comparison:
    """Return the results of all pictures, in their order, as one comparison."""
    return Comparison(
        pictures=tuple(result.info for result in results if result.info is not None),
        codecs=tuple(open_codec(name, effort=plan.effort).info for name in plan.codecs),
        measurements=tuple(measurement for result in results for measurement in result.measurements),
        skipped=tuple(skipped for result in results for skipped in result.skipped),
        command=command,
        versions=versions(),
        matches=tuple(
            Match(
                matching.by,
                matching.reference,
                matching.quality,
                tuple(measurement for result in results for measurement in result.matched[number]),
            )
            for number, matching in enumerate(plan.matchings)
        ),
    )


def _skip_note(skipped: Skipped) -> str:
    return f"{skipped.codec}: {skipped.reason}" if skipped.codec else skipped.reason


def _plan(
    codecs: Sequence[str] | None,
    qualities: Sequence[int] | Mapping[str, Sequence[int]] | None,
    effort: int | None,
    match: Sequence[Matching],
    timings: bool,
    max_pixels: int,
) -> Plan:
    """Check all options before the first picture is read."""
    names = tuple(default_codecs() if codecs is None else codecs)
    if not names or len(set(names)) < len(names):
        raise InvalidOption(option="codecs", reason="give each codec once, and one at least")
    if effort is not None and ((effort := whole_number(effort)) is None or not 0 <= effort <= 9):
        raise InvalidOption(option="effort", reason="it is 0 to 9")
    by_name = (
        qualities if isinstance(qualities, Mapping) else {name: qualities for name in names if qualities is not None}
    )
    asked = {name: [_whole(quality) for quality in own] for name, own in by_name.items()}
    if unknown := asked.keys() - set(names):
        raise InvalidOption(option="qualities", reason=f"{min(unknown)} is not among the codecs")
    for name in names:
        _check_qualities(name, effort, asked.get(name, ()))
        if name in asked and not asked[name]:
            raise InvalidOption(option="qualities", reason=f"{name} has none")
    match = [replace(matching, quality=_whole(matching.quality)) for matching in match]
    for matching in match:
        check_matched(matching.by)
        if matching.reference not in names:
            raise InvalidOption(option="match", reason=f"{matching.reference} is not among the codecs")
        _check_qualities(matching.reference, effort, [matching.quality])
    return Plan(names, asked, effort, tuple(match), timings, max_pixels)


def _whole(quality: object) -> int:
    if (number := whole_number(quality)) is None:
        raise InvalidOption(option="qualities", reason=f"{quality!r} is not a whole number")
    return number


def _check_qualities(name: str, effort: int | None, qualities: Sequence[int]) -> None:
    codec = open_codec(name, effort=effort)
    known = _MODEL_QUALITIES if codec.info.learned else codec.qualities  # a model would have to be loaded to be asked
    if outside := [quality for quality in qualities if quality not in known]:
        reason = f"{name} has qualities {known[0]} to {known[-1]}, not {outside[0]}"
        raise InvalidOption(option="qualities", reason=reason)
