"""No way of reading a damaged file yields pixels."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
import skimage.data
from PIL import Image

import nncodec
import nncodec_pillow


def verify(data: bytes) -> None:
    """Open with Pillow and verify."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()


def load(data: bytes) -> None:
    """Open with Pillow and load."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()


READERS = {"check": nncodec.check, "decode": nncodec.decode, "verify": verify, "load": load}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


@pytest.fixture(scope="module")
def small() -> bytes:
    """A file of one simple image, without optional chunks."""
    image = Image.new("L", (28, 28))
    image.paste(170, (8, 5, 20, 25))
    return nncodec.encode(image, "dense/fashion")


@pytest.fixture(scope="module", params=["zstd", "rans"])
def rich(request: pytest.FixtureRequest) -> bytes:
    """A reduced file of two photograph frames with alpha, EXIF, profile and preview, in two blocks."""
    photo = Image.fromarray(skimage.data.astronaut()).resize((40, 24)).convert("RGBA")
    return nncodec.encode(
        [photo, photo.rotate(180)],
        coder=request.param,
        exif=b"MM\0*\0\0\0\x08\0\0",
        icc_profile=b"p" * 9,
        preview=16,
        downscale=2,
        frames_per_block=1,
    )


@pytest.fixture(scope="module", params=["P", "RGBA", "near"])
def exact(request: pytest.FixtureRequest) -> bytes:
    """An exact file with a palette or alpha, or one with a permitted error and alpha beside the samples."""
    picture = Image.fromarray(skimage.data.astronaut()).resize((9, 7)).convert("RGBA")
    if request.param == "P":
        return nncodec.encode(picture.quantize(5), lossless=True)
    return nncodec.encode(picture, max_error=3 if request.param == "near" else 0)


def flips(data: bytes) -> Iterator[bytes]:
    """Yield the file with each of its bits flipped."""
    for position in range(len(data)):
        for bit in range(8):
            yield data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]


@readers
def test_the_undamaged_files_are_read(read: Callable[[bytes], object], small: bytes, rich: bytes) -> None:
    assert nncodec_pillow  # importing it registers the format with Image.open
    read(small)
    read(rich)


@readers
def test_every_flipped_bit_is_refused(read: Callable[[bytes], object], small: bytes) -> None:
    for damaged in flips(small):
        with pytest.raises(OSError):  # noqa: PT011  the message depends on the bit
            read(damaged)


@pytest.mark.parametrize("read", [nncodec.check, nncodec.decode, load])
def test_no_damage_of_an_exact_file_yields_pixels(read: Callable[[bytes], object], exact: bytes) -> None:
    read(exact)
    damaged = [*flips(exact)][:: 1 if read is nncodec.decode else 5]
    for data in (*damaged, *(exact[:length] for length in range(0, len(exact), 3)), exact + b"x"):
        with pytest.raises(OSError):  # noqa: PT011
            read(data)


@readers
def test_every_truncation_is_refused(read: Callable[[bytes], object], small: bytes) -> None:
    for length in range(len(small)):
        with pytest.raises(OSError):  # noqa: PT011
            read(small[:length])


@readers
def test_trailing_bytes_are_refused(read: Callable[[bytes], object], small: bytes, rich: bytes) -> None:
    for data in (small, rich):
        with pytest.raises(OSError, match="follow the last block"):
            read(data + b"\0")


def test_every_flipped_bit_and_truncation_of_a_rich_file_is_refused(rich: bytes) -> None:
    for damaged in flips(rich):
        with pytest.raises(nncodec.FormatError):
            nncodec.check(damaged)
    for length in range(len(rich)):
        with pytest.raises(nncodec.FormatError):
            nncodec.check(rich[:length])


@pytest.mark.parametrize("data", [b"", b"\x8e", b"\x8eNN", b"GIF89a", b"\xff\xd8\xff\xe0", bytes(1000)])
def test_foreign_files_are_told_apart(data: bytes) -> None:
    with pytest.raises(nncodec.NotNnc):
        nncodec.decode(data)
    with pytest.raises(OSError, match="cannot identify"):
        load(data)


def test_a_newer_version_says_to_upgrade(small: bytes) -> None:
    with pytest.raises(nncodec.UnsupportedVersion, match="upgrade"):
        nncodec.decode(small[:4] + b"\x02" + small[5:])
