"""Transparency in every spelling, and the colours under alpha 0, by every way into a file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec.cli import main
from nncodec.coding import enhancing

Entrance = Callable[..., Image.Image]


def encoded(image: Image.Image, **options: Any) -> bytes:
    return nncodec.encode(image, **options)


def encoded_in_a_batch(image: Image.Image, **options: Any) -> bytes:
    plain = Image.new(image.mode, image.size)  # of one size and mode, but opaque
    return nncodec.encode_batch([plain, image], **options)[1]


def saved(image: Image.Image, **options: Any) -> bytes:
    nncodec_pillow.register_nnc_opener()
    out = io.BytesIO()
    image.save(out, "NNC", **options)
    return out.getvalue()


def saved_in_a_stack(image: Image.Image, **options: Any) -> bytes:
    nncodec_pillow.register_nnc_opener()
    out = io.BytesIO()
    image.save(out, "NNC", save_all=True, append_images=[image.copy()], **options)
    assert nncodec.inspect(out.getvalue()).frames == 2
    return out.getvalue()


IN_PYTHON = [encoded, encoded_in_a_batch, saved, saved_in_a_stack]


def by_command(path: Path, *options: str) -> tuple[bytes, str]:
    result = CliRunner().invoke(main, ["encode", str(path), "-o", str(path) + ".nnc", "-f", *options])
    assert result.exit_code == 0, result.stderr
    return Path(str(path) + ".nnc").read_bytes(), result.stderr


def png(width: int, depth: int, colour_type: int, row: bytes, transparent: bytes) -> bytes:
    """Return a PNG of 8 equal rows with a tRNS chunk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, 8, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(8 * (b"\0" + row))
    parts = (chunk(b"IHDR", header), chunk(b"tRNS", transparent), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


KEYED = {
    "grey of 2 bits": (png(8, 2, 0, b"\x00\xff", struct.pack(">H", 3)), "LA"),
    "grey of 4 bits": (png(8, 4, 0, b"\x00\x00\xff\xff", struct.pack(">H", 15)), "LA"),
    "grey of 8 bits": (png(8, 8, 0, b"\0\0\0\0\x0f\x0f\x0f\x0f", struct.pack(">H", 15)), "LA"),
    "colour of 8 bits": (png(8, 8, 2, b"\1\2\3" * 4 + b"\4\5\6" * 4, struct.pack(">3H", 4, 5, 6)), "RGBA"),
    "colour of 16 bits": (
        png(8, 16, 2, struct.pack(">3H", 1000, 2000, 3000) * 4 + struct.pack(">3H", 9000, 0, 60000) * 4,
            struct.pack(">3H", 9000, 0, 60000)),
        "RGBA",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:16 bits a sample")
@pytest.mark.parametrize("entrance", IN_PYTHON)
@pytest.mark.parametrize("kind", KEYED)
def test_a_transparent_colour_becomes_alpha_in_python(kind: str, entrance: Callable[..., bytes]) -> None:
    data, mode = KEYED[kind]
    with Image.open(io.BytesIO(data)) as image:
        decoded = nncodec.decode(entrance(image))
    assert decoded.mode == mode
    assert (np.asarray(decoded.getchannel("A")) == [255] * 4 + [0] * 4).all()


@pytest.mark.parametrize("kind", KEYED)
def test_a_transparent_colour_becomes_alpha_on_the_command_line(kind: str, tmp_path: Path) -> None:
    data, mode = KEYED[kind]
    (tmp_path / "in.png").write_bytes(data)
    decoded = nncodec.decode(by_command(tmp_path / "in.png")[0])
    assert decoded.mode == mode
    assert (np.asarray(decoded.getchannel("A")) == [255] * 4 + [0] * 4).all()


@pytest.mark.filterwarnings("ignore:16 bits a sample")
@pytest.mark.parametrize("kind", KEYED)
def test_a_transparent_colour_is_enhanced_as_alpha(kind: str) -> None:
    data, mode = KEYED[kind]
    with Image.open(io.BytesIO(data)) as image:
        enhanced = nncodec.enhance(image, scale=1)
    assert enhanced.mode == mode
    assert (np.asarray(enhanced.getchannel("A")) == [255] * 4 + [0] * 4).all()


def test_sixteen_bit_grey_keeps_its_transparent_colour(tmp_path: Path) -> None:
    data = png(8, 16, 0, struct.pack(">8H", *[40_000] * 4, *[1000] * 4), struct.pack(">H", 1000))
    (tmp_path / "in.png").write_bytes(data)
    stored, said = by_command(tmp_path / "in.png")
    decoded = nncodec.decode(stored)
    assert decoded.mode == "LA"
    assert (np.asarray(decoded.getchannel("A")) == [255] * 4 + [0] * 4).all()
    assert "stored as LA, 16 bits a sample reduced to 8" in said
    with Image.open(io.BytesIO(data)) as image:
        assert nncodec.enhance(image, scale=1).mode == "LA"
        with pytest.raises(OSError, match="cannot write mode I;16"):
            saved(image)


def test_a_transparent_colour_of_black_and_white_becomes_alpha_in_an_exact_picture() -> None:
    data = png(8, 1, 0, b"\xf0", struct.pack(">H", 0))
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "1"
        for store in (encoded, saved):
            for options in ({"lossless": True}, {"max_error": 1}):
                decoded = nncodec.decode(store(image, **options))
                assert decoded.mode == "LA"
                assert (np.asarray(decoded.getchannel("A")) == [255] * 4 + [0] * 4).all()


def test_a_transparent_colour_of_sixteen_bits_is_told_where_samples_stay_exact() -> None:
    data = png(8, 16, 0, struct.pack(">8H", *[40_000] * 4, *[1000] * 4), struct.pack(">H", 1000))
    with Image.open(io.BytesIO(data)) as image:
        for store in (encoded, encoded_in_a_batch, saved):
            with pytest.warns(nncodec.NncWarning, match="a transparent colour of mode I;16 is not kept") as told:
                assert nncodec.decode(store(image, lossless=True)).mode == "I;16"
            assert len(told) == 1


def palette_with_alpha() -> Image.Image:
    image = Image.new("P", (8, 8))
    image.putpalette([255, 0, 0, 255, 0, 255, 0, 0], "RGBA")
    image.paste(1, (4, 0, 8, 8))
    return image


def test_a_palette_with_alpha_is_converted_with_it_or_refused() -> None:
    image = palette_with_alpha()
    enhanced = nncodec.enhance(image, scale=1)
    assert enhanced.mode == "RGBA"
    assert (np.asarray(enhanced.getchannel("A")) == [255] * 4 + [0] * 4).all()
    for entrance in (encoded, encoded_in_a_batch):
        with pytest.raises(nncodec.UnsupportedImage, match="cannot write mode P as NNC; convert to RGBA, it has"):
            entrance(image)
    for entrance in (saved, saved_in_a_stack):
        with pytest.raises(OSError, match="convert to RGBA, it has transparency"):
            entrance(image)


def test_a_file_with_a_palette_with_alpha_keeps_it(tmp_path: Path) -> None:
    # A DDS file of 8 bits a pixel has a palette of RGBA.
    size, wanted = 8, palette_with_alpha()
    flags, pixel_format = 0x1 | 0x2 | 0x4 | 0x1000, struct.pack("<8I", 32, 0x20, 0, 8, 0, 0, 0, 0)
    head = b"DDS " + struct.pack("<7I", 124, flags, size, size, size, 0, 0) + bytes(44) + pixel_format
    entries = bytes((255, 0, 0, 255, 0, 255, 0, 0)) + bytes(254 * 4)
    data = head + struct.pack("<5I", 0x1000, 0, 0, 0, 0) + entries + wanted.tobytes()
    (tmp_path / "in.dds").write_bytes(data)
    with Image.open(tmp_path / "in.dds") as image:
        assert (image.mode, "transparency" in image.info) == ("P", False)
    stored, said = by_command(tmp_path / "in.dds")
    decoded = nncodec.decode(stored)
    assert decoded.mode == "RGBA"
    assert (np.asarray(decoded.getchannel("A")) == [255] * 4 + [0] * 4).all()
    assert "mode P with transparency is stored as RGBA" in said


def test_a_transparency_that_is_no_colour_is_refused() -> None:
    for mode, key in (("L", b"\0"), ("L", (1, 2, 3)), ("RGB", 5), ("RGB", (1, 2, -3)), ("L", 1 << 16)):
        image = Image.new(mode, (8, 8))
        image.info["transparency"] = key
        for entrance in (encoded, encoded_in_a_batch):
            with pytest.raises(nncodec.UnsupportedImage, match="not a colour of mode"):
                entrance(image)
        with pytest.raises(OSError, match="not a colour of mode"):
            saved(image)
        with pytest.raises(nncodec.UnsupportedImage, match="not a colour of mode"):
            nncodec.enhance(image, scale=1)


def test_a_transparent_colour_that_cannot_be_kept_is_told() -> None:
    image = Image.new("CMYK", (8, 8))
    image.info["transparency"] = (0, 0, 0, 0)
    with pytest.warns(nncodec.NncWarning, match="a transparent colour of mode CMYK is not kept"):
        assert nncodec.enhance(image, scale=1).mode == "RGB"


def test_a_transparency_of_none_is_opaque() -> None:
    image = Image.new("L", (8, 8))
    image.info["transparency"] = None
    assert nncodec.decode(encoded(image)).mode == "L"


# ---- colours under alpha 0


def disc(edge: int, radius: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:edge, :edge] - (edge - 1) / 2
    return rows**2 + columns**2 < radius**2


def with_hidden(
    seen: NDArray[np.uint8], hidden: NDArray[np.uint8] | tuple[int, ...], shape: NDArray[np.bool_]
) -> Image.Image:
    """Return a picture that shows `seen` where `shape` is set, and hides `hidden` elsewhere."""
    colour = np.where(shape[..., None], seen, np.array(hidden, np.uint8))
    return Image.fromarray(np.dstack([colour, np.where(shape, 255, 0)]).astype(np.uint8))


def levels_off(data: bytes, expected: NDArray[Any], shape: NDArray[np.bool_]) -> int:
    decoded = np.asarray(nncodec.decode(data), int)[..., :3]
    return int(np.abs(decoded - expected)[shape].max())


def psnr_db(data: bytes, expected: NDArray[Any], shape: NDArray[np.bool_]) -> float:
    error = float(np.mean((np.asarray(nncodec.decode(data), float)[..., :3] - expected)[shape] ** 2))
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


@pytest.mark.parametrize("entrance", IN_PYTHON)
def test_hidden_colours_cost_nothing_in_python(entrance: Callable[..., bytes]) -> None:
    photo, shape = skimage.data.astronaut()[40:168, 160:288], disc(128, 50)
    hidden_photo, hidden_black = with_hidden(photo, photo, shape), with_hidden(photo, (0, 0, 0), shape)
    data, exact = entrance(hidden_photo), entrance(hidden_photo, exact=True)
    assert len(data) == len(entrance(hidden_black))
    assert len(data) < 0.85 * len(entrance(hidden_black, exact=True))
    assert len(data) < 0.7 * len(exact)
    assert psnr_db(data, photo, shape) > psnr_db(exact, photo, shape) - 0.3
    assert psnr_db(exact, photo, ~shape) > 25 > psnr_db(data, photo, ~shape)  # only `exact` keeps what is hidden


def test_hidden_colours_cost_nothing_on_the_command_line(tmp_path: Path) -> None:
    photo, shape = skimage.data.astronaut()[40:168, 160:288], disc(128, 50)
    path = tmp_path / "in.png"
    with_hidden(photo, photo, shape).save(path)
    data, exact = by_command(path)[0], by_command(path, "--exact")[0]
    assert len(data) < 0.7 * len(exact)
    assert psnr_db(exact, photo, ~shape) > 25 > psnr_db(data, photo, ~shape)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_hidden_noise_costs_nothing_in_files_that_turn_out_exact(mode: str) -> None:
    shape, noise = disc(40, 15), np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    flat, photo = np.full((40, 40, 3), (10, 200, 30), np.uint8), skimage.data.astronaut()[112:152, 212:252]
    for seen, options in ((flat, {"quality": 50}), (flat, {"target_psnr": 60}), (photo, {"quality": 100})):
        hidden, black = (with_hidden(seen, under, shape).convert(mode) for under in (noise, (0, 0, 0)))
        for store in (encoded, saved_in_a_stack):
            assert len(store(hidden, **options)) == len(store(black, **options))
        restored = np.asarray(nncodec.decode(encoded(hidden, **options)), int)
        assert np.abs(restored - np.asarray(hidden, int))[shape].max() <= 2
    kept = nncodec.decode(encoded(hidden, quality=100, exact=True))
    assert np.abs(np.asarray(kept, int) - np.asarray(hidden, int)).max() <= 2
    assert nncodec.decode(encoded(hidden, lossless=True)).tobytes() == hidden.tobytes()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_picture_that_shows_nothing_is_flat(mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, len(mode)), np.uint8)
    noise[..., -1] = 0
    image = Image.fromarray(noise)
    assert len(encoded(image)) < 300 < 3000 < len(encoded(image, exact=True))
    seen = noise.copy()
    seen[..., -1] = 255
    first = Image.fromarray(seen)
    stack = nncodec.encode([first, image])
    assert len(stack) < len(nncodec.encode([first, first]))
    assert np.asarray(nncodec.decode(stack, frame=1))[..., 0].std() < 3
    assert (np.asarray(nncodec.decode(stack, frame=1).getchannel("A")) == 0).all()


@pytest.mark.parametrize("entrance", IN_PYTHON)
@pytest.mark.parametrize("colour", [(10, 200, 30), (250, 250, 250), (0, 0, 0), (200, 120, 40)])
def test_hidden_magenta_does_not_bleed(colour: tuple[int, ...], entrance: Callable[..., bytes]) -> None:
    shape = disc(112, 40)
    seen = np.broadcast_to(np.array(colour, np.uint8), (112, 112, 3))
    own = np.asarray(nncodec.decode(entrance(with_hidden(seen, colour, shape), exact=True)), int)[..., :3]
    assert levels_off(entrance(with_hidden(seen, (255, 0, 255), shape)), own, shape) <= 3


@pytest.mark.parametrize("size", [(1100, 112), (112, 1100)])
def test_hidden_colours_do_not_bleed_across_tiles_and_blocks(size: tuple[int, int]) -> None:
    shape = np.zeros(size, bool)
    shape[40:-40, 40:-40] = True
    seen = np.full((*size, 3), (10, 200, 30), np.uint8)
    own = np.asarray(nncodec.decode(encoded(with_hidden(seen, (10, 200, 30), shape), exact=True)), int)[..., :3]
    assert levels_off(encoded(with_hidden(seen, (255, 0, 255), shape)), own, shape) <= 3


def test_a_search_for_a_psnr_does_not_count_what_is_hidden() -> None:
    photo, shape = skimage.data.astronaut()[40:168, 160:288], disc(128, 30)
    data = nncodec.encode(with_hidden(photo, photo, shape), target_psnr=34)
    assert psnr_db(data, photo, shape) >= 34


def white_square(margin: int = 24) -> Image.Image:
    planes = np.zeros((48 + 2 * margin, 48 + 2 * margin, 4), np.uint8)
    planes[margin:-margin, margin:-margin] = 255
    return Image.fromarray(planes)


@pytest.mark.parametrize("entrance", IN_PYTHON)
@pytest.mark.parametrize("factor", [2, 3, 5])
def test_edges_keep_their_colour_in_a_reduced_picture(factor: int, entrance: Callable[..., bytes]) -> None:
    decoded = np.asarray(nncodec.decode(entrance(white_square(), downscale=factor, quality=90)))
    assert decoded[decoded[..., 3] > 0].min() >= 252
    # Far enough that resampling does not mix the corners with the square.
    kept = np.asarray(nncodec.decode(entrance(white_square(64), downscale=factor, quality=95, exact=True)))
    assert kept[kept[..., 3] > 0].min() >= 246
    assert kept[0, 0].max() <= 8
    plain = nncodec.decode(entrance(white_square().convert("RGB"), downscale=factor, quality=90))
    assert plain.mode == "RGB"


def test_edges_keep_their_colour_in_a_picture_reduced_by_the_command_line(tmp_path: Path) -> None:
    white_square().save(tmp_path / "in.png")
    decoded = np.asarray(nncodec.decode(by_command(tmp_path / "in.png", "--downscale", "2", "-q", "90")[0]))
    assert decoded[decoded[..., 3] > 0].min() >= 252


@pytest.mark.parametrize("window_edge", [enhancing.WINDOW_EDGE, 160])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_edges_keep_their_colour_in_an_enhanced_picture(
    mode: str, window_edge: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enhancing, "WINDOW_EDGE", window_edge)
    enhanced = np.asarray(nncodec.enhance(white_square(8).convert(mode), scale=4))
    assert enhanced[enhanced[..., -1] > 128][:, :-1].min() >= 254


def test_edges_keep_their_colour_in_a_picture_enhanced_by_the_command_line(tmp_path: Path) -> None:
    white_square().save(tmp_path / "in.png")
    result = CliRunner().invoke(
        main, ["enhance", str(tmp_path / "in.png"), "--scale", "4", "-o", str(tmp_path / "o.png")]
    )
    assert result.exit_code == 0, result.stderr
    with Image.open(tmp_path / "o.png") as image:
        enhanced = np.asarray(image)
    assert enhanced[enhanced[..., 3] > 128][:, :3].min() >= 254


def test_exact_is_a_truth_value() -> None:
    with pytest.raises(nncodec.InvalidOption, match="'exact': 1 is not True or False"):
        nncodec.encode(Image.new("LA", (8, 8)), exact=1)  # type: ignore[typeddict-item]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_exact_changes_nothing_of_an_opaque_picture(mode: str) -> None:
    photo = Image.fromarray(skimage.data.astronaut()[:64, :64]).convert(mode)
    assert encoded(photo) == encoded(photo, exact=True)
    opaque = photo.convert(f"{mode}A" if mode == "L" else "RGBA")
    assert encoded(opaque) == encoded(opaque, exact=True)


# ---- pictures of a few pixels


@pytest.mark.parametrize("kind", ["noise", "photograph", "gradient"])
def test_a_picture_of_a_few_pixels_is_best_at_the_best_quality_and_no_larger_than_its_samples(kind: str) -> None:
    pixels = {
        "noise": np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8),
        "photograph": skimage.data.astronaut()[100:106, 200:206],
        "gradient": (20 * np.indices((6, 6, 3))[:2].sum(0)).astype(np.uint8),
    }[kind]
    files = [encoded(Image.fromarray(pixels), quality=quality) for quality in (0, 25, 50, 75, 100)]
    assert max(map(len, files)) <= pixels.size
    reached = [psnr_db(data, pixels, np.ones((6, 6), bool)) for data in files]
    assert reached == sorted(reached)
    assert reached[-1] > 12
    assert nncodec.encode_batch([Image.fromarray(pixels)], quality=100) == files[-1:]


def alphas(image: Image.Image) -> dict[str, Image.Image]:
    width, height = image.size
    mask = Image.new("L", image.size)
    mask.paste(255, (width // 4, height // 4, width // 2, height // 2))
    noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    return {
        "opaque": Image.new("L", image.size, 255),
        "clear": Image.new("L", image.size, 0),
        "gradient": Image.linear_gradient("L").resize(image.size),
        "mask": mask.resize(image.size, Image.Resampling.BICUBIC),
        "noise": Image.fromarray(noise),
        "itself": image.convert("L"),
    }


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_alpha_costs_no_more_than_by_itself(mode: str) -> None:
    colours = Image.fromarray(skimage.data.astronaut()).crop((160, 30, 300, 130)).convert(mode)
    alone = len(nncodec.encode(colours, lossless=True))
    for name, alpha in alphas(colours).items():
        picture = colours.copy()
        picture.putalpha(alpha)
        data = nncodec.encode(picture, lossless=True)
        assert len(data) <= alone + len(nncodec.encode(alpha, lossless=True)) + 16, name
        np.testing.assert_array_equal(np.asarray(nncodec.decode(data)), np.asarray(picture))
        part = nncodec.decode(data, box=(20, 30, 60, 50))
        np.testing.assert_array_equal(np.asarray(part), np.asarray(picture.crop((20, 30, 60, 50))))
        assert nncodec.inspect(data).mode == picture.mode


def test_a_sprite_whose_alpha_follows_from_its_colours_takes_few_bytes() -> None:
    colours = np.array([[0, 0, 0, 0], [200, 0, 0, 255], [0, 90, 0, 128], [9, 9, 200, 60]], np.uint8)
    numbers = np.random.default_rng(1).integers(0, 4, (48, 48)).repeat(2, 0).repeat(2, 1)
    sprite = Image.fromarray(colours[numbers])
    joined = len(nncodec.encode(sprite, lossless=True))
    apart = [len(nncodec.encode(part, lossless=True)) for part in (sprite.convert("RGB"), sprite.getchannel("A"))]
    assert joined < 0.7 * sum(apart)
    turned = sprite.rotate(90)
    assert nncodec.decode(nncodec.encode([sprite, turned], lossless=True), frame=1).tobytes() == turned.tobytes()
