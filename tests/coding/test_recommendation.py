"""Enhancers in the codec: recommended by files, used when asked for, and never in the way of who did not ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import nncodec
from nncodec.coding import encoder, enhancing
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, Header
from nncodec.limits import Limits
from nncodec.plugin import discovery, registry
from nncodec.plugin.enhancer import EnhancerTraits
from nncodec.plugin.latents import Pixels

pytestmark = pytest.mark.usefixtures("enhancers")

MODEL = "conv/photo"


def photo(width: int = 90, height: int = 61, mode: str = "RGB", left: int = 60) -> Image.Image:
    image = Image.fromarray(skimage.data.astronaut()).crop((left, 20, left + width, 20 + height))
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(skimage.data.camera()).resize(image.size))
    return image.convert(mode)


def encode(image: Image.Image, **options: Any) -> bytes:
    return nncodec.encode(image, MODEL, 80, **options)


def rewritten(
    data: bytes, chunks: dict[int, bytes] | None = None, change: Callable[[Header], Header] = lambda header: header
) -> bytes:
    """Return a file with other chunks or another header, and right checksums."""
    container = Container(data)
    blocks = [container.block(number) for number in range(container.block_count)]
    kept = {entry.type: container.chunk(entry.type) or b"" for entry in container.chunk_table}
    return write(change(container.header), kept if chunks is None else chunks, blocks)


def recommending(name: str, *, strength: int = 0, alias: str = "") -> bytes:
    return bytes([strength]) + registry.catalog().find(name).id_bytes[:8] + (alias or name).encode()


def apart(one: Image.Image, other: Image.Image) -> int:
    assert (one.mode, one.size) == (other.mode, other.size)
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other)).max())


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"downscale": 3}, {"record_settings": True, "preview": True}])
def test_a_recommendation_is_one_chunk_more_and_nothing_else(options: dict[str, Any]) -> None:
    plain = encode(photo(), **options)
    assert encode(photo(), **options, enhancer=None, enhancer_strength=None) == plain
    recommended = encode(photo(), **options, enhancer="restore", enhancer_strength=0.255)
    container = Container(recommended)
    chunks = {entry.type: container.chunk(entry.type) for entry in container.chunk_table}
    digest = registry.catalog().find("sharp/keep").id_bytes
    assert chunks.pop(ChunkType.ENHANCER) == b"\x1a" + digest[:8] + b"sharp/keep"
    assert rewritten(recommended, chunks) == plain


def test_files_of_a_batch_recommend_each() -> None:
    files = nncodec.encode_batch([photo(), photo(left=90)], MODEL, 80, enhancer="sharp/keep")
    for data, left in zip(files, (60, 90), strict=True):
        assert data == encode(photo(left=left), enhancer="restore")


def test_a_target_keeps_its_bound_with_the_recommendation_counted() -> None:
    plain = nncodec.encode(photo(), MODEL, target_size=3000)
    found = nncodec.encode(photo(), MODEL, target_size=len(plain), enhancer="restore")
    assert len(found) <= len(plain)
    assert nncodec.inspect(found).enhancer is not None


@pytest.mark.parametrize(
    ("options", "option", "reason"),
    [
        ({"enhancer": "x4"}, "enhancer", "sharp/four makes pictures 4 times as large, which needs a picture that is"),
        ({"enhancer": 7}, "enhancer", "expected the name of an enhancer, got int"),
        ({"enhancer_strength": 0.5}, "enhancer_strength", "it needs an enhancer"),
        ({"enhancer": "restore", "enhancer_strength": 1.5}, "enhancer_strength", "1.5 is not a number from 0"),
        ({"enhancer": "restore", "enhancer_strength": float("nan")}, "enhancer_strength", "nan is not a number"),
    ],
)
def test_what_cannot_be_recommended_is_refused(options: dict[str, Any], option: str, reason: str) -> None:
    with pytest.raises(nncodec.InvalidOption, match=reason) as caught:
        encode(photo(), **options)
    assert caught.value.option == option


def test_only_installed_enhancers_are_recommended() -> None:
    with pytest.raises(nncodec.UnknownModel, match="no installed enhancer is 'sharp/nine'; installed: sharp/double"):
        encode(photo(), enhancer="sharp/nine")
    with pytest.raises(nncodec.ModelError, match="conv/photo is a codec"):
        encode(photo(), enhancer="conv/photo")


def test_an_enhancer_without_strengths_is_recommended_with_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.open_enhancer("restore"), "traits", EnhancerTraits(1, 1, 1, strengths=False))
    info = nncodec.inspect(encode(photo(), enhancer="restore", enhancer_strength=0.9)).enhancer
    assert info is not None
    assert info.strength == 0


def test_the_file_says_what_it_recommends_whether_that_is_installed_or_not(enhancers: Callable[[], None]) -> None:
    data = encode(photo(), enhancer="restore", enhancer_strength=0.4)
    model_info = registry.catalog().find("sharp/keep")
    expected = nncodec.coding.inspection.RecommendedEnhancer("sharp/keep", model_info.digest[:16], 0.4, True)
    assert nncodec.inspect(data).enhancer == nncodec.check(data).enhancer == expected
    enhancers()
    assert nncodec.inspect(data).enhancer == replace(expected, installed=False)
    assert nncodec.inspect(encode(photo())).enhancer is None


# --- decoding -----------------------------------------------------------------------------------------------------


def test_pictures_are_plain_unless_asked_for() -> None:
    data = encode(photo(mode="RGBA"), enhancer="restore", enhancer_strength=1)
    assert nncodec.decode(data).tobytes() == nncodec.decode(encode(photo(mode="RGBA"))).tobytes()
    assert "enhancer" not in nncodec.decode(data).info


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("strength", [None, 0, 1])
def test_the_recommended_enhancer_does_what_enhance_does_to_the_plain_picture(
    mode: str, strength: float | None
) -> None:
    data = encode(photo(mode=mode), enhancer="restore", enhancer_strength=0.3, exif=b"II*\0")
    found = nncodec.decode(data, enhancer="recommended", strength=strength)
    plain = nncodec.decode(data)
    expected = nncodec.enhance(plain, "restore", strength=0.3 if strength is None else strength)
    assert (found.tobytes(), found.info) == (expected.tobytes(), plain.info)
    assert apart(found, plain) > 1


def test_any_installed_enhancer_can_be_asked_for() -> None:
    data = encode(photo())
    assert nncodec.decode(data, enhancer="recommended").tobytes() == nncodec.decode(data).tobytes()
    found = nncodec.decode(data, enhancer="restore", strength=1)
    assert found.tobytes() == nncodec.enhance(nncodec.decode(data), "restore", strength=1).tobytes()
    # By name it is used as it stands, whatever the file recommends.
    recommending = encode(photo(), enhancer="restore", enhancer_strength=1)
    plain = nncodec.enhance(nncodec.decode(data), "restore")
    assert nncodec.decode(recommending, enhancer="sharp/keep").tobytes() == plain.tobytes()


def test_the_digest_decides_and_not_the_name() -> None:
    data = rewritten(encode(photo()), {ChunkType.ENHANCER: recommending("sharp/keep", alias="sharp/four")})
    assert apart(nncodec.decode(data, enhancer="recommended"), nncodec.decode(data, enhancer="restore")) == 0


def test_frames_and_batches_are_enhanced_each() -> None:
    frames = [photo(left=left, mode="LA") for left in (0, 30, 60)]
    for frame in frames:
        frame.putalpha(frame.getchannel("A").point(lambda alpha: max(1, alpha)))  # `enhance` fills what is hidden
    data = nncodec.encode(frames, MODEL, 80, enhancer="restore", frames_per_block=2)
    plain = list(nncodec.decode_frames(data))
    expected = [nncodec.enhance(frame, "restore", strength=0.5).tobytes() for frame in plain]
    found = nncodec.decode_frames(data, enhancer="recommended", strength=0.5)
    assert [frame.tobytes() for frame in found] == expected
    assert nncodec.decode(data, frame=2, enhancer="restore", strength=0.5).tobytes() == expected[2]

    files = [encode(photo(left=0), enhancer="restore", enhancer_strength=1), encode(photo(left=30)), data]
    files.append(encode(photo(left=0), enhancer="restore"))
    batch = nncodec.decode_batch(files, enhancer="recommended")
    for image, one in zip(batch, files, strict=True):
        assert apart(image, nncodec.decode(one, enhancer="recommended")) <= 1
    assert apart(batch[0], batch[3]) > 1


# --- stored reduced -----------------------------------------------------------------------------------------------


def coded(data: bytes) -> Image.Image:
    """Return the picture as it is coded, before it is resampled to its display size."""
    header = Container(data).header
    return nncodec.decode(rewritten(data, {}, lambda h: replace(h, display_size=(header.width, header.height))))


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize("name", ["x4", "x2", "restore"])
@pytest.mark.parametrize(("size", "downscale"), [((88, 60), 4), ((90, 61), 4), ((90, 61), 3), ((5, 2), 8)])
def test_a_reduced_picture_is_enhanced_and_then_resampled_to_its_size(
    mode: str, name: str, size: tuple[int, int], downscale: int
) -> None:
    data = encode(photo(*size, mode=mode), downscale=downscale, enhancer=name, enhancer_strength=1)
    found = nncodec.decode(data, enhancer="recommended")
    plain = nncodec.decode(data)
    assert (found.size, found.mode) == (plain.size, plain.mode) == (size, mode)
    larger = nncodec.enhance(coded(data), name, strength=1)
    expected = larger if larger.size == size else larger.resize(size, Image.Resampling.LANCZOS)
    assert apart(found.convert(larger.mode), expected) == 0
    if mode == "RGBA":
        assert found.getchannel("A").tobytes() == plain.getchannel("A").tobytes()


def test_where_sizes_fit_nothing_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(photo(88, 60), downscale=4)
    monkeypatch.setattr(Image.Image, "resize", lambda *_, **__: pytest.fail("resampled"))
    assert nncodec.decode(data, enhancer="x4").size == (88, 60)


def test_an_enhancer_that_enlarges_is_refused_for_what_is_not_reduced() -> None:
    with pytest.raises(nncodec.InvalidOption) as caught:
        nncodec.decode(encode(photo()), enhancer="x4")
    assert str(caught.value) == (
        "invalid option 'enhancer': sharp/four makes pictures 4 times as large, but this file is not stored reduced; "
        "decode it, then enhance"
    )


def test_a_picture_too_small_to_be_reduced_gets_no_recommendation_to_enlarge() -> None:
    data = encode(photo(1, 1), downscale=4, enhancer="x4")
    assert nncodec.inspect(data).enhancer is None
    assert nncodec.decode(data, enhancer="recommended").size == (1, 1)
    restored = encode(photo(1, 1), downscale=4, enhancer="restore")
    assert nncodec.inspect(restored).enhancer is not None


def test_an_enlarged_picture_is_held_against_the_limits() -> None:
    data = encode(photo(88, 60), downscale=2)
    assert nncodec.decode(data, enhancer="x4", limits=Limits(pixels=176 * 120)).size == (88, 60)
    with pytest.raises(nncodec.LimitExceeded, match="21120 pixels"):
        nncodec.decode(data, enhancer="x4", limits=Limits(pixels=176 * 120 - 1))
    with pytest.raises(nncodec.LimitExceeded, match="176 resampled edge"):
        nncodec.decode(data, enhancer="x4", limits=Limits(resampled_edge=175))


# --- boxes --------------------------------------------------------------------------------------------------------

BOXES = [(0, 0, 1, 1), (0, 0, 97, 3), (201, 132, 202, 133), (57, 31, 60, 129), (90, 40, 170, 101)]


@pytest.mark.parametrize(("mode", "downscale", "name"), [("RGBA", 1, "restore"), ("L", 3, "x4"), ("RGB", 4, "x4")])
def test_a_box_is_the_crop_of_the_enhanced_whole(mode: str, downscale: int, name: str) -> None:
    data = encode(photo(202, 133, mode), downscale=downscale)
    # The example multiplies what synthesis does, so its one level of difference would show as several.
    ways: list[tuple[dict[str, Any], int]] = [({}, 1), ({"enhancer": name, "strength": 1}, 9), ({"enhancer": name}, 2)]
    for options, most in ways:
        whole = nncodec.decode(data, **options)
        for box in BOXES:
            assert apart(nncodec.decode(data, box=box, **options), whole.crop(box)) <= most, (options, box)


def test_a_box_is_exactly_the_crop_where_synthesis_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the networks' own rounding: windows, halos and resampling of a box are those of the whole."""
    model = registry.open_model(MODEL)
    monkeypatch.setattr(model, "synthesis", lambda latents, quality: _flat(next(iter(latents.values()))))
    for downscale, name in ((1, "restore"), (3, "x4"), (4, "x4"), (2, "x2")):
        data = encode(photo(202, 133), downscale=downscale)
        for edge in (1 << 10, 32):
            monkeypatch.setattr(enhancing, "WINDOW_EDGE", edge)
            whole = nncodec.decode(data, enhancer=name, strength=1)
            assert len(whole.getcolors(1 << 16) or ()) > 20
            for box in BOXES:
                found = nncodec.decode(data, box=box, enhancer=name, strength=1)
                assert apart(found, whole.crop(box)) <= 1  # Lanczos may round the other way


