"""Targets of the Pillow plugin: opening files, and saving pictures with options taken from the input."""

from __future__ import annotations

import copy
import io
import pickle
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.contract import LIMITS, Target
from fuzz.mutators import change_file
from fuzz.seeds import exif
from PIL import Image

import nncodec_pillow
from nncodec.errors import NncError
from nncodec_pillow.options import OpenerOptions

_OPENING = (OSError, SyntaxError, EOFError, RuntimeError, Image.DecompressionBombError)


def make(files: tuple[bytes, ...], folder: Path) -> dict[str, Target]:
    """Return the targets by name; `files` are seeds."""
    options = (bytes(range(40)), b"\xff" * 30, bytes(64), bytes(range(103, 160)), b"\x04" + bytes(range(9, 40)))

    def run_all(data: bytes) -> None:
        actions = (_load, _draft, _keep, _verify, _open_path(folder / "opened.nnc"))
        actions[zlib.crc32(data) % len(actions)](data)

    return {
        "pillow": Target(run_all, files, _OPENING, change_file),
        "save": Target(_save, options, (NncError, OSError, UserWarning), cost=4),
        "resave": Target(_resave, files, (*_OPENING, NncError, ValueError, UserWarning), change_file, cost=2),
        "options": Target(_set_options, options, (NncError, OSError), cost=16),
    }


# --- opening ------------------------------------------------------------------------------------------------------


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["NNC"])


def _load(data: bytes) -> None:
    with _open(data) as image:
        image.load()
        for number in range(1, min(3, image.n_frames)):  # type: ignore[attr-defined]
            image.seek(number)
            assert image.tell() == number
            image.tobytes()
        again = pickle.loads(pickle.dumps(image))
        assert again.size == image.size
        image.seek(LIMITS.frames)


def _draft(data: bytes) -> None:
    with _open(data) as image:
        image.draft("L", (8, 8))
        image.load()
    with _open(data) as image:
        image.thumbnail((6, 6))


def _keep(data: bytes) -> None:
    copied = io.BytesIO()
    with _open(data) as image:
        image.save(copied, "NNC", quality="keep", save_all=True)
        assert copied.getvalue() == data


def _verify(data: bytes) -> None:
    with _open(data) as image:
        image.verify()
        image.verify()  # a RuntimeError: the file is closed


def _open_path(path: Path) -> Callable[[bytes], None]:
    """Return an action that opens a file by its path, and overwrites it."""

    def run(data: bytes) -> None:
        path.write_bytes(data)
        with Image.open(path) as image:
            image.copy().save(path.with_name("copied.nnc"), quality="keep", model=image.info["model"])
            image.putpixel((0, 0), 0 if len(image.getbands()) == 1 else (0,) * len(image.getbands()))
            image.save(path, quality="keep", save_all=bool(zlib.crc32(data) % 2))
        with Image.open(path) as image:
            image.save(path.with_name("kept.nnc"), quality="keep")

    return run


# --- saving -------------------------------------------------------------------------------------------------------

_MODES = ("L", "LA", "RGB", "RGBA", "P", "1", "CMYK", "I;16", "F", "I", "PA", "YCbCr")
_MODELS = ("toy/grey", "toy/smooth", "toy/colour", "toy/zipped", "lossless", "toy/none", "00", "ffffffff", 3)


class _Numbers:
    """Choices taken from the bytes of an input, one after another; zeros after its end."""

    def __init__(self, data: bytes) -> None:
        self._numbers: Iterator[int] = iter(data)

    def below(self, count: int) -> int:
        return next(self._numbers, 0) % count

    def one_of(self, choices: tuple[Any, ...]) -> Any:
        return choices[self.below(len(choices))]


def _save(data: bytes) -> None:
    """Save a picture with options taken from the data, and compare what comes back where it must be the same."""
    numbers = _Numbers(data)
    image = _picture(numbers, random.Random(data))
    options = _options(numbers)
    if numbers.below(4):
        options["model"] = "toy/colour" if image.mode.startswith(("RGB", "P", "CMYK", "Y")) else "toy/grey"
    _save_as(image, options, [image] * numbers.one_of((0, 0, 1, 2)))


