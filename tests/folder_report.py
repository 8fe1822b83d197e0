"""Every picture of a folder through the Python API, Pillow and the command line, and what became of it.

    python -m tests.folder_report FOLDER [--output report.json] [--max-pixels 4000000]

Each file is encoded and decoded three times. The report says of each way: seconds, bytes, size, mode, whether alpha is
exact, which metadata is kept, the worst error of a visible sample, and what was refused. It lists as faults what no
picture may cause: an exception outside the documented tree, more than one line of failure, another size, a lost or
changed alpha.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import nncodec
from nncodec.cli import main as command_line
from nncodec.picture.reading import is_picture

METADATA = ("exif", "icc_profile", "xmp", "dpi")
# Modes that Pillow converts to RGBA as this package does; others have samples beyond 8 bits or other colours.
_COMPARABLE = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "La", "RGBa")
# Pillow reads grey samples of a PNG of 2 and 4 bits as 8 bits, but its transparent colour as the file has it.
_SMALL_GREYS = {"L;2": 85, "L;4": 17}


@dataclasses.dataclass
class Outcome:
    """What became of a file on one of the ways.

    Args:
        way: "api", "pillow" or "command line".
        seconds: for encoding and decoding.
        refused: the documented error, or empty.
        fault: what must not happen, or empty.
        file_bytes: of the .nnc file.
        size, mode, frames: of the decoded picture.
        alpha_exact: None for an opaque picture or one that cannot be compared.
        worst_error: largest difference of a colour sample that is not transparent, 0..255; None likewise.
        kept, lost: kinds of metadata.
        notes: warnings and lines for the user.
    """

    way: str
    seconds: float = 0.0
    refused: str = ""
    fault: str = ""
    file_bytes: int = 0
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    frames: int = 0
    alpha_exact: bool | None = None
    worst_error: int | None = None
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclasses.dataclass
class FileReport:
    """A file, as Pillow reads it (size and mode are empty if it does not), and its outcomes."""

    path: str
    file_bytes: int
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)


def report_on(folder: Path, max_pixels: int) -> Iterator[FileReport]:
    """Yield a report for each file of a folder with the extension of a picture, and at most so many pixels."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and is_picture(path)):
        original = _opened(path)
        if original is not None and _pixels(original) > max_pixels:
            continue
        report = FileReport(str(path.relative_to(folder)), path.stat().st_size)
        reference = None
        if original is not None:
            report.size, report.mode = original.size, original.mode
            reference = _rgba(original)
        for way, encode in {"api": _by_api, "pillow": _by_pillow, "command line": _by_command}.items():
            report.outcomes.append(_outcome(way, encode, path, original, reference))
        yield report


