"""Arrays in Zarr stores, their chunks coded by this package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

import nncodec
from nncodec.errors import Corrupt, InvalidOption, ModelError, NncError, UnknownModel
from nncodec.plugin import registry

zarr = pytest.importorskip("zarr")

from nncodec_zarr import NncCodec  # noqa: E402 (it imports zarr)


@pytest.fixture(scope="module", autouse=True)
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        toys.install_zipped(monkeypatch, tmp_path_factory.mktemp("models"))
        zarr.registry.register_codec("nncodec", NncCodec)
        yield
    registry.refresh()


def make(store: Any, array: np.ndarray, chunks: tuple[int, ...], codec: NncCodec, **options: Any) -> Any:
    """Return an empty array for samples; it replaces one that is there."""
    kind: dict[str, Any] = {"filters": None, "compressors": None, "overwrite": True} | options
    return zarr.create_array(store, shape=array.shape, dtype=array.dtype, chunks=chunks, serializer=codec, **kind)


def create(store: Any, array: np.ndarray, chunks: tuple[int, ...], codec: NncCodec) -> Any:
    made = make(store, array, chunks, codec)
    made[:] = array
    return made


def noise(*shape: int, kind: Any = np.uint16) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 1 << 8 * np.dtype(kind).itemsize, shape).astype(kind)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, ">u2"])
@pytest.mark.parametrize(
    ("shape", "chunks", "planes"),
    [
        ((20, 30), (8, 16), True),
        ((5, 20, 30), (5, 8, 16), True),
        ((4, 9, 7), (4, 9, 7), True),
        ((40, 9, 7), (16, 9, 7), False),
        ((3, 2, 9, 7), (2, 2, 9, 7), True),
        ((1, 1), (1, 1), True),
    ],
)
def test_arrays_come_back_exactly(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], planes: bool, kind: Any
) -> None:
    array = noise(*shape, kind=kind)
    create(tmp_path / "a.zarr", array, chunks, NncCodec(planes=planes))
    found = zarr.open_array(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(found[:], array)
    np.testing.assert_array_equal(found[..., 3:7, 1:5], array[..., 3:7, 1:5])
    assert found.dtype == array.dtype.newbyteorder("=")


def test_metadata_and_chunks_are_what_any_reader_knows(tmp_path: Path) -> None:
    codec = NncCodec(max_error=3, effort=6, planes=False)
    create(tmp_path / "a.zarr", noise(90, 80), (90, 80), codec)
    stored = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["codecs"]
    expected = {"name": "nncodec", "configuration": {"max_error": 3, "effort": 6, "planes": False}}
    assert stored == [expected]
    assert NncCodec.from_dict(expected) == codec
    assert NncCodec().to_dict() == {"name": "nncodec"}
    info = nncodec.inspect((tmp_path / "a.zarr" / "c" / "0" / "0").read_bytes())
    assert (info.width, info.height, info.max_error, info.bits) == (80, 90, 3, 16)


def test_a_permitted_error_bounds_every_sample() -> None:
    array = noise(3, 20, 30)
    found = create(zarr.storage.MemoryStore(), array, (3, 20, 16), NncCodec(max_error=5))[:]
    assert np.abs(found.astype(int) - array).max() == 5


@pytest.mark.parametrize(("shape", "model"), [((3, 32, 40), "means/rgb"), ((32, 40), "means/l")])
def test_a_quality_makes_chunks_smaller(shape: tuple[int, ...], model: str) -> None:
    array = np.broadcast_to(np.arange(40, dtype=np.uint8) * 5, shape)
    found = create(zarr.storage.MemoryStore(), array, shape, NncCodec(quality=80, model=model))[:]
    assert 0 < np.abs(found.astype(int) - array).max() < 9


@pytest.mark.parametrize(
    ("array", "codec", "reason"),
    [
        (np.zeros((4, 4), np.float32), NncCodec(), "uint8 or uint16, not float32"),
        (np.zeros((4, 4), np.uint16), NncCodec(quality=50), "uint8 at a quality, not uint16"),
        (np.zeros(4, np.uint8), NncCodec(), "two axes or more"),
        (np.ones((2, 4, 4), np.uint8), NncCodec(quality=50), r"one or three planes, and \(2, 4, 4\) has no such axis"),
        (np.zeros((33, 34, 35), np.uint8), NncCodec(), "32 planes at most, and .* has no such axis; set planes=False"),
        (np.zeros((4, 4), np.uint8), NncCodec(max_error=256), "max_error is 256, and uint8 holds 255 at most"),
        (np.broadcast_to(np.uint8(0), (14_000, 14_000)), NncCodec(), "refuse chunks of more than .* has 196000000"),
    ],
)
def test_what_cannot_be_stored_is_refused_when_the_array_is_created(
    tmp_path: Path, array: np.ndarray, codec: NncCodec, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        make(tmp_path / "a.zarr", array, array.shape, codec)
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize(
    ("kind", "codec", "reason"),
    [
        (np.float32, NncCodec(), "uint8 or uint16, not float32"),
        (np.uint16, NncCodec(quality=50), "uint8 at a quality"),
        (np.uint8, NncCodec(max_error=256), "255 at most"),
    ],
)
def test_what_cannot_be_stored_is_refused_within_shards_too(
    tmp_path: Path, kind: type, codec: NncCodec, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        make(tmp_path / "a.zarr", np.zeros((8, 8), kind), (4, 4), codec, shards=(8, 8))
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize(("quality", "reason"), [(None, "have 32 planes at most"), (50, "have one or three planes")])
def test_axes_in_another_order_are_told_when_they_are_written_and_a_filter_moves_them(
    quality: int | None, reason: str
) -> None:
    array, store = noise(40, 36, 3, kind=np.uint8), zarr.storage.MemoryStore()
    codec = NncCodec(quality=quality, model=None if quality is None else "means/rgb")
    with pytest.raises(ValueError, match=f"{reason}, not 40; .*planes=False.*TransposeCodec"):
        create(store, array, array.shape, codec)
    turned = make(store, array, array.shape, codec, filters=[zarr.codecs.TransposeCodec(order=(2, 0, 1))])
    turned[:] = array
    assert turned[:].shape == array.shape
    assert (turned[:] == array).all() == (quality is None)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        *(({"quality": wrong}, InvalidOption) for wrong in (-1, 101, "5", True, 5.5)),
        *(({"max_error": wrong}, InvalidOption) for wrong in (-1, 1 << 16, 1.5, True)),
        *(({"effort": wrong}, InvalidOption) for wrong in (-1, 10, "x", None)),
        *(({"planes": wrong}, InvalidOption) for wrong in (3, None)),
        ({"model": 5}, InvalidOption),
        ({"model": "lossless", "quality": 50}, InvalidOption),
        ({"model": "nope"}, UnknownModel),
        ({"model": "means/rgb"}, ModelError),
    ],
)
def test_options_out_of_range_are_refused_at_once(given: dict[str, Any], kind: type[NncError]) -> None:
    with pytest.raises(kind):
        NncCodec(**given)


@pytest.mark.parametrize(
    ("configuration", "option"),
    [({"foo": 1}, "foo"), ({"quality": 300}, "quality"), (None, "configuration"), ([1], "configuration")],
)
def test_metadata_of_a_later_version_is_told_in_a_line(configuration: object, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        NncCodec.from_dict({"name": "nncodec", "configuration": configuration})
    assert caught.value.option == option
    assert option != "foo" or "upgrade nncodec-image" in str(caught.value)


def test_an_array_whose_model_is_missing_can_be_opened(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", noise(9, 8, kind=np.uint8), (9, 8), NncCodec(quality=80, model="means/l"))
    metadata = tmp_path / "a.zarr" / "zarr.json"
    metadata.write_text(metadata.read_text().replace("means/l", "not/here"))
    array = zarr.open_array(tmp_path / "a.zarr", mode="r+")
    assert array.serializer == NncCodec.from_dict({"configuration": {"quality": 80, "model": "not/here"}})
    assert array[:].shape == (9, 8)  # the file names its model, too
    with pytest.raises(UnknownModel, match="not/here"):
        array[:] = noise(9, 8, kind=np.uint8)


def test_a_quality_and_an_error_contradict() -> None:
    with pytest.raises(InvalidOption, match="choose one"):
        NncCodec(quality=50, max_error=1)


def test_a_damaged_or_foreign_chunk_is_an_error(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", noise(9, 8), (9, 8), NncCodec())
    chunk = tmp_path / "a.zarr" / "c" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[-9] ^= 4
    chunk.write_bytes(data)
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    with pytest.raises(Corrupt):
        array[:]
    chunk.write_bytes(nncodec.encode(noise(9, 7), lossless=True))
    with pytest.raises(ValueError, match=r"1 pictures of 7 x 9 pixels .* instead of 1 of 8 x 9"):
        array[:]


def test_a_stack_is_decoded_group_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = noise(40, 6, 5)
    codec = NncCodec(planes=False)
    data = codec.encoded(chunk)
    decode, calls = toys.Zipped.decode, []

    def count(model: toys.Zipped, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Any:
        calls.append(shape)
        return decode(model, payload, shape, bits)

    monkeypatch.setattr(toys.Zipped, "decode", count)
    np.testing.assert_array_equal(codec.decoded(data, chunk.shape, chunk.dtype), chunk)
    assert len(calls) == int(np.prod(nncodec.inspect(data).blocks))
