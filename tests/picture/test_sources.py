"""What `encode` takes besides Pillow images: paths, bytes, streams, arrays and tensors."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

import nncodec
from nncodec import NncWarning, UnsupportedImage
from nncodec.picture.sources import images_from

SHAPES = {"L": (40, 24), "LA": (40, 24, 2), "RGB": (40, 24, 3), "RGBA": (40, 24, 4)}


@pytest.fixture
def photo() -> Image.Image:
    """A photograph, RGB 48 x 32."""
    return Image.fromarray(skimage.data.chelsea()).resize((48, 32))


@pytest.fixture
def path(photo: Image.Image, tmp_path: Path) -> Path:
    """The photograph as a PNG with EXIF."""
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    photo.save(tmp_path / "cat.png", exif=exif)
    return tmp_path / "cat.png"


@pytest.mark.parametrize(
    "given",
    [str, Path, Path.read_bytes, lambda p: bytearray(p.read_bytes()), lambda p: memoryview(p.read_bytes())],
    ids=["str", "Path", "bytes", "bytearray", "memoryview"],
)
def test_a_picture_file_is_read_with_its_metadata(given: Callable[[Path], Any], path: Path) -> None:
    with Image.open(path) as image:
        expected = nncodec.encode(image)
    assert nncodec.encode(given(path)) == expected
    assert nncodec.encode_batch([given(path)]) == [expected]
    assert nncodec.decode(expected).getexif()[0x0110] == "A camera"
    assert "exif" not in nncodec.inspect(nncodec.encode(given(path), exif=None)).chunks


def test_a_stream_is_read_and_stays_open(path: Path) -> None:
    with path.open("rb") as stream:
        data = nncodec.encode(stream)
        assert not stream.closed
    assert data == nncodec.encode(path)
    with pytest.raises(ValueError, match="closed"):
        nncodec.encode(stream)


def test_all_frames_of_a_file_are_encoded_also_in_a_batch(photo: Image.Image, path: Path, tmp_path: Path) -> None:
    frames = [photo, photo.rotate(180), photo.rotate(90, expand=False)]
    frames[0].save(tmp_path / "three.tif", save_all=True, append_images=frames[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NncWarning)
        one, three = nncodec.encode_batch([path, tmp_path / "three.tif"])
    assert [nncodec.inspect(data).frames for data in (one, three)] == [1, 3]
    assert nncodec.inspect(nncodec.encode([path, photo, np.array(photo)])).frames == 3


def test_a_mode_that_files_cannot_hold_is_converted_with_a_warning(photo: Image.Image, tmp_path: Path) -> None:
    photo.convert("CMYK").save(tmp_path / "four.tif")
    with pytest.warns(NncWarning, match="mode CMYK is stored as RGB") as caught:
        nncodec.encode(tmp_path / "four.tif")
    assert {Path(warning.filename).name for warning in caught} == {"test_sources.py"}


@pytest.mark.parametrize(("mode", "shape"), SHAPES.items())
def test_arrays_and_tensors_of_bytes_are_taken_as_they_are(mode: str, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    (image,) = images_from(array)
    assert image.mode == mode
    assert np.array_equal(image, array)
    planes = array.reshape(40, 24, -1)
    for tensor in (torch.from_numpy(planes).permute(2, 0, 1), torch.from_numpy(planes).permute(2, 0, 1) / 255):
        assert images_from(tensor)[0] == image
    if mode == "L":
        assert images_from(planes)[0] == image


def test_arrays_in_any_memory_order_and_tensors_with_a_gradient_are_taken(photo: Image.Image) -> None:
    array = np.array(photo)
    assert np.array_equal(images_from(array[::-1, ::2])[0], array[::-1, ::2])
    assert np.array_equal(images_from(np.asfortranarray(array))[0], array)
    tensor = (torch.from_numpy(array).permute(2, 0, 1) / 255).requires_grad_()
    assert np.array_equal(images_from(tensor)[0], array)
    assert np.array_equal(images_from(tensor.half())[0], array)


@pytest.mark.parametrize("lossless", [False, True])
def test_a_mask_that_is_not_kept_is_told(photo: Image.Image, lossless: bool) -> None:
    array = np.ma.MaskedArray(np.array(photo), mask=False)
    whole = nncodec.encode(array, lossless=lossless)
    array[:4] = np.ma.masked
    with pytest.warns(nncodec.NncWarning, match="the mask of an array is not kept"):
        assert nncodec.encode(array, lossless=lossless) == whole


def test_a_decoded_array_is_encoded_and_decoded_to_an_array(photo: Image.Image) -> None:
    data = nncodec.encode(np.array(photo), quality=90)
    array = nncodec.decode(data, as_array=True)
    assert (array.shape, array.dtype) == ((32, 48, 3), np.uint8)
    assert np.array_equal(array, nncodec.decode(data))
    array[0, 0] = 0  # it is the caller's own
    grey = nncodec.decode(nncodec.encode(np.array(photo.convert("L"))), box=(0, 0, 5, 4), as_array=True)
    assert grey.shape == (4, 5)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((8, 8, 3)), "uint8 samples, this one float64"),
        (np.zeros((8, 8), bool), "uint8 samples, this one bool"),
        (np.zeros((3, 8, 8), np.uint8), r"shape \(H, W\) or \(H, W, 1 to 4\), this one \(3, 8, 8\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"pass list\(array\) for several frames"),
        (np.zeros((0, 8, 3), np.uint8), "empty array"),
        (torch.zeros(8, 8), r"shape \(1 to 4, H, W\), this one \(8, 8\)"),
        (torch.zeros(2, 3, 8, 8), r"pass list\(tensor\)"),
        (torch.full((3, 8, 8), 2.0), "from 0 to 1"),
        (torch.full((3, 8, 8), torch.nan), "from 0 to 1"),
        (torch.zeros((3, 8, 8), dtype=torch.int64), "uint8 samples, this one int64"),
        (None, "got NoneType"),
        ([Image.new("L", (8, 8)), None], "got NoneType"),
        ([[Image.new("L", (8, 8))]], "got list in a sequence"),
        (b"no picture", "picture"),
        (b"", "empty"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(source: Any, message: str) -> None:
    with pytest.raises(UnsupportedImage, match=message):
        nncodec.encode(source)
    with pytest.raises(UnsupportedImage, match=message):
        nncodec.encode_batch([source])


def test_a_path_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        nncodec.encode(tmp_path / "none.png")


def test_an_nnc_file_is_not_encoded_again(photo: Image.Image) -> None:
    with pytest.raises(UnsupportedImage, match=r"already an \.nnc file"):
        nncodec.encode(nncodec.encode(photo))


def test_a_damaged_picture_is_refused_whatever_pillow_raises(path: Path) -> None:
    with pytest.raises(UnsupportedImage):
        nncodec.encode(path.read_bytes()[:-200])


@pytest.mark.parametrize("error", [KeyError("x"), struct.error("unpack"), SyntaxError("broken"), IndexError("range")])
def test_what_pillow_says_to_programmers_is_a_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(PngImageFile, "load", fail)
    with pytest.raises(UnsupportedImage, match=r"^a PNG file that is damaged or incomplete; download"):
        nncodec.encode(path)


def test_keep_takes_quality_and_model_of_the_file_that_an_image_came_from() -> None:
    grey = Image.fromarray(skimage.data.camera()).resize((28, 28))
    image = nncodec.decode(nncodec.encode(grey, quality=7))
    assert nncodec.inspect(nncodec.encode(image, quality="keep")).quality == 7
    image = nncodec.decode(nncodec.encode(grey, "dense/fashion"))
    assert nncodec.inspect(nncodec.encode(image, quality="keep")).model == "dense/fashion"
    assert nncodec.inspect(nncodec.encode(image, "photo", "keep", lossless=False)).model == "hyperprior/photo"
    with pytest.raises(nncodec.InvalidOption, match=r"'keep' needs an image from an \.nnc file"):
        nncodec.encode(grey, quality="keep")


def test_arrays_are_told_apart_without_importing_torch() -> None:
    script = """
