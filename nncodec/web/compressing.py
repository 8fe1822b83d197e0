"""What the Compress tab does with pictures: encode, decode, measure; and open .nnc files."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from PIL import Image

import nncodec
from nncodec._support.text import describe, plain
from nncodec.api import DEFAULT_MODEL, DEFAULT_QUALITY
from nncodec.coding.choice import exactness_of
from nncodec.coding.encoder import unused_quality
from nncodec.compare.matching import in_mode_of_original
from nncodec.compare.measure import measured
from nncodec.compare.pictures import PictureSource, load
from nncodec.compare.records import plain as as_json
from nncodec.compare.results import Measurement, mean_point
from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.conversion import convert
from nncodec.picture.options import EncodeOptions
from nncodec.picture.reading import PictureFile, read_picture_file, upright
from nncodec.picture.writing import save
from nncodec.plugin import registry
from nncodec.web.files import Files, KeptFile
from nncodec.web.jobs import Report

_STEPS = 100  # of a picture, for the progress of several

_Advance = Callable[[float], None]
"""Called with the share of a picture's work that is done."""


@dataclass(frozen=True)
class Compression:
    """How to compress: a model, and one of quality, size and lossless.

    Args:
        quality: 0..100; None with a target or `lossless`.
        target_size: most bytes of a file.
        effort: 0..9.
    """

    model: str
    quality: int | None
    target_size: int | None
    lossless: bool
    effort: int

    @classmethod
    def taken_from(cls, asked: Mapping[str, Any]) -> Compression:
        """Return what the page asks for; raises InvalidOption or UnknownModel."""
        model = text_of(asked, "model", DEFAULT_MODEL)
        lossless = asked.get("lossless") is True
        target_size = whole_of(asked, "target_size", None, 1, 1 << 40)
        quality = whole_of(asked, "quality", DEFAULT_QUALITY, 0, 100)
        if not lossless:
            registry.catalog().find(model)
        return cls(
            model=model,
            quality=None if lossless or target_size else quality,
            target_size=None if lossless else target_size,
            lossless=lossless,
            effort=whole_of(asked, "effort", 0, 0, 9) or 0,
        )

    def encode(self, picture: Path, report: Report) -> tuple[PictureFile, bytes]:
        """Read a picture file and encode it, with its metadata."""
        # A codec's model is left out where the picture is stored exactly: the default lossless model does that.
        options = EncodeOptions(lossless=True) if self.lossless else EncodeOptions()
        model = None if self.lossless else self.model
        max_error = exactness_of(model, options)
        with picture.open("rb") as stream:
            read = read_picture_file(
                stream, frame=None, max_pixels=DEFAULT_LIMITS.pixels, strip=False, max_error=max_error
            )
        options = EncodeOptions(**options, effort=self.effort, **read.metadata)
        quality = self.quality if max_error is None and not unused_quality(self.model, self.quality) else None
        data = nncodec.encode(read.frames, model, quality, target_size=self.target_size, on_progress=report, **options)
        return read, data


def compressed_size(files: Files, asked: Mapping[str, Any], report: Report) -> dict[str, int]:
    """Return the bytes that a picture would take; nothing is kept."""
    file = files.get(asked.get("file"))
    return {"bytes": len(Compression.taken_from(asked).encode(file.path, report)[1])}


