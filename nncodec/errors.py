"""Every exception that this package raises.

    NncError
    ├── FormatError (also an OSError)      the bytes are wrong
    │   ├── NotNnc                         not an .nnc file at all
    │   ├── UnsupportedVersion             made by a newer nncodec
    │   ├── Truncated                      ends too early
    │   ├── Corrupt                        contradicts itself or its checksums
    │   └── LimitExceeded                  asks for more than the limits allow
    ├── ModelError                         the model cannot be used
    │   ├── UnknownModel                   not installed
    │   ├── WeightsMismatch                installed with other weights than expected
    │   ├── BadModelFile                   the model file is invalid
    │   └── BackendMismatch                this machine decodes a sound file to something else
    ├── PluginError                        a plugin's code failed
    └── EncodeError                        the request is wrong
        ├── UnsupportedImage               the model or format cannot take this image
        └── InvalidOption                  unknown option or value out of range

    NncWarning (a UserWarning)             what an image loses, or how it was changed; nothing failed

Keyword arguments become attributes (the exception's fields) and fill the sentence that the class holds. Exceptions
can be pickled, so they cross process boundaries.
"""

from __future__ import annotations

from typing import Any, ClassVar


class NncError(Exception):
    """Base of all errors of this package; `str()` is one sentence that says what to do."""

    sentence: ClassVar[str] = "{detail}"
    _name = ""  # what stands before the sentence, see `named`

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(self._message())

    def _message(self) -> str:
        return self.sentence.format(**self.fields)

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        if name in fields:
            return fields[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.fields, self._name)


class NncWarning(UserWarning):
    """A note on what an image loses or how it was changed; the command line shows it as a line."""


def first_line(error: BaseException) -> str:
    """Return the first line of another library's message, to quote it in one of ours."""
    lines = str(error).splitlines()
    return lines[0] if lines else "no message"


def named(error: NncError, name: str) -> NncError:
    """Return an error of the same class and fields with a name before its sentence, such as that of a file."""
    return _rebuild(type(error), error.fields, f"{name}: {error._name}" if error._name else name)


def _rebuild(kind: type[NncError], fields: dict[str, object], name: str = "") -> NncError:
    error = kind(**fields)
    if name:
        error._name, error.args = name, (f"{name}: {error}",)
    return error


class FormatError(NncError, OSError):
    """The bytes are not a valid .nnc file; fields: detail."""


class NotNnc(FormatError):
    """The file does not start with the .nnc magic; no fields."""

    sentence = "not an .nnc file (it does not begin with 8E 4E 4E 43)"


class UnsupportedVersion(FormatError):
    """The file needs a newer reader; fields: found (the unknown feature)."""

    sentence = "this file uses {found}, which this version of nncodec does not know; upgrade nncodec-image"


class Truncated(FormatError):
    """The file is incomplete; fields: part."""

    sentence = "the file ends inside its {part}; it is incomplete, download or copy it again"


class Corrupt(FormatError):
    """The file contradicts itself or a checksum; fields: detail."""

    sentence = "the file is damaged ({detail}); download or copy it again"


class LimitExceeded(FormatError):
    """The file asks for more than the limits allow; fields: quantity, value, limit."""

    sentence = "the file asks for {value} {quantity}, over the limit of {limit}; if you trust it, raise the limit"


class ModelError(NncError):
    """A model cannot be used; fields: detail."""


class UnknownModel(ModelError):
    """No installed model has this name or id.

    Fields: wanted, installed, failures, kind ("model" or "enhancer"), near (names like it, possibly empty),
    mendable (whether failures name what it may come with), home (the plugin that its name begins with, if that is not
    available).
    """

    sentence = "no installed {kind} is {wanted!r}; installed: {installed}{failures}; {advice}"

    def __init__(
        self, *, kind: str = "model", near: str = "", mendable: bool = False, home: str = "", **fields: object
    ) -> None:
        super().__init__(kind=kind, near=near, mendable=mendable, home=home, **fields)

    def _message(self) -> str:
        advice = "get its model file and install it with 'nncodec models add FILE'"
        if self.mendable:
            advice = f"mend or enable what it comes with, or else {advice}"
        if self.near:
            advice = f"did you mean {self.near}?"
        if self.home:  # its file would be of no use
            advice = f"mend or enable the plugin {self.home!r}, which its name begins with"
        return self.sentence.format(**self.fields, advice=advice)


class WeightsMismatch(ModelError):
    """The installed weights differ from those expected; fields: name, expected, found."""

    sentence = "the weights of {name} have digest {found}, expected {expected}; reinstall the model"


class BadModelFile(ModelError):
    """A model file cannot be used; fields: path, reason."""

    sentence = "{path} is not a usable model file: {reason}"


class BackendMismatch(ModelError):
    """A sound file decodes to other latents than it was made from; fields: block, model."""

    sentence = (
        "block {block} is not damaged, but {model} decodes it to other latents than it was made from: this machine, or "
        "a setting of PyTorch, computes other probabilities than the machine that encoded it; use PyTorch's defaults"
    )


class PluginError(NncError):
    """A plugin's code failed or broke its contract; fields: plugin, distribution, model, reason.

    `plugin` and `distribution` are as `nncodec plugins` lists them; `distribution` and `model` may be empty.
    """

    sentence = "the plugin {plugin!r}{distribution} failed{model}: {reason}; update it, or report this to its authors"

    def __init__(self, *, distribution: str = "", model: str = "", **fields: object) -> None:
        super().__init__(distribution=distribution, model=model, **fields)

    def _message(self) -> str:
        distribution = self.distribution and f" ({self.distribution})"
        model = self.model and f" with the model {self.model!r}"
        return self.sentence.format(**self.fields | {"distribution": distribution, "model": model})


class EncodeError(NncError):
    """An image cannot be encoded as requested; fields: detail."""


class UnsupportedImage(EncodeError):
    """The model or format cannot take this image; fields: detail."""


class InvalidOption(EncodeError):
    """Unknown option or value out of range; fields: option, reason."""

    sentence = "invalid option {option!r}: {reason}"
