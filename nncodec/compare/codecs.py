"""Opens codecs by name.

jpeg, webp, avif, ...           a peer, see `peers`
pillow:FORMAT                   any other format that Pillow reads, and writes with a quality
photo, conv/photo, ...          a model of this package, by name or alias
photo:effort=9:coder=zstd       a model with options of `nncodec.encode`
one/low+one/mid+one/high        models of one rate each as one curve, the worst first: its qualities are 0, 1 and 2
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from nncodec.api import DEFAULT_MODEL, DEFAULT_QUALITY, decode, encode
from nncodec.compare.peers import PEERS, Peer
from nncodec.compare.results import CodecInfo
from nncodec.errors import InvalidOption, UnknownModel
from nncodec.picture.options import EncodeOptions
from nncodec.plugin import registry
from nncodec.plugin.model_file import ModelInfo

_PILLOW = "pillow:"
_JOIN = "+"
_MODEL_LADDER = tuple(range(0, 101, 10))


class Codec(Protocol):
    """A codec that can be measured."""

    @property
    def info(self) -> CodecInfo:
        """Its name, label and options."""

    @property
    def qualities(self) -> range:
        """All qualities, worst first."""

    @property
    def ladder(self) -> Sequence[int]:
        """The default qualities of a curve."""

    def encode(self, image: Image.Image, quality: int) -> bytes:
        """Return a picture of mode L or RGB, without metadata, as a file."""

    def decode(self, data: bytes) -> Image.Image:
        """Return the picture in a file, loaded, in the file's mode."""


def default_codecs() -> tuple[str, ...]:
    """Return the codecs that are compared by default: the photo model and the installed peers."""
    names = ("jpeg", "webp", "avif", "jxl")
    return (DEFAULT_MODEL, *(name for name in names if PEERS[name].installed))


def open_codec(name: str, *, effort: int | None = None) -> Codec:
    """Return a codec by its name; a model is loaded only when it is used.

    Args:
        name: see the module's docstring.
        effort: of models, unless their name gives one.

    Raises:
        InvalidOption: unknown codec, or not installed; one line says which there are.
    """
    if name in PEERS:
        peer = PEERS[name]
        if not peer.installed:
            raise InvalidOption(option="codecs", reason=f"{name} is not available here; it needs {peer.package}")
        return _PillowCodec(name, peer)
    if name.startswith(_PILLOW):
        return _PillowCodec(name, _any_format(name.removeprefix(_PILLOW)))
    if _JOIN in name:
        return _JoinedModels(name, tuple(_model_codec(part, effort) for part in name.split(_JOIN)))
    return _model_codec(name, effort)


@dataclass(frozen=True)
class _PillowCodec:
    """A format that Pillow reads and writes."""

    name: str
    peer: Peer

    @property
    def info(self) -> CodecInfo:
        return CodecInfo(self.name, self.peer.label, f"{self.peer.format}, {self.peer.options}", learned=False)

    @property
    def qualities(self) -> range:
        return self.peer.qualities

    @property
    def ladder(self) -> Sequence[int]:
        return self.peer.ladder

    def encode(self, image: Image.Image, quality: int) -> bytes:
        if self.peer.module is not None:
            importlib.import_module(self.peer.module)
        if self.peer.encoder is not None:
            return self.peer.encoder(image, quality)
        buffer = io.BytesIO()
        image.save(buffer, self.peer.format, quality=quality, **self.peer.save_options)
        return buffer.getvalue()

    def decode(self, data: bytes) -> Image.Image:
        if self.peer.module is not None:
            importlib.import_module(self.peer.module)
        image = Image.open(io.BytesIO(data), formats=[self.peer.format])
        image.load()
        return image


@dataclass(frozen=True)
class _ModelCodec:
    """A model of this package."""

    name: str
    model_info: ModelInfo
    options: EncodeOptions

    @property
    def info(self) -> CodecInfo:
        chosen = [f"{key} {value}" for key, value in self.options.items()]
        label = ", ".join([self.model_info.name, *chosen])
        return CodecInfo(self.name, label, ", ".join([f"id {self.model_info.digest[:8]}", *chosen]), learned=True)

    @property
    def qualities(self) -> range:
        return range(101) if self._has_qualities else range(DEFAULT_QUALITY, DEFAULT_QUALITY + 1)

    @property
    def ladder(self) -> Sequence[int]:
        return _MODEL_LADDER if self._has_qualities else self.qualities

    def encode(self, image: Image.Image, quality: int) -> bytes:
        return encode(image, self.model_info.name, quality if self._has_qualities else None, **self.options)

    def decode(self, data: bytes) -> Image.Image:
        return decode(data)

    @property
    def _has_qualities(self) -> bool:
        return registry.open_model(self.model_info).traits.qualities


@dataclass(frozen=True)
class _JoinedModels:
    """Models without qualities as one codec, whose quality is the number of the model."""

    name: str
    models: tuple[_ModelCodec, ...]

    @property
    def info(self) -> CodecInfo:
        infos = [model.info for model in self.models]
        return CodecInfo(
            self.name, _JOIN.join(i.label for i in infos), "; ".join(i.options for i in infos), learned=True
        )

    @property
    def qualities(self) -> range:
        return range(len(self.models))

    @property
    def ladder(self) -> Sequence[int]:
        return self.qualities

    def encode(self, image: Image.Image, quality: int) -> bytes:
        return self.models[quality].encode(image, DEFAULT_QUALITY)

    def decode(self, data: bytes) -> Image.Image:
        return decode(data)


def _model_codec(name: str, effort: int | None) -> _ModelCodec:
    model, *pairs = name.split(":")
    try:
        model_info = registry.catalog().find(model)
    except UnknownModel as error:
        models = f"{error.installed}{error.failures}"
        reason = f"no codec is called {name!r}; peers are {', '.join(PEERS)}, {_PILLOW}FORMAT; models are {models}"
        raise InvalidOption(option="codecs", reason=reason) from None
    options = EncodeOptions()
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key == "effort" and value.isdecimal() and int(value) <= 9:
            options["effort"] = int(value)
        elif key == "coder" and value:
            options["coder"] = value
        else:
            reason = f"{name!r}: after a model's name come effort=0..9 and coder=NAME, not {pair!r}"
            raise InvalidOption(option="codecs", reason=reason)
    if effort is not None:
        options.setdefault("effort", effort)
    return _ModelCodec(name, model_info, options)


@functools.cache
def _any_format(kind: str) -> Peer:
    """Return a format that Pillow writes with a quality, with Pillow's own options."""
    Image.init()
    peer = Peer(kind, kind, {}, "Pillow's own options", range(1, 101), (*range(10, 100, 10), 95))
    if kind not in Image.SAVE or kind not in Image.OPEN or kind == "NNC":
        known = sorted((Image.SAVE.keys() & Image.OPEN.keys()) - {"NNC"})
        reason = f"Pillow does not write and read {kind!r} files; it does {', '.join(known)}"
        raise InvalidOption(option="codecs", reason=reason)
    noise = Image.frombytes("RGB", (32, 32), random.Random(0).randbytes(32 * 32 * 3))  # noqa: S311 (not for secrets)
    sizes = set()
    with contextlib.suppress(Exception):  # formats may come from plugins, which raise anything
        sizes = {len(_PillowCodec(kind, peer).encode(noise, quality)) for quality in (10, 90)}
    if len(sizes) < 2:
        raise InvalidOption(option="codecs", reason=f"Pillow writes {kind} files without a quality")
    return peer
