"""`nncodec compare`: measures models and other codecs on your own pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nncodec._support import extras
from nncodec._support.files import require_writable, write_file
from nncodec.cli.compare_curves import PUBLISHED, Curves, differences, pairs_of, to_json
from nncodec.cli.compare_study import Study, chosen_codecs, find_pictures, measure
from nncodec.cli.compare_tables import text_of
from nncodec.cli.files import STANDARD, is_taken
from nncodec.cli.options import force_option, no_stream
from nncodec.cli.progress import progress
from nncodec.cli.text import complain
from nncodec.cli.work import taken
from nncodec.errors import NncError, named
from nncodec.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from nncodec.compare import Comparison, CurvePoint
    from nncodec.compare.differences import Difference

_MATCHED_QUALITY = 50


def _names(_: click.Context, __: click.Parameter, given: str | None) -> tuple[str, ...] | None:
    """Split NAME,NAME."""
    if given is None:
        return None
    names = tuple(part.strip() for part in given.split(","))
    if not all(names):
        raise click.BadParameter("give names, as in jpeg,webp")
    return names


@dataclass(frozen=True)
class Outputs:
    """Where the results go."""

    output: Path | None
    report: Path | None
    as_json: bool
    force: bool


@click.command("compare", short_help="Measure codecs on your own pictures.")
@click.argument("inputs", nargs=-1, metavar="[PICTURE]...")
@click.option("-r", "--recursive", is_flag=True, help="Descend into folders.")
@click.option(
    "--codecs",
    metavar="NAME,...",
    callback=_names,
    help="Models, jpeg, jpeg444, jpegli, webp, avif, avif-psnr, avif-ssimulacra2, jxl, jxl9, pillow:FORMAT.  "
    "[default: those installed of photo, jpeg, webp, avif, jxl]",
)
@click.option(
    "--qualities",
    metavar="[NAME=]N,...",
    multiple=True,
    help="Qualities to measure, for all codecs or for one; repeatable.  [default: about ten per codec]",
)
@click.option("-e", "--effort", type=click.IntRange(0, 9), metavar="N", help="Effort of models.")
@click.option(
    "--match",
    type=click.Choice(["psnr", "ssim", "bytes"]),
    multiple=True,
    help="Also match every codec to the reference's PSNR, SSIM or bytes, picture by picture; repeatable.",
)
@click.option(
    "--at",
    type=click.IntRange(0, 100),
    default=_MATCHED_QUALITY,
    show_default=True,
    metavar="N",
    help="Quality of the reference for --match.",
)
@click.option("--reference", metavar="NAME", help="Codec to compare with.  [default: jpeg, or the first]")
@click.option("--timings", is_flag=True, help="Measure times, medians of warm runs; takes four times as long.")
@click.option(
    "--colorvideovdp", is_flag=True, help="Also measure ColorVideoVDP (package cvvdp); slow: 3 s per megapixel."
)
@click.option(
    "-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Pictures at once."
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=DEFAULT_LIMITS.pixels,
    show_default=True,
    metavar="N",
    help="Refuse larger pictures.",
)
@click.option(
    "--from",
    "stored",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Show results that -o stored, instead of measuring.",
)
@click.option(
    "--anchors", type=click.Path(path_type=Path), metavar="FILE", help="Compare with published curves (JSON)."
)
@click.option("--curves", metavar="NAME,...", callback=_names, help="Which curves of --anchors to use.  [default: all]")
@click.option(
    "--bd",
    nargs=2,
    multiple=True,
    metavar="CODEC REFERENCE",
    help="Bjøntegaard differences of this pair only; repeatable.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Store all results as JSON.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    callback=no_stream,
    metavar="DIR",
    help="Write a page with tables, plots and pictures.",
)
@click.option("--json", "as_json", is_flag=True, help="Write results and differences to stdout as JSON, not as tables.")
@force_option
def compare_command(
    inputs: tuple[str, ...],
    reference: str | None,
    stored: Path | None,
    anchors: Path | None,
    curves: tuple[str, ...] | None,
    bd: tuple[tuple[str, str], ...],
    output: Path | None,
    report: Path | None,
    as_json: bool,
    force: bool,
    **options: Any,
) -> None:
    """Measure models and other codecs on pictures: rate, PSNR, SSIM, MS-SSIM, SSIMULACRA2, and BD-rates.

    \b
    nncodec compare *.png                            the photo model beside JPEG, WebP, AVIF, JPEG XL
    nncodec compare -r photos --report report        a page with plots
    nncodec compare a.png --match psnr --reference photo --at 40
    nncodec compare --from results.json --bd photo webp
    nncodec compare --anchors published.json --bd webp jpeg

    Models have the names that 'nncodec models' lists, and may carry options: photo:effort=9:coder=zstd. Models of one
    rate each are one curve if they are joined: one/low+one/high. If a published
    curve has the name of a codec, use published:NAME for it.
    """
    study, outputs = Study(**options), Outputs(output, report, as_json, force)
    _check_usage(inputs, stored, anchors, curves, study, outputs)
    published = _published(anchors, curves)
    pictures = find_pictures(inputs, study) if inputs else {}
    _check_outputs(outputs)
    comparison = None
    if inputs:
        codecs = chosen_codecs(study)
        pairs_of(Curves(dict.fromkeys(codecs, ()), published), reference, bd)  # fail before the work, not after it
        comparison = measure(pictures, study, codecs, reference)
    elif stored is not None:
        comparison = _stored(stored)
        for skipped in comparison.skipped:
            complain(f"{skipped.codec}: {skipped.reason}" if skipped.codec else skipped.reason, skipped.picture)
    known = Curves.of(comparison, published)
    compared = differences(known, pairs_of(known, reference, bd))
    if comparison is not None and output is not None:
        write_file(output, comparison.to_json().encode())
    _show(comparison, compared, outputs)
    if comparison is not None and report is not None:
        _report(comparison, pictures, reference, published, study, report, force)
    sys.exit(1 if inputs and comparison is not None and comparison.skipped else 0)


def _check_usage(
    inputs: Sequence[str],
    stored: Path | None,
    anchors: Path | None,
    curves: Sequence[str] | None,
    study: Study,
    outputs: Outputs,
) -> None:
    if inputs and stored is not None:
        raise click.UsageError("give pictures or --from, not both")
    if not inputs and stored is None and anchors is None:
        raise click.UsageError(
            "give pictures to measure, stored results with --from, or published curves with --anchors"
        )
    if curves is not None and anchors is None:
        raise click.UsageError("--curves needs --anchors")
    if not inputs and stored is None and (outputs.output or outputs.report):
        raise click.UsageError("published curves alone give no results to store or to report; give pictures or --from")
    if not inputs and (study.codecs or study.qualities or study.match or study.timings or study.colorvideovdp):
        raise click.UsageError("--codecs, --qualities, --match, --timings and --colorvideovdp need pictures to measure")
    if str(outputs.output) == STANDARD:
        raise click.UsageError("-o is a file; --json writes the results to stdout")
    if study.timings and study.jobs > 1:
        raise click.UsageError("--timings needs one job; leave out -j or --timings")


def _check_outputs(outputs: Outputs) -> None:
    """Check before the work that the outputs can be written."""
    extras.check("bjontegaard", "compare", "comparing")
    if outputs.output is not None and is_taken(outputs.output) and not outputs.force:
        raise NncError(detail=taken(outputs.output))
    if outputs.output is not None:
        require_writable(outputs.output)
    if outputs.report is not None:
        from nncodec.compare.report import check_report

        check_report(outputs.report, overwrite=outputs.force)


def _published(anchors: Path | None, chosen: Sequence[str] | None) -> dict[str, list[CurvePoint]]:
    if anchors is None:
        return {}
    from nncodec.compare import read_anchors

    published = read_anchors(anchors)
    if chosen is None:
        return published
    names = [name.removeprefix(PUBLISHED) for name in chosen]
    for name in names:
        Curves(published=published).find(name)
    return {name: published[name] for name in names}


def _stored(path: Path) -> Comparison:
    from nncodec.compare import Comparison

    try:
        return Comparison.from_json(path.read_bytes())
    except NncError as error:
        raise named(error, str(path)) from None


def _report(
    comparison: Comparison,
    pictures: dict[str, Path],
    reference: str | None,
    published: dict[str, list[CurvePoint]],
    study: Study,
    folder: Path,
    overwrite: bool,
) -> None:
    from nncodec.compare.report import write_report
    from nncodec.compare.report.samples import choose_samples

    samples = []
    if pictures:  # stored results come without pictures
        with progress("picture") as (on_progress, _):
            samples = choose_samples(
                comparison,
                pictures,
                reference=reference,
                effort=study.effort,
                max_pixels=study.max_pixels,
                on_progress=on_progress,
            )
    with progress("plot") as (on_progress, _):
        page = write_report(
            comparison,
            folder,
            samples=samples,
            reference=reference,
            anchors=published,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    click.echo(f"report: {page}", err=True)


def _show(comparison: Comparison | None, compared: Sequence[Difference], outputs: Outputs) -> None:
    if not outputs.as_json:
        click.echo(text_of(comparison, compared))
    elif comparison is None:
        click.echo(json.dumps({"bd": to_json(compared)}, indent=1))
    else:
        click.echo(comparison.to_json(bd=to_json(compared)), nl=False)