def _flat(latents: np.ndarray) -> Pixels:
    """Return pictures in which every latent of the first channel is a square of 16 pixels."""
    squares = (np.abs(latents[:, :1]) * 37 + 40).astype(np.uint8).transpose(0, 2, 3, 1)
    return squares.repeat(16, axis=1).repeat(16, axis=2).repeat(3, axis=3)


def test_a_box_of_a_large_picture_reads_what_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "BLOCK_EDGE_LOG2", 7)
    data = encode(photo(400, 300), enhancer="restore", enhancer_strength=0.2)
    assert nncodec.inspect(data).blocks == (1, 3, 4)
    read: list[int] = []
    block = Container.block
    monkeypatch.setattr(Container, "block", lambda self, index: read.append(index) or block(self, index))
    box = (5, 5, 40, 40)
    found = nncodec.decode(data, box=box, enhancer="recommended")
    assert read == [0]
    assert apart(found, nncodec.decode(data, enhancer="recommended").crop(box)) <= 2


# --- what is missing or makes no sense ----------------------------------------------------------------------------


def test_a_missing_enhancer_is_named_and_the_file_decodes_without(enhancers: Callable[[], None]) -> None:
    data = encode(photo(), enhancer="restore")
    digest = registry.catalog().find("restore").digest
    enhancers()
    with pytest.raises(nncodec.UnknownModel) as caught:
        nncodec.decode(data, enhancer="recommended")
    assert str(caught.value) == (
        f"no installed enhancer is 'sharp/keep ({digest[:16]})'; installed: none; to decode the file without it, "
        "set no enhancer; get its model file and install it with 'nncodec models add FILE'"
    )
    assert nncodec.decode(data).size == (90, 61)