import sys
import numpy as np
from nncodec.picture.sources import images_from
assert images_from(np.zeros((4, 4), np.uint8))
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_streams_of_bytes_in_memory_are_read(path: Path) -> None:
    assert nncodec.encode(io.BytesIO(path.read_bytes())) == nncodec.encode(path)


def test_a_result_larger_than_its_file_is_warned_of(tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    data = plain.read_bytes()
    larger = r"the result is larger than the input: \d+ -> [\d,]+ bytes"
    for source in (plain, data, io.BytesIO(data), [data, plain]):
        with pytest.warns(NncWarning, match=larger):
            nncodec.encode(source, xmp=b"x" * 500)
    with pytest.warns(NncWarning, match=larger) as caught:
        nncodec.encode_batch([plain, Image.open(plain), data], xmp=b"x" * 500)
    assert len(caught) == 2
    assert caught[0].filename == __file__


def test_the_expected_time_grows_with_effort_and_pixels() -> None:
    slow, fast = nncodec.expected_seconds("photo", 9, 2.0), nncodec.expected_seconds("photo", 0, 2.0)
    assert slow > 10 * fast > 0
    assert nncodec.expected_seconds("photo", 9, 4.0) == 2 * slow
    assert np.isnan(nncodec.expected_seconds("lossless", 0, 1.0))  # nobody measured it
    with pytest.raises(nncodec.InvalidOption, match="effort"):
        nncodec.expected_seconds("photo", 10, 1.0)
    for wrong in (-1.0, float("nan"), float("inf"), "1", None):
        with pytest.raises(nncodec.InvalidOption, match="megapixels"):
            nncodec.expected_seconds("photo", 9, wrong)  # type: ignore[arg-type]


def test_samples_of_either_byte_order_are_taken() -> None:
    samples = np.arange(600, dtype=np.uint16).reshape(20, 30)
    for planes in (samples, np.dstack([samples] * 5)):
        data = nncodec.encode(planes.astype(">u2"), lossless=True)
        np.testing.assert_array_equal(nncodec.decode(data, as_array=True), planes)


def test_a_file_open_as_text_is_told(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "a.png")
    for take in (nncodec.encode, nncodec.enhance):
        with (
            (tmp_path / "a.png").open(encoding="latin-1") as stream,
            pytest.raises(nncodec.UnsupportedImage, match="'rb'"),
        ):
            take(stream)  # type: ignore[operator]


def test_a_batch_may_come_from_an_iterator(photo: Image.Image) -> None:
    files = nncodec.encode_batch(image for image in [photo, photo])  # type: ignore[arg-type]
    assert files == nncodec.encode_batch([photo, photo])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16"])
def test_an_array_has_the_samples_of_the_image(photo: Image.Image, mode: str) -> None:
    small = photo.resize((40, 30))
    small.putalpha(Image.linear_gradient("L").resize(small.size))
    image = small.convert("RGB").convert(mode) if mode in ("P", "CMYK") else small.convert(mode.removesuffix(";16"))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    ways: list[Any] = [{"lossless": True}]
    if mode in ("L", "LA", "RGB", "RGBA"):
        ways += [{"max_error": 2}, {"lossless": False}, {"downscale": 2, "quality": 80}]
    for options in ways:
        data = nncodec.encode(image, **options)
        for box in (None, (3, 5, 20, 25)):
            found, expected = nncodec.decode(data, box=box, as_array=True), nncodec.decode(data, box=box)
            assert found.dtype == (np.bool_ if mode == "1" else np.uint16 if mode == "I;16" else np.uint8)
            np.testing.assert_array_equal(found, np.asarray(expected))


def test_keep_copies_a_file_where_nothing_else_is_asked_for(photo: Image.Image, tmp_path: Path) -> None:
    data = nncodec.encode([photo, photo], quality=30, lossless=False, preview=True)
    (tmp_path / "a.nnc").write_bytes(data)
    for source in (tmp_path / "a.nnc", str(tmp_path / "a.nnc"), data, io.BytesIO(data)):
        assert nncodec.encode(source, quality="keep") == data
    assert nncodec.encode_batch([data, tmp_path / "a.nnc"], quality="keep") == [data, data]
    with pytest.raises(nncodec.Corrupt):
        nncodec.encode(data[:-1] + bytes([data[-1] ^ 1]), quality="keep")
    assert len(nncodec.encode(data, quality="keep", preview=False)) < len(data)


@pytest.mark.filterwarnings("ignore:the result is larger than the input")
def test_keep_takes_files_and_batches_each_with_its_own_quality(photo: Image.Image, tmp_path: Path) -> None:
    files = [nncodec.encode(photo, quality=quality, lossless=False) for quality in (20, 70)]
    (tmp_path / "a.nnc").write_bytes(files[0])
    kept = nncodec.encode_batch([tmp_path / "a.nnc", nncodec.decode(files[1])], quality="keep", lossless=False)
    assert [nncodec.inspect(data).quality for data in kept] == [20, 70]
    exact = nncodec.encode(photo.convert("P"), lossless=True)
    assert nncodec.decode(nncodec.encode(exact, quality="keep")).tobytes() == nncodec.decode(exact).tobytes()
    with pytest.raises(nncodec.InvalidOption, match=r"needs an image from an \.nnc file"):
        nncodec.encode_batch([photo], quality="keep")
