"""`nncodec demo`: one photograph through nncodec and, at the same size, through JPEG, WebP and AVIF."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from PIL import Image

from nncodec._support.files import require_writable, write_file
from nncodec.cli.files import is_taken
from nncodec.cli.options import force_option, model_option, quality_option
from nncodec.cli.text import render
from nncodec.cli.work import taken
from nncodec.errors import NncError

if TYPE_CHECKING:
    from nncodec.compare import Codec, Comparison
    from nncodec.compare.measure import Trial
    from nncodec.compare.pictures import Original

_PEERS = ("jpeg", "webp", "avif")
_SQUARES_ACROSS = 3  # the enlarged square is as large as a picture whose edge holds so many squares


@click.command("demo", short_help="Compare with JPEG, WebP and AVIF on a photograph.")
@click.argument("picture", type=click.Choice(["astronaut", "chelsea", "coffee"]), default="astronaut")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo.png"),
    show_default=True,
    metavar="FILE",
    help="PNG to write.",
)
@model_option
@quality_option
@force_option
def demo_command(picture: str, output: Path, model: str, quality: int, force: bool) -> None:
    """Compress a photograph and compare with JPEG, WebP and AVIF at the same size.

    The photographs come with scikit-image. One PNG shows the original and the results side by side, and three times
    enlarged the square where they differ most.
    """
    if output.suffix.lower() != ".png":
        raise click.UsageError(f"{output} does not end in .png, but demo writes a PNG; name one with -o")
    if is_taken(output) and not force:
        raise NncError(detail=taken(output))
    require_writable(output)
    from nncodec.compare import PEERS, open_codec
    from nncodec.compare.measure import TIMED_RUNS, try_at_equal_bytes
    from nncodec.compare.pictures import PictureSource, load

    original = load(PictureSource(picture, _photograph(picture)))
    codecs = [open_codec(name) for name in (model, *_PEERS) if name not in PEERS or PEERS[name].installed]
    if sys.stderr.isatty():
        click.echo(f"{picture} is going through {len(codecs)} codecs; this takes a few seconds", err=True)
    trials = try_at_equal_bytes(original, codecs, quality, timings=True)
    labels = {codec.info.name: codec.info.label for codec in codecs} | {model: f"nncodec {model}"}
    write_file(output, _sheet(original, trials, labels))
    info = original.info
    click.echo(f"{picture}, {info.width} x {info.height} pixels, {info.raw_bytes:,} bytes uncompressed\n")
    click.echo(_table(_comparison(original, codecs, trials), labels) + "\n")
    click.echo("\n".join(_remarks(codecs, trials)))
    click.echo(f"Times are medians of {TIMED_RUNS} runs on this computer, after a first one that loads the model.")
    click.echo(f"Original and results side by side, and a part of them enlarged: {output}")


def _photograph(name: str) -> Image.Image:
    import skimage.data

    return Image.fromarray(getattr(skimage.data, name)())


def _comparison(original: Original, codecs: Sequence[Codec], trials: Sequence[Trial]) -> Comparison:
    from nncodec.compare import Comparison

    return Comparison(
        pictures=(original.info,),
        codecs=tuple(codec.info for codec in codecs),
        measurements=tuple(trial.measurement for trial in trials),
        skipped=(),
        command="",
        versions={},
    )


def _table(comparison: Comparison, labels: dict[str, str]) -> str:
    """Return the results as a table, with an empty row for each peer that is not installed."""
    from nncodec.compare import PEERS, tables

    table = tables.means(comparison)
    absent = [PEERS[name].label for name in _PEERS if name not in labels]
    rows = tuple((label, *(None for _ in table.columns[1:])) for label in absent)
    return render(replace(table, rows=table.rows + rows), labels)


def _remarks(codecs: Sequence[Codec], trials: Sequence[Trial]) -> list[str]:
    """Return lines that say how the codecs were set, and what is left out."""
    from nncodec import metrics
    from nncodec.compare import PEERS

    lines = [
        f"{PEERS[name].label} left out; it needs {PEERS[name].package}." for name in _PEERS if not PEERS[name].installed
    ]
    if missing := metrics.not_installed():
        lines.append(f'{" and ".join(missing)} left out; pip install "nncodec-image[compare]" adds them.')
    size = trials[0].measurement.bytes
    for codec, trial in zip(codecs[1:], trials[1:], strict=True):
        if trial.measurement.quality == codec.qualities[0] and trial.measurement.bytes > size:
            lines.append(f"Even the lowest quality of {codec.info.label} takes more bytes.")
    options = [f"{codec.info.label} ({codec.info.options.partition(', ')[2]})" for codec in codecs[1:]]
    return [*lines, f"{', '.join(options)}: the quality that comes nearest to the bytes of nncodec."]


def _sheet(original: Original, trials: Sequence[Trial], labels: dict[str, str]) -> bytes:
    """Return the PNG that shows the original and the results."""
    from nncodec.cli.demo_sheet import Panel, draw_sheet
    from nncodec.compare.crops import most_different_square

    image = original.image
    panels = [Panel(("original", f"{original.info.raw_bytes:,} bytes", "uncompressed"), image)]
    for trial in trials:
        result = trial.measurement
        values = f"{result.psnr_db:.2f} dB, SSIM {result.ssim:.3f}"
        panels.append(Panel((labels[result.codec], f"{result.bytes:,} bytes", values), trial.decoded))
    side = min(image.size) // _SQUARES_ACROSS
    crop = most_different_square(image, [trial.decoded for trial in trials], side)
    buffer = io.BytesIO()
    draw_sheet(panels, crop)[0].save(buffer, "PNG")
    return buffer.getvalue()
