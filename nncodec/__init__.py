"""A neural image codec with its own file format, `.nnc`. Importing this package does not import torch."""

from nncodec._support import forking as _forking  # noqa: F401 (torch in forked processes)
from nncodec._support import interrupts as _interrupts  # noqa: F401 (before the rest: Ctrl-C during other imports)
from nncodec._version import __version__
from nncodec.api import decode, decode_batch, decode_frames, encode, encode_batch
from nncodec.coding.enhancing import enhance
from nncodec.coding.expected_time import expected_seconds
from nncodec.coding.inspection import FileInfo, check, inspect
from nncodec.errors import (
    BackendMismatch,
    BadModelFile,
    Corrupt,
    EncodeError,
    FormatError,
    InvalidOption,
    LimitExceeded,
    ModelError,
    NncError,
    NncWarning,
    NotNnc,
    PluginError,
    Truncated,
    UnknownModel,
    UnsupportedImage,
    UnsupportedVersion,
    WeightsMismatch,
)
from nncodec.limits import Limits
from nncodec.picture.options import EncodeOptions
from nncodec.picture.registering import register
from nncodec.plugin.device import device
from nncodec.plugin.precision import precision

__all__ = [
    "BackendMismatch",
    "BadModelFile",
    "Corrupt",
    "EncodeError",
    "EncodeOptions",
    "FileInfo",
    "FormatError",
    "InvalidOption",
    "LimitExceeded",
    "Limits",
    "ModelError",
    "NncError",
    "NncWarning",
    "NotNnc",
    "PluginError",
    "Truncated",
    "UnknownModel",
    "UnsupportedImage",
    "UnsupportedVersion",
    "WeightsMismatch",
    "__version__",
    "check",
    "decode",
    "decode_batch",
    "decode_frames",
    "device",
    "encode",
    "encode_batch",
    "enhance",
    "expected_seconds",
    "inspect",
    "precision",
    "register",
]
