"""The page of a report: one HTML file that asks for nothing outside itself.

Scripts and styles are allowed by their hashes only, and pictures as data only, so that no name or text in the results
can become code even if it should escape the template's quoting.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from nncodec.compare.report.embed import Embedded, data_uri
from nncodec.compare.report.points import Point
from nncodec.compare.report.ranking import Ranking
from nncodec.compare.report.samples import CodedPicture, Sample
from nncodec.compare.report.style import DARK, LIGHT, strokes
from nncodec.compare.results import Comparison, PictureInfo
from nncodec.compare.tables import Table, decimals

ORIGINAL = "original"
"""What the slider calls the picture before any codec."""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("nncodec.compare.report"),
    autoescape=jinja2.select_autoescape(["html"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Drawing:
    """A plot as PNG, for light and for dark surroundings."""

    title: str
    wide: bool
    light_png: bytes
    dark_png: bytes


@dataclass(frozen=True)
class PointPart:
    """What the page shows of one matching point."""

    point: Point
    means: Table
    drawings: Sequence[Drawing]


@dataclass(frozen=True)
class Parts:
    """What a page is put together from.

    Args:
        comparison: for its codecs, command and versions.
        curves: plots over the rate.
        curves_note: a sentence about published curves, or nothing.
        points: see `PointPart`.
        samples, embedded: pictures to look at, and their data, in the same order.
        ranking: of all pictures; None where nothing was measured.
        differences: matrices of codecs against codecs, the most important first.
        published: matrices of codecs against published curves.
        tables: by name: means, samples, ranking, times, skipped, pictures.
    """

    comparison: Comparison
    curves: Sequence[Drawing]
    curves_note: str
    points: Sequence[PointPart]
    samples: Sequence[Sample]
    embedded: Sequence[Embedded]
    ranking: Ranking | None
    differences: Sequence[Table]
    published: Sequence[Table]
    tables: dict[str, Table]


def render(parts: Parts) -> str:
    """Return the page as HTML."""
    comparison = parts.comparison
    style = _TEMPLATES.get_template("report.css").render(light=LIGHT, dark=DARK)
    script = _TEMPLATES.get_template("report.js").render()
    return _TEMPLATES.get_template("report.html").render(
        title=f"nncodec compare: {_pictures(len(comparison.pictures))}",
        lead=_lead(comparison),
        # The hashes in the page's policy are of exactly what stands between the tags.
        style=Markup(style),  # noqa: S704 -- the project's own file
        style_hash=_hash(style),
        script=Markup(script),  # noqa: S704 -- the project's own file
        script_hash=_hash(script),
        codecs=comparison.codecs,
        labels={codec.name: codec.label for codec in comparison.codecs},
        colours={name: one.colour for name, one in strokes([c.name for c in comparison.codecs]).items()},
        contents=list(_contents(parts)),
        shared=_pictures(len(comparison.shared_pictures())),
        curves=[_shown(one) for one in parts.curves],
        curves_note=parts.curves_note,
        points=[
            {
                "title": part.point.title,
                "explanation": part.point.explanation,
                "means": part.means,
                "plots": [_shown(one) for one in part.drawings],
            }
            for part in parts.points
        ],
        viewer=_viewer(parts) if parts.samples else None,
        viewer_note=_viewer_note(parts.embedded),
        cards=[
            {"name": sample.name, "why": sample.why, "thumbnail": embedded.thumbnail}
            for sample, embedded in zip(parts.samples, parts.embedded, strict=True)
        ],
        ranking_note=_ranking_note(comparison, parts.ranking),
        command=comparison.command,
        versions=sorted(comparison.versions.items()),
        differences=parts.differences,
        published=parts.published,
        **parts.tables,
    )


def facts(coded: CodedPicture, picture: PictureInfo) -> str:
    """Return the numbers of a coded picture in one line."""
    bpp = 8 * coded.bytes / (picture.width * picture.height)
    psnr = f"PSNR {decimals(2)(coded.psnr_db)} dB"
    return f"quality {coded.quality} · {coded.bytes:,} bytes · {bpp:.3f} bits per pixel · {psnr}"


def _lead(comparison: Comparison) -> str:
    measured = f"{len(comparison.measurements):,} measurements"
    return f"{_pictures(len(comparison.pictures))}, {len(comparison.codecs)} codecs, {measured}, all of real files."


def _pictures(count: int) -> str:
    return f"{count:,} picture{'' if count == 1 else 's'}"


def _contents(parts: Parts) -> list[tuple[str, str]]:
    found = [("curves", "Rate and distortion")]
    if parts.samples:
        found.append(("pictures", "Before and after"))
    if parts.tables["ranking"].rows:
        found.append(("ranking", "Worst and best"))
    for number, part in enumerate(parts.points, 1):
        several = f": {part.point.equal}" if len(parts.points) > 1 else ""
        found.append((f"point-{number}", f"Picture by picture{several}"))
    return [*found, ("times", "Times"), ("skipped", "Skipped"), ("about", "About")]


def _shown(one: Drawing) -> dict[str, Any]:
    with Image.open(io.BytesIO(one.light_png)) as image:
        width, height = image.size
    return {
        "title": one.title,
        "wide": one.wide,
        "width": width,
        "height": height,
        "light": data_uri(one.light_png, "image/png"),
        "dark": data_uri(one.dark_png, "image/png"),
    }


def _viewer(parts: Parts) -> dict[str, Any]:
    """Return what the slider's script reads."""
    labels = {codec.name: codec.label for codec in parts.comparison.codecs}
    infos = {one.name: one for one in parts.comparison.pictures}
    samples = []
    for sample, embedded in zip(parts.samples, parts.embedded, strict=True):
        info = infos[sample.name]
        versions = [{"key": "", "label": ORIGINAL, "facts": f"{info.raw_bytes:,} bytes raw", "uri": embedded.uris[0]}]
        versions += [
            {"key": coded.codec, "label": labels[coded.codec], "facts": facts(coded, info), "uri": uri}
            for coded, uri in zip(sample.coded, embedded.uris[1:], strict=True)
        ]
        box = embedded.box
        note = f"The whole picture, {box.width} x {box.height} pixels."
        if not embedded.whole:
            note = (
                f"The {box.width} x {box.height} pixels with most detail, at {box.left}, {box.top} of {info.width} x "
                f"{info.height}. The numbers are of the whole picture."
            )
        samples.append(
            {
                "name": sample.name,
                "why": sample.why,
                "note": note,
                "width": box.width,
                "height": box.height,
                "versions": versions,
            }
        )
    codec, reference = (parts.ranking.codec, parts.ranking.reference) if parts.ranking else ("", None)
    return {"samples": samples, "left": reference or "", "right": codec}


def _viewer_note(embedded: Sequence[Embedded]) -> str:
    cropped = sum(not one.whole for one in embedded)
    note = "Codecs at nearly equal bytes for each picture. Pictures are embedded without loss"
    if not cropped:
        return f"{note}."
    which = "they are" if cropped == len(embedded) else "the larger ones are"
    return (
        f"{note}; to keep this page small, {which} shown in part, outlined in the small pictures below. Numbers are "
        f"always of whole pictures."
    )


def _ranking_note(comparison: Comparison, ranking: Ranking | None) -> str:
    if ranking is None:
        return ""
    labels = {codec.name: codec.label for codec in comparison.codecs}
    against = f" against {labels[ranking.reference]}" if ranking.reference is not None else ""
    way = "lower is better" if ranking.lower_is_better else "higher is better"
    return f"By {ranking.measure} of {labels[ranking.codec]}{against} ({ranking.unit}, {way})."


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