def _save_as(image: Image.Image, options: dict[str, Any], further: list[Image.Image]) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "NNC", save_all=bool(further), append_images=further, **options)
    with Image.open(buffer) as again:
        assert again.size == image.size
        if image.mode in ("LA", "RGBA"):
            assert np.array_equal(np.asarray(again.getchannel("A")), np.asarray(image.getchannel("A")))
        again.load()
        if options.get("lossless") is True and image.mode == again.mode and image.mode in ("L", "RGB", "1", "I;16"):
            bound = options.get("max_error") or 0
            difference = np.asarray(again).astype(np.int64) - np.asarray(image).astype(np.int64)
            assert np.abs(difference).max() <= bound


def _picture(numbers: _Numbers, rng: random.Random) -> Image.Image:
    mode, size = numbers.one_of(_MODES), (1 + numbers.below(40), 1 + numbers.below(40))
    image = Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    image = image.convert("RGB").convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    if mode == "P" and numbers.below(2):
        image.info["transparency"] = numbers.one_of((0, 255, b"\x80", b"\x80" * 256))
    return image


def _options(numbers: _Numbers) -> dict[str, Any]:
    """Return options of `save`, most of them sound."""
    table: dict[str, tuple[Any, ...]] = {
        "quality": (50, 0, 100, 101, "keep", "x", None),
        "lossless": (True, False, "auto", 3),
        "max_error": (0, 1, 300, 65_536, None),
        "preview": (True, 16, 25, 8),
        "frames_per_block": (1, 2, 0),
        "coder": ("zstd", "stored", "rans", "none"),
        "model": _MODELS,
        "exif": (exif(), b"", b"Exif\0\0", 3),
        "icc_profile": (b"p", b"p" * 300, None),
        "xmp": (b"x", "<x/>", 3),
        "dpi": (72, (72, 96), (0, 1), (1e30, 1)),
        "duration": (20, [20, 30], -1, 1 << 40),
        "loop": (0, 3, -1, 1 << 40),
        "downscale": (2, 8, 9),
        "effort": (0, 3, 10),
        "exact": (True, False),
        "record_settings": (True,),
        "verify": (True,),
        "target_size": (200, 1),
        "target_bpp": (3.0, 0.0),
        "append": (False, True),
        "unknown": (1,),
        "enhancer": (None, "toy/none"),
    }
    names = tuple(table)
    chosen = (numbers.one_of(names) for _ in range(numbers.below(6)))
    return {name: table[name][0] if numbers.below(3) else numbers.one_of(table[name]) for name in chosen}


def _resave(data: bytes) -> None:
    """Save an opened file again, all of its frames together with itself, or with what it says of itself."""
    kind = zlib.crc32(data)
    with _open(data) as image:
        options: dict[str, Any] = {"quality": ("keep", 30)[kind & 1], "lossless": (False, "auto", True)[kind % 3]}
        if options["lossless"] is True:
            del options["quality"]
        elif kind & 2:
            options |= {name: value for name, value in image.info.items() if name in ("model", "exif", "dpi", "loop")}
        else:
            options["model"] = "toy/colour" if len(image.getbands()) > 2 or image.mode == "P" else "toy/grey"
        further = [copy.copy(image), image] if kind & 4 else []
        image.save(io.BytesIO(), "NNC", save_all=bool(kind & 12), append_images=further, **options)


# --- options ------------------------------------------------------------------------------------------------------


def _set_options(data: bytes) -> None:
    """Set options of the process, then save and open a picture with them."""
    table: dict[str, tuple[Any, ...]] = {
        "limits": (None, LIMITS, 3),
        "enhancer": (None, "recommended", "toy/none", 3),
        "strength": (None, 0.5, 2, "x"),
        "precision": (None, "float32", "auto", "x"),
        "model": (None, "toy/grey", "toy/zipped", "toy/none"),
        "quality": (None, 3, 100, 200),
        "target_size": (None, 100),
        "effort": (None, 3, 99),
        "coder": (None, "zstd", "none"),
        "preview": (None, 16, True),
        "unknown": (None,),
    }
    numbers = _Numbers(data)
    names = tuple(table)
    chosen = {name: numbers.one_of(table[name]) for name in (numbers.one_of(names) for _ in range(numbers.below(5)))}
    try:
        nncodec_pillow.register_nnc_opener(**chosen)
        image = Image.linear_gradient("L").resize((9, 5))
        given = {"quality": 20} if numbers.below(3) == 0 else {"max_error": 0} if numbers.below(4) == 0 else {}
        _save_as(image, {} if chosen.get("model") else {"model": "toy/grey", **given}, [])
    finally:
        defaults = dict.fromkeys(OpenerOptions.__annotations__)
        nncodec_pillow.register_nnc_opener(**{**defaults, "limits": LIMITS})  # type: ignore[typeddict-item]
