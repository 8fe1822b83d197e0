"""Messages for users, each on one line."""

from __future__ import annotations

import errno

from PIL import Image, UnidentifiedImageError

from nncodec.errors import NncError


def line_of(message: str, name: str = "") -> str:
    """Return a message as commands print it, `nncodec: name: message`, on a single line."""
    return plain(": ".join(part for part in ("nncodec", name, message) if part))


def plain(text: str) -> str:
    """Return text on one line without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def describe(error: BaseException) -> str:
    """Return one sentence that says what went wrong with a file."""
    if isinstance(error, NncError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not a picture that Pillow can read"
    if isinstance(error, Image.DecompressionBombError):
        return "the picture has too many pixels; if you trust it, raise --max-pixels"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        hint = "; use -r for folders" if error.errno == errno.EISDIR else ""
        return f"{error.strerror}{hint}"
    text = str(error).split("\n")[0]
    return text if text and isinstance(error, OSError) else f"{type(error).__name__}: {text or 'no message'}"


def size_of(number: int) -> str:
    """Return a number of bytes in the unit that suits: `812 B`, `12.3 MB`; k is 1000, as in --target-size."""
    if number < 1000:
        return f"{number} B"
    unit = next((power for power in (1, 2, 3) if number < 999.5 * 1000**power), 4)
    return f"{number / 1000**unit:.3g} {'kMGT'[unit - 1]}B"


def duration_of(seconds: float) -> str:
    """Return a duration for people: `0.4 s`, `31 s`, `8 min`, `2.5 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def count_of(number: int, thing: str) -> str:
    """Return `1 file`, `2,000 files`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
