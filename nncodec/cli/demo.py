"""`nncodec demo`: one photograph through nncodec and, at the same size, through JPEG, WebP and AVIF."""

from __future__ import annotations

import importlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from nncodec._support.files import write_file
from nncodec.api import encode
from nncodec.cli.files import is_taken
from nncodec.cli.options import force_option, model_option, quality_option
from nncodec.cli.text import table
from nncodec.cli.work import taken
from nncodec.errors import NncError
from nncodec.plugin import registry

_T = TypeVar("_T")

_REPEATS = 3
_RIVALS: dict[str, tuple[str, range, dict[str, Any]]] = {
    # name: Pillow's feature, qualities, settings
    "JPEG": ("jpg", range(1, 96), {"optimize": True, "progressive": True, "subsampling": "4:2:0"}),
    "WebP": ("webp", range(101), {"method": 6}),
    "AVIF": ("avif", range(101), {"speed": 6}),
}
_GAP, _LABEL_HEIGHT, _FONT_SIZE = 12, 56, 20


@dataclass(frozen=True)
class Outcome:
    """What one codec made of the photograph."""

    codec: str
    quality: int
    size_bytes: int
    picture: Image.Image
    encode_s: float
    decode_s: float
    psnr_db: float
    ssim: float


@click.command("demo", short_help="Compare with JPEG, WebP and AVIF on a photograph.")
@click.argument("picture", type=click.Choice(["astronaut", "chelsea", "coffee"]), default="astronaut")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("demo.png"), show_default=True)
@model_option
@quality_option
@force_option
def demo_command(picture: str, output: Path, model: str, quality: int, force: bool) -> None:
    """Compress a photograph and compare with JPEG, WebP and AVIF at the same size.

    The photographs come with scikit-image. The original and the results are written side by side into one PNG.
    """
    if is_taken(output) and not force:
        raise NncError(detail=taken(output))
    original = _photograph(picture)
    if sys.stderr.isatty():
        click.echo(f"{picture} is going through four codecs; this takes a few seconds", err=True)
    _, loading_s = _timed(lambda: registry.open_model(model), 1)
    outcomes = [_neural(original, model, quality)]
    absent, remarks = [], []
    for name, (feature, _, _) in _RIVALS.items():
        if not features.check(feature):
            absent.append(name)
            remarks.append(f"This Pillow was built without {name}.")
            continue
        rival = _rival(original, name, outcomes[0].size_bytes)
        if rival.size_bytes > outcomes[0].size_bytes:
            remarks.append(f"Even the lowest quality of {name} takes more bytes.")
        outcomes.append(rival)
    write_file(output, _sheet(original, outcomes))
    _report(picture, original, outcomes, absent)
    remarks += [
        "JPEG (optimized, progressive, 4:2:0), WebP (method 6), AVIF (speed 6): highest quality within that size.",
        f"Times are the best of {_REPEATS} on this computer, the model loaded ({loading_s:.1f} s) before.",
        f"Original and results side by side: {output}",
    ]
    click.echo("\n".join(remarks))


def _photograph(name: str) -> Image.Image:
    import skimage.data

    return Image.fromarray(getattr(skimage.data, name)())


def _neural(original: Image.Image, model: str, quality: int) -> Outcome:
    # The Pillow plugin depends on this package, never the other way, except here, where it is to be shown.
    importlib.import_module("nncodec_pillow")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "demo.nnc")
        data, encode_s = _timed(lambda: encode(original, model, quality))
        path.write_bytes(data)
        return _outcome(original, f"nncodec {model}", quality, data, encode_s, lambda: _opened(path))


def _rival(original: Image.Image, name: str, most_bytes: int) -> Outcome:
    """Encode with the highest quality that needs at most so many bytes, or the lowest there is."""
    _, qualities, settings = _RIVALS[name]

    def at(quality: int) -> bytes:
        buffer = io.BytesIO()
        original.save(buffer, name, quality=quality, **settings)
        return buffer.getvalue()

    low, high = 0, len(qualities) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if len(at(qualities[middle])) <= most_bytes:
            low = middle
        else:
            high = middle - 1
    data, encode_s = _timed(lambda: at(qualities[low]))
    return _outcome(original, name, qualities[low], data, encode_s, lambda: _opened(io.BytesIO(data)))


def _outcome(
    original: Image.Image, codec: str, quality: int, data: bytes, encode_s: float, decode: Callable[[], Image.Image]
) -> Outcome:
    metrics: Any = importlib.import_module("skimage.metrics")
    picture, decode_s = _timed(decode)
    before, after = np.asarray(original), np.asarray(picture)
    psnr_db = float(metrics.peak_signal_noise_ratio(before, after, data_range=255))
    ssim = float(metrics.structural_similarity(before, after, channel_axis=2, data_range=255))
    return Outcome(codec, quality, len(data), picture, encode_s, decode_s, psnr_db, ssim)


def _opened(source: Path | io.BytesIO) -> Image.Image:
    if isinstance(source, io.BytesIO):
        source.seek(0)
    with Image.open(source) as image:
        return image.convert("RGB")


def _timed(call: Callable[[], _T], repeats: int = _REPEATS) -> tuple[_T, float]:
    """Return what the call returns, and the seconds of its fastest run."""
    fastest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        fastest = min(fastest, time.perf_counter() - start)
    return result, fastest


def _report(name: str, original: Image.Image, outcomes: list[Outcome], absent: list[str]) -> None:
    pixels = original.width * original.height
    click.echo(f"{name}, {original.width} x {original.height} pixels, {3 * pixels:,} bytes uncompressed\n")
    rows = [
        [
            one.codec,
            str(one.quality),
            f"{one.size_bytes:,}",
            f"{3 * pixels / one.size_bytes:.0f} : 1",
            f"{8 * one.size_bytes / pixels:.3f}",
            f"{one.psnr_db:.2f} dB",
            f"{one.ssim:.4f}",
            f"{1000 * one.encode_s:.0f} ms",
            f"{1000 * one.decode_s:.0f} ms",
        ]
        for one in outcomes
    ]
    heads = ["", "QUALITY", "BYTES", "RATIO", "BITS/PIXEL", "PSNR", "SSIM", "ENCODE", "DECODE"]
    rows += [[name, *("-" * (len(heads) - 1))] for name in absent]
    click.echo(table(heads, rows, right=range(1, len(heads))) + "\n")


def _sheet(original: Image.Image, outcomes: list[Outcome]) -> bytes:
    """Return a PNG of the original and the results in a row, labelled."""
    labels = [("original", f"{3 * original.width * original.height:,} bytes")]
    labels += [(o.codec, f"{o.size_bytes:,} bytes, {o.psnr_db:.1f} dB, SSIM {o.ssim:.3f}") for o in outcomes]
    step = original.width + _GAP
    sheet = Image.new("RGB", (step * len(labels) + _GAP, original.height + _LABEL_HEIGHT + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT_SIZE)
    for number, (picture, label) in enumerate(zip([original, *(o.picture for o in outcomes)], labels, strict=True)):
        left = _GAP + step * number
        draw.multiline_text((left, 4), "\n".join(label), "black", font)
        sheet.paste(picture, (left, _LABEL_HEIGHT))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
