"""The error tree: one root, sentences that say what to do, fields as attributes."""

from __future__ import annotations

import copy
import pickle

import pytest

from nncodec import errors
from nncodec.errors import NncError

EXAMPLES: list[tuple[NncError, str]] = [
    (errors.FormatError(detail="no"), "no"),
    (errors.NotNnc(), "not an .nnc file (it does not begin with 8E 4E 4E 43)"),
    (
        errors.UnsupportedVersion(found="flags 0x20"),
        "this file uses flags 0x20, which this version of nncodec does not know; upgrade nncodec-image",
    ),
    (errors.Truncated(part="header"), "the file ends inside its header; it is incomplete, download or copy it again"),
    (errors.Corrupt(detail="quality is 101"), "the file is damaged (quality is 101); download or copy it again"),
    (
        errors.LimitExceeded(quantity="pixels", value=5, limit=4),
        "the file asks for 5 pixels, over the limit of 4; if you trust it, raise the limit",
    ),
    (errors.ModelError(detail="no"), "no"),
    (
        errors.UnknownModel(wanted="a/b", installed="c/d", failures=""),
        "no installed model is 'a/b'; installed: c/d; get its model file and install it with 'nncodec models add FILE'",
    ),
    (
        errors.UnknownModel(
            wanted="x4", installed="none", failures="; not available: b", kind="enhancer", mendable=True
        ),
        "no installed enhancer is 'x4'; installed: none; not available: b; mend or enable what it comes with, or "
        "else get its model file and install it with 'nncodec models add FILE'",
    ),
    (
        errors.UnknownModel(wanted="b/x", installed="none", failures="; not available: b", mendable=True, home="b"),
        "no installed model is 'b/x'; installed: none; not available: b; mend or enable the plugin 'b', which its name "
        "begins with",
    ),
    (
        errors.WeightsMismatch(name="a/b", expected="01", found="02"),
        "the weights of a/b have digest 02, expected 01; reinstall the model",
    ),
    (errors.BadModelFile(path="m.safetensors", reason="empty"), "m.safetensors is not a usable model file: empty"),
    (
        errors.BackendMismatch(block=3, model="m"),
        "block 3 is not damaged, but m decodes it to other latents than it was made from: this machine, or a setting "
        "of PyTorch, computes other probabilities than the machine that encoded it; use PyTorch's defaults",
    ),
    (
        errors.PluginError(plugin="p", reason="boom"),
        "the plugin 'p' failed: boom; update it, or report this to its authors",
    ),
    (
        errors.PluginError(plugin="p", distribution="tiny 1.0", model="tiny/one", reason="boom"),
        "the plugin 'p' (tiny 1.0) failed with the model 'tiny/one': boom; update it, or report this to its authors",
    ),
    (errors.EncodeError(detail="no"), "no"),
    (errors.UnsupportedImage(detail="mode P"), "mode P"),
    (errors.InvalidOption(option="speed", reason="unknown"), "invalid option 'speed': unknown"),
]
each_error = pytest.mark.parametrize(
    ("error", "sentence"), EXAMPLES, ids=[type(error).__name__ for error, _ in EXAMPLES]
)


def subclasses(kind: type[NncError]) -> set[type[NncError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_error_of_the_package_has_an_example_here() -> None:
    public = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NncError)}
    assert {type(error) for error, _ in EXAMPLES} == public - {NncError}
    assert public == {kind for kind in subclasses(NncError) if kind.__module__ == errors.__name__}


@each_error
def test_an_error_is_one_sentence(error: NncError, sentence: str) -> None:
    assert str(error) == sentence


@each_error
def test_fields_are_attributes(error: NncError, sentence: str) -> None:
    for name, value in error.fields.items():
        assert getattr(error, name) == value
    with pytest.raises(AttributeError):
        _ = error.no_such_field


@each_error
def test_an_error_survives_pickling_and_copying(error: NncError, sentence: str) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert (str(other), other.fields) == (sentence, error.fields)


@each_error
def test_an_error_keeps_its_class_and_fields_with_a_name_before_it(error: NncError, sentence: str) -> None:
    whole = errors.named(errors.named(error, "a.nnc"), "b.zip")
    for other in (whole, pickle.loads(pickle.dumps(whole)), copy.copy(whole)):
        assert type(other) is type(error)
        assert (str(other), other.fields) == (f"b.zip: a.nnc: {sentence}", error.fields)


def test_errors_of_the_bytes_are_os_errors_and_no_others_are() -> None:
    for error, _ in EXAMPLES:
        assert isinstance(error, OSError) == isinstance(error, errors.FormatError)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (errors.NotNnc, errors.FormatError),
        (errors.UnsupportedVersion, errors.FormatError),
        (errors.Truncated, errors.FormatError),
        (errors.Corrupt, errors.FormatError),
        (errors.LimitExceeded, errors.FormatError),
        (errors.UnknownModel, errors.ModelError),
        (errors.WeightsMismatch, errors.ModelError),
        (errors.BadModelFile, errors.ModelError),
        (errors.UnsupportedImage, errors.EncodeError),
        (errors.InvalidOption, errors.EncodeError),
    ],
)
def test_the_tree_is_as_documented(child: type[NncError], parent: type[NncError]) -> None:
    assert child.__bases__ == (parent,)


def test_fields_from_a_file_are_not_read_as_formats() -> None:
    assert "{0.__class__}" in str(errors.Corrupt(detail="{0.__class__}"))