HOSTILE = [b"", b"\0", bytes(8), b"\x65" + bytes(8), b"\xff" + bytes(30)]


@pytest.mark.parametrize("chunk", HOSTILE)
def test_a_recommendation_that_makes_no_sense_only_matters_to_who_asks(chunk: bytes) -> None:
    data = rewritten(encode(photo()), {ChunkType.ENHANCER: chunk})
    plain = nncodec.decode(data).tobytes()
    assert nncodec.decode(data, enhancer="restore").tobytes() != plain
    assert nncodec.check(data).enhancer is None
    with pytest.raises(nncodec.Corrupt, match="recommend"):
        nncodec.decode(data, enhancer="recommended")


def test_names_of_any_bytes_are_shown_as_far_as_names_go() -> None:
    chunk = b"\x32" + bytes(8) + b"\xff\x1b" + 200 * b"x"
    info = nncodec.inspect(rewritten(encode(photo()), {ChunkType.ENHANCER: chunk})).enhancer
    assert info is not None
    assert (info.name, info.id, info.strength, info.installed) == ("�\x1b" + 98 * "x", 16 * "0", 0.5, False)


def test_a_file_cannot_make_a_codec_of_an_enhancer_nor_an_enhancer_of_a_codec() -> None:
    codec = rewritten(encode(photo()), {ChunkType.ENHANCER: recommending(MODEL)})
    with pytest.raises(nncodec.UnknownModel, match="no installed enhancer is 'conv/photo "):
        nncodec.decode(codec, enhancer="recommended")
    info = nncodec.inspect(codec).enhancer
    assert info is not None
    assert not info.installed
    digest = registry.catalog().find("sharp/keep").id_bytes
    enhancer = rewritten(encode(photo()), None, lambda header: replace(header, model_id=digest[:8]))
    with pytest.raises(nncodec.UnknownModel, match=f"no installed model is '{digest[:8].hex()}'"):
        nncodec.decode(enhancer)
    assert not nncodec.inspect(enhancer).installed