def compress(files: Files, asked: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Compress pictures, decode and measure them; one that fails has an `error` and the rest goes on.

    Returns:
        `results`, one for each picture in order, and `mean` over those that were measured.
    """
    compression = Compression.taken_from(asked)
    chosen = chosen_files(files, asked)
    results: list[dict[str, Any]] = []
    measurements: list[Measurement] = []
    for number, file in enumerate(chosen):

        def advance(share: float, start: int = _STEPS * number) -> None:
            report(start + int(_STEPS * share), _STEPS * len(chosen))

        advance(0)  # raises if the job was cancelled
        try:
            result, measurement = _compress(files, file, compression, advance)
        except Exception as error:  # one picture must not stop the others, whatever is wrong with it
            advance(0)
            result, measurement = {"error": plain(describe(error))}, None
        results.append({"source": file.id, "name": file.name, **result})
        if measurement is not None:
            measurements.append(measurement)
    mean = as_json(mean_point(measurements)) if measurements else None
    return {"results": results, "mean": mean, "measured": len(measurements)}


def open_file(files: Files, asked: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Decode the first frame of an .nnc file, check the file, and return its facts.

    Raises:
        FormatError: it is damaged.
        NncError: it cannot be decoded.
    """
    file = files.get(asked.get("file"))
    info = nncodec.check(file.path)
    result = {"name": file.name, "info": _facts(info), "width": info.width, "height": info.height}
    try:
        image = nncodec.decode(file.path, on_progress=report)
    except nncodec.UnknownModel as error:
        return {**result, "error": plain(str(error))}
    return {**result, "picture": _keep_png(files, file, image)}


def shown_png(file: KeptFile) -> bytes:
    """Return the first frame of a picture file as PNG, upright and without metadata."""
    with file.path.open("rb") as stream:
        read = read_picture_file(stream, frame=0, max_pixels=DEFAULT_LIMITS.pixels, strip=True)
    buffer = io.BytesIO()
    image = read.frames[0]
    image.info.clear()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def chosen_files(files: Files, asked: Mapping[str, Any]) -> list[KeptFile]:
    """Return the files that the page names; raises InvalidOption if there is none."""
    ids = asked.get("files")
    if not isinstance(ids, Sequence) or isinstance(ids, str) or not ids:
        raise InvalidOption(option="files", reason="add a picture first")
    return [files.get(file_id) for file_id in ids]


def whole_of(asked: Mapping[str, Any], name: str, default: int | None, low: int, high: int) -> int | None:
    """Return a whole number that the page gives; raises InvalidOption if it is something else."""
    value = asked.get(name, default)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidOption(option=name, reason=f"give a whole number from {low:,} to {high:,}")
    return value


def text_of(asked: Mapping[str, Any], name: str, default: str) -> str:
    """Return a text that the page gives; raises InvalidOption if it is something else."""
    value = asked.get(name) or default
    if not isinstance(value, str):
        raise InvalidOption(option=name, reason="give a text")
    return value


def _compress(
    files: Files, file: KeptFile, compression: Compression, advance: _Advance
) -> tuple[dict[str, Any], Measurement | None]:
    encoding = _Clock(lambda share: advance(0.4 * share))
    read, data = compression.encode(file.path, encoding)
    encode_s = encoding.stop()
    decoding = _Clock(lambda share: advance(0.4 + 0.3 * share))
    image = nncodec.decode(data, on_progress=decoding)
    decode_s = decoding.stop()
    info = nncodec.inspect(data)
    kept = files.add(f"{PurePath(file.name).stem}.nnc", data, file.id)
    notes = [plain(note) for note in read.notes]
    result = {
        "file": kept.id,
        "picture": _keep_png(files, kept, image),
        "width": image.width,
        "height": image.height,
        "bytes": len(data),
        "source_bytes": file.path.stat().st_size,
        "quality": info.quality,
        "lossless": info.lossless,
        "notes": notes,
    }
    advance(0.75)
    try:
        original = load(PictureSource(file.name, convert(upright(read.frames[0])).image))
        decoded = load(PictureSource(file.name, convert(upright(image)).image)).image
    except UnsupportedImage as error:  # too small for SSIM
        notes.append(str(error))
        return result, None
    decoded = in_mode_of_original(decoded, original.image)
    quality = -1 if info.quality is None else info.quality
    measurement = measured(original, decoded, info.model or "", quality, len(data), encode_s, decode_s, info.frames)
    if info.frames > 1:
        notes.append("PSNR, SSIM and the picture shown are those of its first frame")
    return {**result, "measured": as_json(measurement)}, measurement


def _keep_png(files: Files, source: KeptFile, image: Image.Image) -> str:
    """Keep a decoded picture as PNG, upright, with the metadata that PNG holds; return its id."""
    data, _ = save([upright(image)], "PNG", strip=False)
    return files.add(f"{PurePath(source.name).stem}.png", data, source.id).id


def _facts(info: nncodec.FileInfo) -> dict[str, Any]:
    facts = dataclasses.asdict(info) | {"lossless": info.lossless}
    return {name: value for name, value in facts.items() if value not in (None, {})}


class _Clock:
    """Progress of an encoder or decoder that times it from the moment when its model is loaded."""

    def __init__(self, advance: _Advance) -> None:
        self._advance = advance
        self._loaded = False
        self._start_s = time.perf_counter()

    def __call__(self, done: int, total: int) -> None:
        if not self._loaded:
            self._loaded, self._start_s = True, time.perf_counter()
        self._advance(done / max(1, total))

    def stop(self) -> float:
        return time.perf_counter() - self._start_s
