"""Every exception that leaves this package.

    NncError
    ├── FormatError (also an OSError)      the bytes are at fault
    │   ├── NotNnc                         not an .nnc file at all
    │   ├── UnsupportedVersion             made by a newer nncodec
    │   ├── Truncated                      ends too early
    │   ├── Corrupt                        contradicts itself or its checksums
    │   └── LimitExceeded                  asks for more than the limits allow
    ├── ModelError                         the model is at fault
    │   ├── UnknownModel                   not installed
    │   ├── WeightsMismatch                installed, but not the weights that are meant
    │   └── BadModelFile                   the model file cannot be used
    ├── PluginError                        a plugin is at fault
    └── EncodeError                        the request is at fault
        ├── UnsupportedImage               this picture does not suit this model or format
        └── InvalidOption                  an option that does not exist or a value out of range

Facts are keyword arguments and become attributes; the class holds the sentence they are put into. An exception
survives pickling, so it can cross process boundaries.
"""

from __future__ import annotations

from typing import Any, ClassVar


class NncError(Exception):
    """Base of all errors of this package; `str()` is one sentence that says what to do."""

    sentence: ClassVar[str] = "{detail}"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.sentence.format(**facts))

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.facts)


def first_line(error: BaseException) -> str:
    """Return the first line of a foreign exception's message, for a sentence of this package."""
    lines = str(error).splitlines()
    return lines[0] if lines else "no message"


def _rebuild(kind: type[NncError], facts: dict[str, object]) -> NncError:
    return kind(**facts)


class FormatError(NncError, OSError):
    """The bytes are not a valid .nnc file; facts: detail."""


class NotNnc(FormatError):
    """The file does not begin as an .nnc file does; no facts."""

    sentence = "not an .nnc file (it does not begin with 8E 4E 4E 43)"


class UnsupportedVersion(FormatError):
    """The file needs a newer reader; facts: found (what it uses that this reader does not know)."""

    sentence = "this file uses {found}, which this version of nncodec does not know; upgrade nncodec-image"


class Truncated(FormatError):
    """The file ends too early; facts: part."""

    sentence = "the file ends inside its {part}; it was cut off, fetch or copy it again"


class Corrupt(FormatError):
    """The file contradicts itself or a checksum; facts: detail."""

    sentence = "the file is damaged ({detail}); fetch or copy it again"


class LimitExceeded(FormatError):
    """The file asks for more than the limits allow; facts: quantity, value, limit."""

    sentence = "the file asks for {value} {quantity}, over the limit of {limit}; if you trust it, raise the limit"


class ModelError(NncError):
    """A model cannot be used; facts: detail."""


class UnknownModel(ModelError):
    """No installed model has this name or id; facts: wanted, installed, failures, kind ("model" or "enhancer")."""

    sentence = "no installed {kind} is {wanted!r}; installed: {installed}{failures}"

    def __init__(self, *, kind: str = "model", **facts: object) -> None:
        super().__init__(kind=kind, **facts)


class WeightsMismatch(ModelError):
    """Weights are not those that are meant; facts: name, expected, found."""

    sentence = "the weights of {name} have digest {found}, expected {expected}; reinstall the model"


class BadModelFile(ModelError):
    """A model file cannot be used; facts: path, reason."""

    sentence = "{path} is not a usable model file: {reason}"


class PluginError(NncError):
    """A plugin broke its contract; facts: plugin, reason."""

    sentence = "the plugin {plugin!r} failed: {reason}; see 'nncodec plugins'"


class EncodeError(NncError):
    """A picture cannot be encoded as asked; facts: detail."""


class UnsupportedImage(EncodeError):
    """This picture does not suit this model or format; facts: detail."""


class InvalidOption(EncodeError):
    """An unknown option, or a value out of range; facts: option, reason."""

    sentence = "invalid option {option!r}: {reason}"
