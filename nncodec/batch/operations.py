"""What a batch does with each file: which files it takes, what their results are called, and how they are made."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePosixPath
from typing import Any, Protocol

from PIL import Image

from nncodec.api import DEFAULT_MODEL
from nncodec.batch.coding import (
    KEEP,
    CodedFile,
    DecodeSettings,
    EncodeSettings,
    decode_file,
    encode_file,
    encode_together,
    fits_together,
    read_pictures,
)
from nncodec.coding.choice import exactness_of
from nncodec.coding.exact_encoder import DEFAULT_LOSSLESS
from nncodec.coding.inspection import check as check_checksums
from nncodec.errors import FormatError, NncError
from nncodec.format.container import Container
from nncodec.limits import Limits
from nncodec.picture.naming import is_nnc, nnc_name, picture_name
from nncodec.picture.reading import PictureFile, is_picture, megapixels_of
from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS

_ANY_SIZE = Limits(pixels=1 << 80)
"""Reading headers and checksums allocates no pixels, so any number may be declared."""

# Options with these values are as if they were not given.
_SAY_NOTHING = (
    *(("lossless", "auto"), ("effort", 0), ("downscale", 1), ("precision", "auto"), ("precision", None)),
    *((name, None) for name in ("max_error", "enhancer", "enhancer_strength")),
    *((name, False) for name in ("preview", "exact", "verify", "record_settings")),
)

# Results that another device computed need not be made again.
_NOT_IN_RESULTS = ("device",)


class Operation(Protocol):
    """What a batch does with each file. It can be pickled."""

    @property
    def name(self) -> str:
        """Of the operation, and of its folder in the state folder."""

    def takes(self, name: str) -> bool:
        """Return whether it is for a file with this name."""

    def result_name(self, name: str) -> str:
        """Return the name of a file's result."""

    def digest(self) -> str:
        """Return what changes when results would: a digest of all options and models."""

    def model_names(self) -> list[str]:
        """Return the installed models that every file needs, by name."""

    def pixels(self, data: bytes) -> int:
        """Return how many pixels a file has over all frames, from its header; 0 if it cannot be read."""

    def code(self, data: bytes) -> CodedFile:
        """Make the results of a file; raises what is wrong with it."""


@dataclass(frozen=True)
class Encoding:
    """Encodes pictures to .nnc files."""

    settings: EncodeSettings
    keep_extension: bool = False

    name = "encode"

    def takes(self, name: str) -> bool:
        path = PurePosixPath(name)
        return is_nnc(path) if self.settings.quality == KEEP else is_picture(path)

    def result_name(self, name: str) -> str:
        return nnc_name(name, keep_extension=self.keep_extension)

    def digest(self) -> str:
        return _digest(self)

    def model_names(self) -> list[str]:
        settings, catalog = self.settings, registry.catalog()
        exact = exactness_of(settings.model, settings.options)
        if exact is not None:
            names = [settings.model or DEFAULT_LOSSLESS]
        else:
            names = [] if settings.quality == KEEP and settings.model is None else [settings.model or DEFAULT_MODEL]
            is_allowed = settings.options.get("lossless") is not False
            names += [DEFAULT_LOSSLESS] if is_allowed and DEFAULT_LOSSLESS in catalog.aliases else []
        enhancer = settings.options.get("enhancer")
        return [*names, *([enhancer] if enhancer else [])]

    def pixels(self, data: bytes) -> int:
        if self.settings.quality == KEEP:
            return _pixels_of_nnc(data)
        return round(1e6 * megapixels_of(lambda: io.BytesIO(data)))

    def code(self, data: bytes) -> CodedFile:
        return encode_file(io.BytesIO(data), len(data), self.settings)

    def together(self, data: Sequence[bytes]) -> list[CodedFile | None]:
        """Encode small pictures of one size together; None stands for files that are to be coded alone."""
        results: list[CodedFile | None] = [None] * len(data)
        small: dict[int, PictureFile] = {}
        if not self.settings.shares_passes:
            return results
        for number, part in enumerate(data):
            try:
                pictures = read_pictures(io.BytesIO(part), self.settings)
            except (NncError, OSError, MemoryError, Image.DecompressionBombError):
                continue  # coding it alone raises this again
            if fits_together(pictures):
                small[number] = pictures
        if len(small) > 1:
            try:
                coded = encode_together([*small.values()], [len(data[n]) for n in small], self.settings)
            except (NncError, MemoryError):
                return results
            for number, result in zip(small, coded, strict=True):
                results[number] = result
        return results


