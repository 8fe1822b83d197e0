"""Model files: what was written is read, and a hostile file is refused before it costs anything."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncodec.errors import BadModelFile, ModelError, WeightsMismatch
from nncodec.plugin.model_file import Tensors, digest_of, read_model, read_model_info, write_model

CONFIG = {"width": 8, "layers": [3, 4]}
CARD = {"licence": "Apache-2.0", "measured": {"psnr_db": 30.5}}


def tensors() -> Tensors:
    return {"b": np.arange(3, dtype=np.int8), "a": np.array([[1.5, -2.0]], np.float32)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def write(path: Path, **changes: Any) -> bytes:
    facts = {"architecture": "demo", "config": CONFIG, "name": "demo/x", "card": CARD, "tensors": tensors()}
    write_model(path, **{**facts, **changes})
    return path.read_bytes()


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def join(header: object, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header of a sound file in place."""
    header, body = split(write(path))
    change(header)
    path.write_bytes(join(header, body))


def set_metadata(path: Path, key: str, value: object) -> None:
    rewrite(path, lambda header: header["__metadata__"].update({f"nncodec.{key}": value}))


def assert_refused(path: Path, reason: str | None = None) -> None:
    with pytest.raises(BadModelFile, match=reason) as caught:
        read_model(path)
    assert caught.value.path == path


# --- what was written is read -------------------------------------------------------------------------------------


def test_a_model_comes_back_as_it_was_written(path: Path) -> None:
    written = write_model(path, architecture="demo", config=CONFIG, name="demo/x", card=CARD, tensors=tensors())
    read = read_model(path)
    assert read == written
    assert (read.architecture, read.config, read.name, read.card) == ("demo", CONFIG, "demo/x", CARD)
    assert read.tensors.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert read.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(read.tensors[name], tensor)


def test_the_head_is_read_without_the_tensors(path: Path) -> None:
    data = write(path)
    whole = read_model(path)
    path.write_bytes(data[:-1] + b"\x7f")  # another last weight
    model_info = read_model_info(path)
    assert [getattr(model_info, f.name) for f in dataclasses.fields(model_info)] == [
        getattr(whole, f.name) for f in dataclasses.fields(model_info)
    ]


