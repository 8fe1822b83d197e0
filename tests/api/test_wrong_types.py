"""Arguments of a wrong type get a sentence of this package, not an error of the interpreter or of a library."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nncodec
import nncodec.torch
from nncodec import batch

pytestmark = pytest.mark.usefixtures("codecs_only")

GREY = Image.new("L", (16, 16))
Call = Callable[..., object]
ZERO: Any = 0  # where None means none


@pytest.fixture(scope="module")
def data() -> bytes:
    return nncodec.encode(GREY)


@pytest.mark.parametrize("model", [Path("m.safetensors"), 5, ["photo"], b"photo"])
@pytest.mark.parametrize("call", [nncodec.encode, lambda image, **given: nncodec.encode_batch([image], **given)])
def test_a_model_that_is_no_name_is_told(call: Call, model: object) -> None:
    with pytest.raises(nncodec.InvalidOption, match=r"'model': expected the name of an installed model, got"):
        call(GREY, model=model)


@pytest.mark.parametrize("call", [nncodec.decode, nncodec.decode_frames])
def test_what_cannot_be_called_reports_no_progress_of_decoding(call: Call, data: bytes) -> None:
    with pytest.raises(nncodec.InvalidOption, match="'on_progress': expected a function of two numbers, got int"):
        call(data, on_progress=5)


@pytest.mark.parametrize("call", [nncodec.encode, nncodec.enhance])
def test_what_cannot_be_called_reports_no_progress_of_pictures(call: Call) -> None:
    with pytest.raises(nncodec.InvalidOption, match="'on_progress': expected a function of two numbers, got int"):
        call(GREY, on_progress=5)


@pytest.mark.parametrize("frames", [2, "0", b"0"])
def test_a_single_frame_for_many_is_told(data: bytes, frames: Any) -> None:
    with pytest.raises(nncodec.InvalidOption, match=r"'frames': a sequence is needed, got"):
        nncodec.decode_frames(data, frames=frames)


@pytest.mark.parametrize("name", ["", "a\0.png", Path("a\0.png")])
@pytest.mark.parametrize("call", [nncodec.encode, nncodec.decode, nncodec.inspect])
def test_a_path_that_no_file_can_have_is_not_there(call: Call, name: object) -> None:
    with pytest.raises(FileNotFoundError):
        call(name)


def test_views_that_leave_bytes_out_are_read(data: bytes) -> None:
    png = io.BytesIO()
    GREY.save(png, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + bytes(900))
    for call, wanted in ((nncodec.decode, data), (nncodec.encode, png.getvalue())):
        view = memoryview(np.repeat(np.frombuffer(wanted, np.uint8), 2))[::2]
        assert call(view) == call(wanted)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.empty((1, 8, 8), dtype=torch.uint8, device="meta"),
        torch.empty((3, 8, 8), device="meta"),
        torch.zeros((3, 8, 8)).to_sparse(),
    ],
    ids=["meta", "meta floats", "sparse"],
)
@pytest.mark.parametrize("options", [{}, {"lossless": True}])
def test_a_tensor_without_samples_is_told(tensor: torch.Tensor, options: dict[str, Any]) -> None:
    with pytest.raises(nncodec.UnsupportedImage, match="pass its samples as a dense tensor or an array"):
        nncodec.encode(tensor, **options)


@pytest.mark.parametrize(
    "options", [{"duration": -1}, {"duration": "x"}, {"duration": [5, None]}, {"loop": -1}, {"loop": 1.5}]
)
@pytest.mark.parametrize("images", [GREY, [GREY, GREY]], ids=["one", "two"])
def test_how_frames_are_shown_is_checked_also_for_one(options: dict[str, Any], images: Any) -> None:
    with pytest.raises(nncodec.InvalidOption, match=next(iter(options))):
        nncodec.encode(images, **options)


@pytest.mark.parametrize("call", [nncodec.encode_batch, nncodec.decode_batch, nncodec.torch.decode_batch])
@pytest.mark.parametrize("given", ["a.png", Path("a.png"), b"bytes", memoryview(b"bytes"), io.BytesIO(), GREY, None, 3])
def test_a_single_one_for_many_is_told(call: Call, given: object) -> None:
    with pytest.raises(nncodec.InvalidOption, match=r"a sequence is needed, got .*; put a single one into a list"):
        call(given)


@pytest.mark.parametrize("given", [None, 5, b"pictures", [None], [b"pictures"]])
@pytest.mark.parametrize(
    ("call", "option"),
    [
        (nncodec.torch.NncDataset, "source"),
        (nncodec.torch.ShardDataset, "source"),
        (nncodec.torch.StackDataset, "source"),
        (lambda given: batch.pack(given, "out"), "source"),
        (lambda given: batch.pack(".", given), "dest"),
        (lambda given: batch.pack(".", "out", beside=given or ZERO), "beside"),
        (lambda given: batch.encoding(given, "out"), "source"),
        (lambda given: batch.decoding(".", given), "dest"),
        (lambda given: batch.checking(".", given), "dest"),
        (lambda given: batch.BatchOptions(models=[given]), "models"),  # type: ignore[arg-type]
        (lambda given: batch.encoding(".", "out", model=given or ZERO), "model"),
        (lambda given: batch.decoding(".", "out", enhancer=given or ZERO), "enhancer"),
        (lambda given: batch.decoding(".", "out", format=given), "format"),
    ],
)
def test_what_is_no_place_is_told(call: Call, option: str, given: object) -> None:
    with pytest.raises(nncodec.InvalidOption, match=rf"'{option}': expected .*, got (NoneType|int|bytes|list)$"):
        call(given)


@pytest.mark.parametrize("device", ["vulkan", "xpu"])  # no build of PyTorch that tests run with has either
def test_a_device_that_pytorch_lacks_is_told(data: bytes, device: str) -> None:
    with pytest.raises(nncodec.InvalidOption, match=rf"'device': this PyTorch has no device '{device}'"):
        nncodec.torch.decode_batch([data], device=device)


@pytest.mark.parametrize("given", [GREY, 5, [1], [GREY, None], "a.nnc", [b"x"]])
def test_what_is_no_sequence_of_images_is_not_appended(given: object) -> None:
    nncodec.register()
    with pytest.raises(nncodec.InvalidOption, match=r"'append_images': .*, got (Image|int|NoneType|str|bytes)"):
        GREY.save(io.BytesIO(), "NNC", save_all=True, append_images=given)


def test_many_may_come_from_a_generator() -> None:
    file = nncodec.encode(GREY)
    assert nncodec.encode_batch(GREY for _ in range(2)) == [file, file]
    pixels = nncodec.decode(file).tobytes()
    assert [image.tobytes() for image in nncodec.decode_batch(file for _ in range(2))] == [pixels, pixels]
    assert len(nncodec.torch.decode_batch(file for _ in range(2))) == 2
    assert nncodec.decode_batch(iter(())) == nncodec.torch.decode_batch(iter(())) == []


@pytest.mark.parametrize("start", [batch.encoding, batch.decoding, batch.checking])
@pytest.mark.parametrize("run", [5, {"workers": 2}, False])
def test_options_of_a_batch_are_no_numbers(start: Call, run: object, tmp_path: Path) -> None:
    with pytest.raises(nncodec.InvalidOption, match=r"'run': expected nncodec.batch.BatchOptions, got"):
        start(tmp_path, tmp_path / "out", run=run)
