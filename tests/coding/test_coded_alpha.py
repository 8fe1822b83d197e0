"""Alpha that is stored as an exact file: the bytes, the choice, and chunks that lie."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forged import crc, header
from PIL import Image, ImageDraw

import nncodec
from nncodec.coding.exact_decoder import alpha_of
from nncodec.coding.exact_encoder import alpha_chunk
from nncodec.errors import FormatError, LimitExceeded, UnknownModel
from nncodec.format.alpha import pack_alpha
from nncodec.format.container import Container, write
from nncodec.format.header import MAGIC, ChunkType
from nncodec.limits import DEFAULT_LIMITS
from nncodec.plugin import registry
from nncodec.plugin.hooks import LOSSLESS
from nncodec.plugin.latents import Pixels

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"
PLANE = np.array([[255, 255, 128], [255, 64, 0]], np.uint8)


def inner(
    fields: bytes = b"\x08\x00\x03\x02\x07",
    *,
    kind: int = 0x30,
    flags: int = 0x20,
    end: bytes = b"",
    model_id: bytes | None = None,
) -> bytes:
    """Return the chunk of `PLANE`, with the fields that follow the model id; or another file instead."""
    own_id = registry.catalog().find("lossless", LOSSLESS).id_bytes[:4]
    head = MAGIC + bytes((1, kind, flags, 0xFF)) + (model_id or own_id) + fields
    block = b"\x00" + PLANE.tobytes()
    return head + crc(head) + block + crc(block) + end


def around(chunk: bytes, **changes: object) -> Container:
    """Return a file of 3 x 2 pixels with this alpha."""
    return Container(write(header(**changes), {ChunkType.ALPHA: chunk}, [b"x"]))


def mask(*sizes: int) -> Pixels:
    image = Image.new("L", (96, 80))
    for size in sizes:
        ImageDraw.Draw(image).ellipse((4, 4, size, size - 8), fill=255)
    return np.asarray(image)


def test_the_bytes_are_those_of_the_page() -> None:
    text = FORMAT.read_text()
    hexadecimal = text[text.index("Alpha of 3 x 2 pixels") :].split("```hex\n")[1].split("```")[0]
    page = bytes.fromhex("".join(line[:36] for line in hexadecimal.splitlines()))
    own = inner()
    assert (page[:8], page[12:17], page[21:32]) == (own[:8], own[12:17], own[21:32])
    assert page[17:21] == crc(page[:17])
    np.testing.assert_array_equal(alpha_of(around(own)), PLANE[None])


def test_the_smaller_form_is_written_and_read() -> None:
    planes = np.stack([mask(90), mask(70, 40)])
    chunk = alpha_chunk(planes)
    assert chunk.startswith(MAGIC)
    assert len(chunk) < len(pack_alpha(planes))
    np.testing.assert_array_equal(alpha_of(around(chunk, width=96, height=80, frames=2, frames_per_block=2)), planes)
    plain = np.full((1, 80, 96), 255, np.uint8)
    assert alpha_chunk(plain) == pack_alpha(plain)


def test_pictures_keep_their_alpha_with_a_codec_and_with_bounded_errors() -> None:
    picture = Image.fromarray(np.random.default_rng(5).integers(0, 256, (80, 96, 4), np.uint8), "RGBA")
    picture.putalpha(Image.fromarray(mask(80)))
    for data in (nncodec.encode(picture, "conv/photo", lossless=False), nncodec.encode(picture, max_error=1)):
        assert Container(data).chunk(ChunkType.ALPHA) == alpha_chunk(mask(80)[None])
        assert nncodec.decode(data).getchannel("A").tobytes() == mask(80).tobytes()
        assert nncodec.inspect(data).mode == "RGBA"


def test_a_search_codes_alpha_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("nncodec.coding.encoder.alpha_chunk", lambda alpha: calls.append(1) or alpha_chunk(alpha))
    picture = Image.linear_gradient("L").resize((48, 40)).convert("RGBA")
    picture.putalpha(Image.fromarray(mask(80)).resize((48, 40)))
    nncodec.encode(picture, "conv/photo", target_size=2000, lossless=False)
    assert len(calls) == 1


def test_without_the_lossless_model_alpha_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object) -> None:
        raise UnknownModel(wanted="lossless", installed="conv/photo", failures="")

    monkeypatch.setattr("nncodec.coding.exact_encoder.ExactEncoder.__init__", missing)
    assert alpha_chunk(mask(90)[None]) == pack_alpha(mask(90)[None])


def test_a_reader_without_the_model_names_it() -> None:
    with pytest.raises(UnknownModel, match="01234567"):
        alpha_of(around(inner(model_id=bytes.fromhex("01234567"))))


@pytest.mark.parametrize(
    ("chunk", "problem"),
    [
        (inner(b"\x08\x00\x02\x03\x07"), "another size"),
        (inner(b"\x08\x00\x03\x02\x02\x07", flags=0x24), "another size"),
        (inner(b"\x08\x01\x03\x02\x07"), "not an exact grey picture"),
        (inner(b"\x07\x00\x03\x02\x07"), "not an exact grey picture"),
        (inner(b"\x08\x00\x03\x02\x07", kind=0x31), "not an exact grey picture"),
        (inner(b"\x03\x02\x07", kind=0x10, flags=0), "not an exact grey picture"),
        (inner(b"\x08\x00\x03\x02\x07\x01\x81\x00" + crc(b""), flags=0x30), "not an exact grey picture"),
        (inner(end=b"\0"), "1 bytes follow"),
        (inner()[:-1], "incomplete"),
        (inner()[:-2] + b"ab", "does not match its checksum"),
        (inner()[:9], "incomplete"),
    ],
)
def test_a_chunk_that_lies_is_refused_before_it_is_decoded(chunk: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        alpha_of(around(chunk))


def test_the_limits_of_the_outer_file_hold_inside() -> None:
    chunk = inner(b"\x08\x00\x80\x80\x04\x80\x80\x04\x07")
    with pytest.raises(LimitExceeded):
        alpha_of(around(chunk))
    data = write(header(width=64, height=64), {ChunkType.ALPHA: alpha_chunk(mask(90)[None, :64, :64])}, [b"x"])
    with pytest.raises(LimitExceeded):
        alpha_of(Container(data, replace(DEFAULT_LIMITS, block_pixels=1000)))