@pytest.mark.parametrize("kind", ["f2", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8"])
def test_every_allowed_type_comes_back(path: Path, kind: str) -> None:
    tensor = np.array([[0, 1], [2, 100]], kind)
    write(path, tensors={"t": tensor})
    found = read_model(path).tensors["t"]
    assert found.dtype == tensor.dtype
    np.testing.assert_array_equal(found, tensor)


@pytest.mark.parametrize("kind", ["f8", "u8", "?", "c8"])
def test_another_type_is_not_written(path: Path, kind: str) -> None:
    with pytest.raises(BadModelFile, match="'t' has type"):
        write(path, tensors={"t": np.zeros(2, kind)})
    assert not path.exists()


def test_a_model_without_tensors_comes_back(path: Path) -> None:
    write(path, tensors={})
    assert read_model(path).tensors == {}


# --- the digest ---------------------------------------------------------------------------------------------------


def test_the_digest_is_this_sha256(path: Path) -> None:
    write(path)
    told = hashlib.sha256(
        b'{"architecture":"demo","config":{"layers":[3,4],"width":8}}'
        b'["a","<f4",[1,2]]' + struct.pack("<2f", 1.5, -2.0) + b'["b","|i1",[3]]' + bytes([0, 1, 2])
    ).hexdigest()
    assert read_model_info(path).digest == told
    assert read_model_info(path).id_bytes.hex() == told


def test_the_digest_does_not_depend_on_order_layout_or_byte_order() -> None:
    expected = digest_of("demo", CONFIG, tensors())
    shuffled = dict(reversed(tensors().items()))
    assert digest_of("demo", dict(reversed(CONFIG.items())), shuffled) == expected
    other = tensors()
    other["a"] = np.asfortranarray(other["a"]).astype(">f4")
    assert digest_of("demo", CONFIG, other) == expected


def test_the_card_and_the_name_are_no_part_of_the_digest(path: Path) -> None:
    write(path)
    digest = read_model_info(path).digest
    write(path, card={}, name="other/y")
    assert read_model(path).digest == digest


@pytest.mark.parametrize(
    "other",
    [
        digest_of("demo2", CONFIG, tensors()),
        digest_of("demo", {**CONFIG, "width": 9}, tensors()),
        digest_of("demo", CONFIG, {"b": tensors()["b"], "c": tensors()["a"]}),
        digest_of("demo", CONFIG, {**tensors(), "a": tensors()["a"].T}),
        digest_of("demo", CONFIG, {**tensors(), "a": tensors()["a"].view(np.int32)}),
        digest_of("demo", CONFIG, {**tensors(), "a": -tensors()["a"]}),
        digest_of("demo", CONFIG, {"a": tensors()["a"]}),
    ],
)
def test_anything_else_is_part_of_the_digest(other: str) -> None:
    assert other != digest_of("demo", CONFIG, tensors())


@pytest.mark.parametrize("place", [-1, -11])
def test_other_weights_than_those_of_the_digest_are_refused(path: Path, place: int) -> None:
    data = bytearray(write(path))
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsMismatch, match="demo/x"):
        read_model(path)


def test_another_config_than_that_of_the_digest_is_refused(path: Path) -> None:
    set_metadata(path, "config", '{"width":9,"layers":[3,4]}')
    with pytest.raises(WeightsMismatch):
        read_model(path)


# --- names --------------------------------------------------------------------------------------------------------

BAD_NAMES = [
    "",
    "Demo/x",
    "demo/X",
    "demo/x/y",
    "/x",
    "demo/",
    "../x",
    "demo/..",
    "demo/../../x",
    "..",
    ".hidden",
    "demo\\x",
    "C:/x",
    "demo x",
    "demo/x\n",
    "démo/x",
    "demo/\x00",
    "-x",
    "a" * 101,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_not_lower_case_plugin_slash_model_is_neither_written_nor_read(path: Path, name: str) -> None:
    with pytest.raises(BadModelFile, match="name"):
        write(path, name=name)
    set_metadata(path, "name", name)
    assert_refused(path, "name")


@pytest.mark.parametrize("name", ["x", "demo/x", "my-plugin/v1.2_large", "0/1", "a" * 100])
def test_a_lower_case_name_is_written_and_read(path: Path, name: str) -> None:
    write(path, name=name)
    assert read_model(path).name == name


# --- hostile files ------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_refused(path: Path) -> None:
    assert_refused(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    data = write(path)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert_refused(path, "it is incomplete" if size > 8 else "it is not a safetensors file")


def test_bytes_after_the_tensors_are_refused(path: Path) -> None:
    path.write_bytes(write(path) + b"\0")
    assert_refused(path)


@pytest.mark.parametrize("size", [2**20 + 1, 2**31, 2**63, 2**64 - 1])
def test_a_header_that_claims_to_be_huge_is_refused(path: Path, size: int) -> None:
    path.write_bytes(struct.pack("<Q", size) + b"{" + bytes(2**20 + 2))
    assert_refused(path, "it is not a safetensors file")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"<!DOCTYPE html><html>", bytes(100)])
def test_another_file_is_told_from_one_that_is_cut(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert_refused(path, "it is not a safetensors file")


def test_a_file_that_is_huge_is_refused_unread(path: Path) -> None:
    data = write(path)
    with path.open("r+b") as stream:
        stream.truncate(2**30 + 1)  # sparse: takes no room
    assert path.stat().st_size > len(data)
    with pytest.raises(BadModelFile, match="larger than 1024 MiB"):
        read_model_info(path)


def test_too_many_tensors_are_refused(path: Path) -> None:
    entry = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    rewrite(path, lambda header: header.update({f"t{n}": entry for n in range(4097)}))
    assert_refused(path, "4096 tensors")


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"1", b'"x"', b"null", b"{", b"\xff\xfe", b"{}", b'{"__metadata__": []}']
)
def test_a_header_that_is_no_table_with_metadata_is_refused(path: Path, header: bytes) -> None:
    path.write_bytes(join(header, b""))
    assert_refused(path)


