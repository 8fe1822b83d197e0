"""Loading pixels: the right ones, from the right frame, and errors that are OSErrors."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

import nncodec
import nncodec_pillow
from nncodec import Corrupt, LimitExceeded, Limits, ModelError, PluginError, Truncated
from nncodec.format.header import ChunkType
from nncodec_pillow import frames

Forge = Callable[..., io.BytesIO]
Pixels = NDArray[np.int16]


@pytest.fixture
def expected(stack: bytes) -> list[Pixels]:
    """Pixels of the stack's frames, as core decodes them."""
    return [np.asarray(image, np.int16) for image in nncodec.decode_frames(stack)]


def _frame_in(image: Image.Image, expected: list[Pixels]) -> int:
    """Return which frame these pixels are; synthesis may differ by one level with the frames it is run on together."""
    (found,) = [n for n, pixels in enumerate(expected) if np.abs(np.asarray(image, np.int16) - pixels).max() <= 1]
    return found


def test_pixels_are_those_of_decode(photo: Image.Image) -> None:
    data = nncodec.encode(photo)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), np.asarray(nncodec.decode(data)))
        assert np.abs(np.asarray(image, float) - np.asarray(photo, float)).mean() < 20


def test_loading_twice_decodes_once(small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with Image.open(io.BytesIO(small)) as image:
        image.load()
        monkeypatch.setattr(frames, "decode_frames", lambda *_: pytest.fail("decoded again"))
        image.load()
        assert not image.readonly
        image.putpixel((0, 0), 7)
        assert image.getpixel((0, 0)) == 7


def test_one_picture_closes_its_file_when_loaded(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    path.write_bytes(small)
    image = Image.open(path)
    file = image.fp
    assert file is not None
    assert not file.closed
    image.load()
    assert file.closed
    assert image.getpixel((0, 0)) is not None


def test_a_stream_of_the_user_stays_open(small: bytes) -> None:
    stream = io.BytesIO(small)
    Image.open(stream).load()
    assert not stream.closed


def test_several_frames_keep_the_file_until_the_picture_is_closed(stack: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    path.write_bytes(stack)
    with Image.open(path) as image:
        file = image.fp
        image.load()
        assert file is not None
        assert not file.closed
    assert file.closed
    image.seek(1)
    with pytest.raises(ValueError, match="closed file"):
        image.load()


def test_a_picture_closed_before_loading_cannot_be_loaded(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    path.write_bytes(small)
    with Image.open(path) as image:
        pass
    with pytest.raises(ValueError, match="closed file"):
        image.load()


def test_a_handle_closed_before_loading_is_a_value_error_as_with_png(small: bytes, tmp_path: Path) -> None:
    path, other = tmp_path / "x.nnc", tmp_path / "x.png"
    path.write_bytes(small)
    Image.open(path).save(other)
    for name in (path, other):
        with name.open("rb") as handle:
            image = Image.open(handle)
        with pytest.raises(ValueError, match="closed file"):
            image.load()


def test_frames_come_in_any_order(stack: bytes, expected: list[Pixels]) -> None:
    with Image.open(io.BytesIO(stack)) as image:
        assert (image.n_frames, image.is_animated) == (5, True)
        for number in (0, 1, 2, 1, 4, 0, 3, 4, 4):
            image.seek(number)
            assert image.tell() == number
            assert _frame_in(image, expected) == number


def test_an_iterator_yields_every_frame_and_decodes_none_twice(
    stack: bytes, expected: list[Pixels], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[range] = []
    decode = frames.decode_frames

    def record(container: object, wanted: range, *rest: object) -> Iterator[Image.Image]:
        asked.append(wanted)
        return decode(container, wanted, *rest)

    monkeypatch.setattr(frames, "decode_frames", record)
    with Image.open(io.BytesIO(stack)) as image:
        assert [_frame_in(frame, expected) for frame in ImageSequence.Iterator(image)] == [0, 1, 2, 3, 4]
    assert asked == [range(1), range(1, 5)]


@pytest.mark.parametrize("frame", [-1, 5])
def test_seeking_beyond_the_frames_changes_nothing(stack: bytes, expected: list[Pixels], frame: int) -> None:
    with Image.open(io.BytesIO(stack)) as image:
        image.seek(3)
        with pytest.raises(EOFError):
            image.seek(frame)
        assert image.tell() == 3
        assert _frame_in(image, expected) == 3


def test_seeking_in_a_single_picture_beyond_it_is_an_error(small: bytes) -> None:
    with Image.open(io.BytesIO(small)) as image:
        image.load()
        image.seek(0)
        with pytest.raises(EOFError):
            image.seek(1)


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize("again", [lambda image: pickle.loads(pickle.dumps(image)), copy.copy, copy.deepcopy])
def test_copies_and_pickles_hold_the_chosen_frame(
    stack: bytes, expected: list[Pixels], loaded: bool, again: Callable[[Image.Image], Image.Image]
) -> None:
    with Image.open(io.BytesIO(stack)) as image:
        image.seek(2)
        if loaded:
            image.load()
        other = again(image)
    assert _frame_in(other, expected) == 2
    assert other.info == image.info
    assert getattr(other, "n_frames", 1) == 1
    other.seek(0)
    other.load()


def test_a_pickled_picture_keeps_its_format(small: bytes) -> None:
    with Image.open(io.BytesIO(small)) as image:
        other = pickle.loads(pickle.dumps(image))
    assert other.format == "NNC"
    assert other.get_format_mimetype() == "image/x-nnc"


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda data: data[:-1], Truncated),
        (lambda data: data + b"\0", Corrupt),
        (lambda data: data[:-6] + bytes((data[-6] ^ 4,)) + data[-5:], Corrupt),
    ],
)
def test_a_damaged_file_opens_but_neither_loads_nor_verifies(
    small: bytes, damage: Callable[[bytes], bytes], error: type[OSError]
) -> None:
    data = damage(small)
    with Image.open(io.BytesIO(data)) as image, pytest.raises(error):
        image.load()
    with Image.open(io.BytesIO(data)) as image, pytest.raises(error):
        image.verify()


def test_a_sound_file_verifies_without_its_model_and_is_closed(forged: Forge, tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    path.write_bytes(forged({ChunkType.ALPHA: b"a"}, frames=4, frames_per_block=2).getvalue())
    with Image.open(path) as image:
        file = image.fp
        image.verify()
        assert file is not None
        assert file.closed
        with pytest.raises(RuntimeError, match="directly after open"):
            image.verify()


def test_a_missing_model_is_an_oserror_that_names_it(forged: Forge) -> None:
    with Image.open(forged({ChunkType.MODEL_NAME: b"their/model"})) as image:
        with pytest.raises(OSError, match="their/model") as caught:
            image.load()
        assert isinstance(caught.value.__cause__, ModelError)


def test_a_faulty_plugin_is_an_oserror(small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Iterator[Image.Image]:
        raise PluginError(plugin="dense", reason="no luck")
        yield

    monkeypatch.setattr(frames, "decode_frames", fail)
    with Image.open(io.BytesIO(small)) as image, pytest.raises(OSError, match="no luck"):
        image.load()


def test_after_an_error_the_other_frames_still_load(stack: bytes, expected: list[Pixels]) -> None:
    with Image.open(io.BytesIO(stack[:-5] + bytes((stack[-5] ^ 1,)) + stack[-4:])) as image:
        for number in range(4):
            image.seek(number)
            assert _frame_in(image, expected) == number
        image.seek(4)
        for _ in range(2):
            with pytest.raises(Corrupt):
                image.load()
        image.seek(3)
        assert _frame_in(image, expected) == 3


@pytest.mark.parametrize(
    ("chunks", "per_block"), [({}, 1 << 19), ({ChunkType.ALPHA: b"a"}, 1 << 10)], ids=["a group", "all alpha planes"]
)
def test_what_is_decoded_together_is_limited_before_anything_is_decoded(
    forged: Forge, monkeypatch: pytest.MonkeyPatch, chunks: dict[int, bytes], per_block: int
) -> None:
    file = forged(chunks, frames=1 << 19, frames_per_block=per_block)
    with Image.open(file) as image:
        with monkeypatch.context() as patched:
            patched.setattr(frames, "decode_frames", lambda *_: pytest.fail("decoded"))
            with pytest.raises(LimitExceeded, match="411041792 pixels"):
                image.load()
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
        with pytest.raises(OSError, match="no installed model"):
            image.load()
        nncodec_pillow.register_nnc_opener(limits=Limits(pixels=1000))
        with pytest.raises(LimitExceeded, match="over the limit of 1000"):
            image.load()


def test_a_larger_pillow_limit_holds_for_decoding_too(forged: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1 << 30)
    with Image.open(forged(width=30_000, height=30_000)) as image, pytest.raises(OSError, match="no installed model"):
        image.load()