def _opened(path: Path) -> Image.Image | None:
    """Return the picture as Pillow reads it without this package, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(path.read_bytes()))
            step = next((step for tile in image.tile for raw, step in _SMALL_GREYS.items() if tile.args == raw), 1)
            image.load()
        except Exception:  # Pillow's decoders may raise anything
            return None
    if step > 1 and isinstance(clear := image.info.get("transparency"), int):
        image.info["transparency"] = step * clear
    return image


def _pixels(image: Image.Image) -> int:
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception:  # Pillow counts the frames only now, and may find damage
        frames = 1
    return image.width * image.height * int(frames)


def _rgba(image: Image.Image) -> NDArray[np.int16] | None:
    if image.mode not in _COMPARABLE or any(";16" in str(tile.args) for tile in getattr(image, "tile", ())):
        return None
    try:
        return np.asarray(image.convert("RGBA"), np.int16)
    except (TypeError, ValueError, OSError):
        return None


class _Refused(Exception):
    """A documented refusal."""


def _by_api(path: Path, notes: list[str]) -> tuple[bytes, Callable[[], Image.Image]]:
    try:
        data = nncodec.encode(path)
    except nncodec.NncError as error:
        raise _Refused(str(error)) from error
    return data, lambda: nncodec.decode(data)


def _by_pillow(path: Path, notes: list[str]) -> tuple[bytes, Callable[[], Image.Image]]:
    out = io.BytesIO()
    try:
        image = Image.open(io.BytesIO(path.read_bytes()))
        image.load()
    except Exception as error:  # before this package has a part in it
        raise _Refused(f"Pillow: {error}") from error
    try:
        image.save(out, "NNC")
    except (OSError, nncodec.InvalidOption) as error:
        raise _Refused(str(error)) from error
    return out.getvalue(), lambda: Image.open(out)


def _by_command(path: Path, notes: list[str]) -> tuple[bytes, Callable[[], Image.Image]]:
    with tempfile.TemporaryDirectory() as folder:
        coded, decoded = Path(folder, "x.nnc"), Path(folder, "x.png")
        for arguments in (["encode", path, "-o", coded, "--quiet"], ["decode", coded, "-o", decoded, "--frame", 0]):
            result = CliRunner().invoke(command_line, [str(argument) for argument in arguments])
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            lines = result.stderr.splitlines()
            notes += lines
            if any(not line.startswith("nncodec: ") for line in lines):
                raise RuntimeError(f"lines that are no messages: {lines}")
            if result.exit_code == 1 and len(lines) == 1:
                raise _Refused(lines[0])
            if result.exit_code:
                raise RuntimeError(f"exit status {result.exit_code}: {lines}")
        data = coded.read_bytes()
        image = Image.open(io.BytesIO(decoded.read_bytes()))
    return data, lambda: image


def _outcome(
    way: str,
    encode: Callable[[Path, list[str]], tuple[bytes, Callable[[], Image.Image]]],
    path: Path,
    original: Image.Image | None,
    reference: NDArray[np.int16] | None,
) -> Outcome:
    outcome, notes = Outcome(way), []
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            data, decode = encode(path, notes)
            image = decode()
            image.load()
            outcome.seconds = time.perf_counter() - start
            _compare(outcome, data, image, original, reference)
        except _Refused as error:
            outcome.refused = str(error)
        except Exception as error:  # what this script looks for
            place = traceback.extract_tb(error.__traceback__)[-1]
            outcome.fault = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    outcome.notes = (*notes, *(str(w.message) for w in caught if issubclass(w.category, nncodec.NncWarning)))
    return outcome


def _compare(
    outcome: Outcome,
    data: bytes,
    image: Image.Image,
    original: Image.Image | None,
    reference: NDArray[np.int16] | None,
) -> None:
    info = nncodec.check(data)
    outcome.file_bytes, outcome.frames = len(data), info.frames
    outcome.size, outcome.mode = image.size, image.mode
    if original is None:
        return
    held = {key for key in METADATA if original.info.get(key)}
    carried = {key for key in METADATA if image.info.get(key)}
    outcome.kept, outcome.lost = tuple(sorted(held & carried)), tuple(sorted(held - carried))
    if image.size != original.size:
        outcome.fault = f"{original.width} x {original.height} became {image.width} x {image.height}"
        return
    if reference is None:
        return
    decoded = np.asarray(image.convert("RGBA"), np.int16)
    visible = reference[..., 3] > 0
    if visible.any():
        outcome.worst_error = int(np.abs(decoded - reference)[visible][:, :3].max())
    if reference[..., 3].min() < 255 or decoded[..., 3].min() < 255:
        outcome.alpha_exact = bool((decoded[..., 3] == reference[..., 3]).all())
        if not outcome.alpha_exact:
            outcome.fault = "alpha differs"


def summary(reports: list[FileReport]) -> str:
    """Return totals of all reports, and a line for each fault."""
    lines = [f"{len(reports):,} files, {sum(report.file_bytes for report in reports):,} bytes"]
    for way in ("api", "pillow", "command line"):
        outcomes = [o for report in reports for o in report.outcomes if o.way == way]
        done = [o for o in outcomes if not o.refused and not o.fault]
        errors = [o.worst_error for o in done if o.worst_error is not None]
        lost = Counter(key for o in done for key in o.lost)
        lines.append(
            f"{way}: {len(done):,} done, {sum(bool(o.refused) for o in outcomes):,} refused, "
            f"{sum(bool(o.fault) for o in outcomes):,} faults; {sum(o.file_bytes for o in done):,} bytes, "
            f"{sum(o.seconds for o in done):.0f} s; alpha exact in {sum(o.alpha_exact is True for o in done):,}; "
            f"median of the worst errors {np.median(errors) if errors else 0:.0f}; "
            f"metadata lost: {', '.join(f'{key} {count}' for key, count in sorted(lost.items())) or 'none'}"
        )
        lines += [f"  {count} x refused: {text[:150]}" for text, count in _kinds(o.refused for o in outcomes)]
    lines += [f"FAULT {r.path} ({r.mode}), {o.way}: {o.fault}" for r in reports for o in r.outcomes if o.fault]
    return "\n".join(lines)


def _kinds(texts: Iterator[str]) -> list[tuple[str, int]]:
    """Return the different messages without the names of files, the most frequent first."""
    return Counter(text.split(": ", 2)[-1] for text in texts if text).most_common(12)


def faults(reports: list[FileReport]) -> list[str]:
    """Return the faults of all files."""
    return [f"{r.path}, {o.way}: {o.fault}" for r in reports for o in r.outcomes if o.fault]


def _main() -> None:
    parser = argparse.ArgumentParser(description="Run a folder of pictures through nncodec.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, help="write all reports as JSON")
    parser.add_argument("--max-pixels", type=int, default=4_000_000, help="leave out larger files")
    given = parser.parse_args()
    nncodec.register()
    reports = list(report_on(given.folder, given.max_pixels))
    if given.output:
        entries: list[dict[str, Any]] = [dataclasses.asdict(report) for report in reports]
        given.output.write_text(json.dumps(entries, indent=1), encoding="utf-8")
    print(summary(reports))
    raise SystemExit(bool(faults(reports)))


if __name__ == "__main__":
    _main()