@dataclass(frozen=True)
class Decoding:
    """Decodes .nnc files to pictures of a format, each frame to a file of its own unless the format holds several."""

    settings: DecodeSettings
    extension: str
    keep_extension: bool = False

    name = "decode"

    def takes(self, name: str) -> bool:
        return is_nnc(PurePosixPath(name))

    def result_name(self, name: str) -> str:
        return picture_name(name, self.extension, keep_extension=self.keep_extension)

    def digest(self) -> str:
        return _digest(self)

    def model_names(self) -> list[str]:
        catalog, enhancer = registry.catalog(), self.settings.enhancer
        return [enhancer] if enhancer in {*catalog.models, *catalog.aliases} and enhancer else []

    def pixels(self, data: bytes) -> int:
        return _pixels_of_nnc(data)

    def code(self, data: bytes) -> CodedFile:
        return decode_file(io.BytesIO(data), self.settings)


@dataclass(frozen=True)
class Checking:
    """Verifies the checksums of the .nnc files that pictures were encoded to."""

    keep_extension: bool = False

    name = "check"

    def takes(self, name: str) -> bool:
        return is_picture(PurePosixPath(name)) or is_nnc(PurePosixPath(name))

    def result_name(self, name: str) -> str:
        return nnc_name(name, keep_extension=self.keep_extension)

    def digest(self) -> str:
        return _digest(self)

    def model_names(self) -> list[str]:
        return []

    def pixels(self, data: bytes) -> int:
        return 0

    def code(self, data: bytes) -> CodedFile:
        try:
            check_checksums(io.BytesIO(data), limits=_ANY_SIZE)
        except FormatError as error:
            raise NncError(detail=f"its result is to be removed, and encoded again: {error}") from error
        return CodedFile(())


def open_models(operation: Operation) -> None:
    """Open the models that every file needs, so that the first file does not wait for them.

    Raises:
        NncError: one cannot be used.
    """
    catalog = registry.catalog()
    for name in operation.model_names():
        model_info = catalog.find(name)
        openers = {LOSSLESS: registry.open_lossless, "enhancer": registry.open_enhancer}
        openers.get(catalog.kind_of(model_info), registry.open_model)(model_info)


def _pixels_of_nnc(data: bytes) -> int:
    try:
        header = Container(io.BytesIO(data), _ANY_SIZE).header
    except NncError:
        return 0  # it will fail when it is decoded, with a message
    return header.display_size[0] * header.display_size[1] * header.frames


def _digest(operation: Operation) -> str:
    catalog = registry.catalog()
    models = [catalog.find(name).digest for name in operation.model_names()]
    values = {field.name: getattr(operation, field.name) for field in fields(operation)}  # type: ignore[arg-type]
    if settings := values.pop("settings", None):
        values |= asdict(settings) | {"model": None}  # the digest of the model says which it is
        values["options"] = {
            key: value
            for key, value in values.get("options", {}).items()
            if (key, value) not in _SAY_NOTHING and key not in _NOT_IN_RESULTS
        }
        values = {key: value for key, value in values.items() if key not in _NOT_IN_RESULTS}
    text = json.dumps([operation.name, values, models], sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    if isinstance(value, Image.Exif):
        value = value.tobytes()
    return value.hex() if isinstance(value, bytes) else str(value)