def test_a_file_that_recommends_to_enlarge_what_is_not_reduced_is_damaged() -> None:
    data = rewritten(encode(photo()), {ChunkType.ENHANCER: recommending("sharp/four")})
    with pytest.raises(nncodec.Corrupt, match="it recommends sharp/four, which enlarges"):
        nncodec.decode(data, enhancer="recommended")
    assert nncodec.decode(data).size == (90, 61)


def test_a_display_size_below_the_coded_size_is_not_reduced() -> None:
    data = rewritten(encode(photo()), None, lambda header: replace(header, display_size=(45, 61)))
    with pytest.raises(nncodec.InvalidOption, match="not stored reduced"):
        nncodec.decode(data, enhancer="x2")
    assert nncodec.decode(data, enhancer="restore").size == (45, 61)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"strength": 0.5}, "strength"),
        ({"enhancer": "recommended", "strength": 2}, "strength"),
        ({"enhancer": "restore", "strength": float("nan")}, "strength"),
        ({"enhancer": 4}, "enhancer"),
    ],
)
@pytest.mark.parametrize(
    "call", [nncodec.decode, nncodec.decode_frames, lambda data, **o: nncodec.decode_batch([data], **o)]
)
def test_bad_options_are_refused_at_once(call: Callable[..., object], options: dict[str, Any], option: str) -> None:
    with pytest.raises(nncodec.InvalidOption) as caught:
        call(encode(photo()), **options)
    assert caught.value.option == option


def test_every_flipped_bit_of_a_file_with_a_recommendation_is_refused() -> None:
    data = nncodec.encode(Image.new("L", (28, 28), 90), "dense/fashion", enhancer="restore")
    for position in range(len(data)):
        for bit in range(8):
            damaged = data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]
            with pytest.raises(nncodec.FormatError):
                nncodec.check(damaged)
            with pytest.raises(nncodec.NncError):
                nncodec.decode(damaged, enhancer="recommended")


# --- the user's own -----------------------------------------------------------------------------------------------


def test_an_enhancer_of_ones_own_is_found_by_its_digest(
    write_sharpener: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path / "models"))
    registry.refresh()
    path = write_sharpener(tmp_path / "mine.safetensors", "mine", 1, (1.0, 2.0))
    registry.install_model(path)
    data = encode(photo(), enhancer="mine")
    registry.remove_model("mine")
    with pytest.raises(nncodec.UnknownModel, match="'mine "):
        nncodec.decode(data, enhancer="recommended")
    registry.install_model(write_sharpener(tmp_path / "other.safetensors", "other", 1, (1.0, 2.0)))
    assert nncodec.decode(data, enhancer="recommended").tobytes() == nncodec.decode(data, enhancer="other").tobytes()