def test_a_header_nested_too_deeply_is_refused(path: Path) -> None:
    path.write_bytes(join(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b""))
    assert_refused(path)


ENTRY = {"dtype": "I8", "shape": [3], "data_offsets": [8, 11]}


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F64"},
        {"dtype": "BF16"},
        {"dtype": "BOOL"},
        {"dtype": "f32"},
        {"dtype": ""},
        {"dtype": None},
        {"dtype": 8},
        {"dtype": ["I8"]},
        {"dtype": {}},
        {"dtype": "U16"},  # needs six bytes
        {"shape": [4]},
        {"shape": [-3]},
        {"shape": [3.0]},
        {"shape": [True, 3]},
        {"shape": ["3"]},
        {"shape": 3},
        {"shape": None},
        {"shape": [1] * 8 + [3]},
        {"shape": [2**14, 2**14, 2]},
        {"shape": [2**63, 2**63, 2**63]},
        {"shape": [2**28 + 1], "data_offsets": [0, 2**28 + 1]},
        {"shape": [0, 2**62], "data_offsets": [8, 8]},
        {"data_offsets": [8]},
        {"data_offsets": [8, 11, 14]},
        {"data_offsets": [11, 8]},
        {"data_offsets": [-3, 0]},
        {"data_offsets": ["8", "11"]},
        {"data_offsets": None},
        {"data_offsets": [0, 3]},  # over another tensor
        {"data_offsets": [9, 12]},  # beyond the end
    ],
)
def test_a_tensor_of_impossible_type_shape_or_place_is_refused(path: Path, change: dict[str, Any]) -> None:
    rewrite(path, lambda header: header.update(b={**ENTRY, **change}))
    assert_refused(path)


def test_a_tensor_of_more_than_2_to_the_28_numbers_is_refused_before_any_is_read(path: Path) -> None:
    size = 2**28 + 1
    rewrite(path, lambda header: header.update(b={"dtype": "I8", "shape": [size], "data_offsets": [8, 8 + size]}))
    with pytest.raises(BadModelFile, match="'b' has a type, shape or size"):
        read_model_info(path)


@pytest.mark.parametrize("entry", [None, [], 5, "I8", {}])
def test_a_tensor_that_is_no_table_is_refused(path: Path, entry: object) -> None:
    rewrite(path, lambda header: header.update(b=entry))
    assert_refused(path, "'b'")


@pytest.mark.parametrize("key", ["architecture", "config", "name", "card", "digest"])
def test_missing_metadata_is_refused_by_name(path: Path, key: str) -> None:
    rewrite(path, lambda header: header["__metadata__"].pop(f"nncodec.{key}"))
    assert_refused(path, f"nncodec.{key}")


@pytest.mark.parametrize("key", ["config", "card"])
@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '"x"', "{'a': 1}", "{" * 100_000])
def test_metadata_that_is_no_json_object_is_refused(path: Path, key: str, text: str) -> None:
    set_metadata(path, key, text)
    assert_refused(path, f"its {key} is not")


@pytest.mark.parametrize("depth", [900, 960, 970, 980, 985, 990, 995, 1000, 50_000])
def test_metadata_nested_too_deeply_is_refused(path: Path, depth: int) -> None:
    set_metadata(path, "config", '{"a":' + "[" * depth + "]" * depth + "}")
    with pytest.raises(ModelError):
        read_model(path)


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n", "٠" * 64])
def test_a_digest_that_is_not_64_lower_case_hexadecimal_digits_is_refused(path: Path, digest: str) -> None:
    set_metadata(path, "digest", digest)
    assert_refused(path, "digest")


def test_another_digest_than_that_of_the_contents_is_refused(path: Path) -> None:
    set_metadata(path, "digest", "0" * 64)
    with pytest.raises(WeightsMismatch):
        read_model(path)


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_the_same_model_or_a_model_error(path: Path, data: st.DataObject) -> None:
    changed = bytearray(write(path))
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    digest = read_model_info(path).digest
    path.write_bytes(changed)
    try:
        read = read_model(path)
    except ModelError:
        return
    assert read.digest == digest
