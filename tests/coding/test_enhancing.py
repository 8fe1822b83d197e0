"""Pictures through an enhancer: every mode and size, in tiles that nobody can see, or refused in a line."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageCms
from toys import Negative

import nncodec
from nncodec.coding import enhancing
from nncodec.coding.enhancing import Enhancement, default_enhancer
from nncodec.format.header import MAGIC
from nncodec.limits import Limits
from nncodec.picture.area import Area, Span
from nncodec.picture.hidden import fill_hidden
from nncodec.plugin import discovery, registry
from nncodec.plugin.enhancer import EnhancerTraits
from nncodec.plugin.guard import PluginGuard

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

pytestmark = pytest.mark.usefixtures("enhancers")


def photo(width: int = 90, height: int = 61, mode: str = "RGB") -> Image.Image:
    image = Image.fromarray(skimage.data.chelsea()).crop((90, 60, 90 + width, 60 + height))
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(skimage.data.camera()).resize(image.size))
    return image.convert(mode)


def sharpened(image: Image.Image, factor: int, strength: float = 0) -> np.ndarray:
    """Return what the enhancer itself makes of the whole of a picture, as an array."""
    model = registry.open_enhancer({1: "restore", 2: "x2", 4: "x4"}[factor])
    return model.enhance(np.asarray(image.convert("RGB"))[None], strength)[0]


# --- pictures of every kind ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_colour_is_what_the_enhancer_makes_of_the_whole(factor: int, strength: float) -> None:
    found = nncodec.enhance(photo(), scale=factor, strength=strength)
    assert np.array_equal(np.asarray(found), sharpened(photo(), factor, strength))


def test_the_picture_itself_is_left_alone() -> None:
    image = photo(mode="RGBA")
    before = image.tobytes(), dict(image.info)
    nncodec.enhance(image, "restore", strength=1)
    assert (image.tobytes(), dict(image.info)) == before


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_stays_grey_and_goes_in_as_three_equal_planes(mode: str) -> None:
    found = nncodec.enhance(photo(mode=mode), "x2", strength=1)
    assert (found.mode, found.size) == (mode, (180, 122))
    planes = sharpened(photo(mode=mode).convert("L"), 2, 1)
    assert np.array_equal(np.asarray(found.getchannel("L")), planes[..., 0])


def test_files_arrays_and_tensors_are_taken_as_encode_takes_them(tmp_path: Path) -> None:
    image = photo()
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    image.save(tmp_path / "a.png", exif=exif)
    expected = nncodec.enhance(image, scale=1).tobytes()
    pixels = np.asarray(image)
    data = (tmp_path / "a.png").read_bytes()
    tensor = torch.tensor(pixels).permute(2, 0, 1)
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), data, io.BytesIO(data), pixels, tensor):
        assert nncodec.enhance(source, scale=1).tobytes() == expected
    assert nncodec.enhance(data, scale=1).getexif()[0x0110] == "A camera"
    with pytest.raises(FileNotFoundError):
        nncodec.enhance(tmp_path / "none.png")


def test_an_nnc_file_is_told_to_be_decoded_first(tmp_path: Path) -> None:
    data = MAGIC + bytes(20)
    (tmp_path / "in.nnc").write_bytes(data)
    for source in (data, tmp_path / "in.nnc", io.BytesIO(data)):
        with pytest.raises(nncodec.UnsupportedImage, match=r"it is an \.nnc file; decode it first: nncodec\.enhance\("):
            nncodec.enhance(source)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_kept_and_enlarged_by_lanczos(mode: str) -> None:
    alpha = photo(mode=mode).getchannel("A")
    assert nncodec.enhance(photo(mode=mode), "restore").getchannel("A").tobytes() == alpha.tobytes()
    larger = nncodec.enhance(photo(mode=mode), "x4").getchannel("A")
    assert larger.tobytes() == alpha.resize((360, 244), Image.Resampling.LANCZOS).tobytes()


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [("1", "L"), ("P", "RGB"), ("PA", "RGBA"), ("La", "LA"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB")],
)
def test_other_modes_are_converted_first(mode: str, becomes: str) -> None:
    steps = {"PA": ("RGBA", "P", "PA"), "La": ("LA", "La"), "P": ("RGB", "P")}.get(mode, (mode,))
    image = photo(mode="RGBA" if mode in ("PA", "La") else "RGB")
    for step in steps:
        image = image.convert(step)
    found = nncodec.enhance(image, "x2")
    assert (found.mode, found.size) == (becomes, (180, 122))
    plain = image.convert(becomes)
    if becomes.endswith("A"):
        plain = fill_hidden(plain, np.asarray(plain.getchannel("A")))
    expected = sharpened(plain, 2)
    assert np.array_equal(np.asarray(found.convert(becomes.removesuffix("A")).convert("RGB")), expected)


def test_a_palette_with_a_transparent_colour_gets_alpha() -> None:
    image = photo().quantize(8)
    image.info["transparency"] = 3
    found = nncodec.enhance(image, "restore")
    assert found.mode == "RGBA"
    assert (np.asarray(found.getchannel("A")) == 0).any()
    assert "transparency" not in found.info


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_become_eight(mode: str) -> None:
    grey = np.asarray(photo(mode="L"))
    image = Image.fromarray(grey.astype(np.uint16) * 257)
    found = nncodec.enhance(image if mode == "I;16" else image.convert("I"), "restore")
    assert np.array_equal(np.asarray(found), sharpened(photo(mode="L"), 1)[..., 0])


@pytest.mark.parametrize(("sample", "reason"), [(70_000, "exceed 16 bits"), (-1, "add 32,768"), (-70_000, "exceed 16")])
def test_samples_beyond_sixteen_bits_are_refused(sample: int, reason: str) -> None:
    with pytest.raises(nncodec.UnsupportedImage, match=reason):
        nncodec.enhance(Image.fromarray(np.full((4, 4), sample, np.int32)))


def test_floating_point_is_refused() -> None:
    with pytest.raises(nncodec.UnsupportedImage, match="mode F has no fixed range"):
        nncodec.enhance(Image.new("F", (4, 4)))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1)])
@pytest.mark.parametrize("factor", [1, 4])
def test_pictures_of_a_few_pixels(size: tuple[int, int], factor: int) -> None:
    found = nncodec.enhance(Image.new("RGB", size, (9, 90, 200)), scale=factor)
    assert found.size == (factor * size[0], factor * size[1])
    assert found.getcolors() == [(found.width * found.height, (9, 90, 200))]


def test_info_is_kept_but_for_a_profile_of_other_colours() -> None:
    image = photo()
    image.info = {"exif": b"Exif\0\0II*\0", "icc_profile": ICC, "xmp": b"<x/>", "model": "a/b"}
    assert nncodec.enhance(image, "x2").info == image.info
    printed = photo(mode="CMYK")
    printed.info = {"exif": b"II*\0", "icc_profile": ICC}
    assert nncodec.enhance(printed, "x2").info == {"exif": b"Exif\0\0II*\0"}


# --- tiles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "RGBA"])
@pytest.mark.parametrize(("name", "edge"), [("restore", 16), ("x2", 40), ("x4", 100)])
def test_tiles_are_the_whole(monkeypatch: pytest.MonkeyPatch, mode: str, name: str, edge: int) -> None:
    whole = nncodec.enhance(photo(mode=mode), name, strength=1)
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(enhancing, "WINDOW_EDGE", edge)
    tiled = nncodec.enhance(photo(mode=mode), name, strength=1, on_progress=lambda *step: seen.append(step))
    assert tiled.tobytes() == whole.tobytes()
    assert len(seen) > 6
    assert seen == [(number, len(seen)) for number in range(1, len(seen) + 1)]


@pytest.fixture
def coordinates() -> Enhancement:
    return Enhancement(
        registry.catalog().find("x2"),
        Negative(factor=2, multiple=8, halo=16),
        PluginGuard("tiny"),
        0,
        enhancing.WINDOW_EDGE,
    )


def _whole(image: Image.Image) -> Area:
    return Area(Span(0, image.height), Span(0, image.width))


def test_windows_end_where_the_picture_does_and_are_filled_up_by_its_edge(
    coordinates: Enhancement,
) -> None:
    y, x = np.mgrid[:61, :90]
    image = Image.fromarray(np.stack([x, y, x + y], axis=2).astype(np.uint8))
    padded = np.pad(np.asarray(image), ((0, 3), (0, 6), (0, 0)), mode="edge")
    coordinates = replace(coordinates, window_edge=96)  # of the result: 48 pixels, 16 of them a tile
    whole = _whole(image)
    found = coordinates.apply(image, whole, whole.scaled(2), whole)
    assert np.array_equal(np.asarray(found), np.asarray(image).repeat(2, axis=0).repeat(2, axis=1))
    model = coordinates.model
    assert isinstance(model, Negative)
    corners = [(int(window[0, 0, 0, 0]), int(window[0, 0, 0, 1])) for window in model.windows]
    # The first tile has no halo before it and is larger by it, so that all windows are of one size.
    expected = [(left, top) for top in (0, 16, 32) for left in (0, 16, 32, 48, 64)]
    assert corners == expected
    for window, (left, top) in zip(model.windows, corners, strict=True):
        assert np.array_equal(window[0], padded[top : top + 48, left : left + 48])


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (3, 5, 60, 41), (100, 50, 180, 122), (179, 121, 180, 122)])
def test_an_area_is_made_from_what_source_says_and_is_the_crop(
    coordinates: Enhancement, box: tuple[int, int, int, int]
) -> None:
    image = photo()
    whole = _whole(image)
    wanted = Area(Span(box[1], box[3]), Span(box[0], box[2]))
    seen = coordinates.source(wanted, whole)
    part = image.crop((seen.columns.start, seen.rows.start, seen.columns.stop, seen.rows.stop))
    found = coordinates.apply(part, seen, wanted, whole)
    everything = coordinates.apply(image, whole, whole.scaled(2), whole)
    assert found.tobytes() == everything.crop(box).tobytes()
    assert seen.pixels < whole.pixels or box[:2] == (3, 5)


def test_progress_can_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enhancing, "WINDOW_EDGE", 16)
    seen = []

    def stop_at_two(done: int, total: int) -> None:
        seen.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nncodec.enhance(photo(), "restore", on_progress=stop_at_two)
    assert seen == [1, 2]


# --- which enhancer, and how strongly -----------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "alias"), [(1, "restore"), (2, "x2"), (4, "x4"), (3, "x3")])
def test_defaults_are_aliases_that_plugins_declare(scale: int, alias: str) -> None:
    assert default_enhancer(scale) == alias


def test_without_a_name_or_scale_pictures_become_four_times_as_large() -> None:
    assert nncodec.enhance(Image.new("L", (3, 2))).size == (12, 8)


def test_the_scale_has_to_be_that_of_a_named_enhancer() -> None:
    assert nncodec.enhance(Image.new("L", (3, 2)), "sharp/double", scale=2).size == (6, 4)
    with pytest.raises(nncodec.InvalidOption, match="sharp/double makes pictures 2 times as large, not 4") as caught:
        nncodec.enhance(Image.new("L", (3, 2)), "x2", scale=4)
    assert caught.value.option == "scale"


@pytest.mark.parametrize("scale", [0, -1, 1.0, True, "4"])
def test_a_scale_that_is_none_is_refused(scale: Any) -> None:
    with pytest.raises(nncodec.InvalidOption, match="is not a whole number from 1"):
        nncodec.enhance(photo(), scale=scale)


@pytest.mark.parametrize("strength", [-0.01, 1.01, math.nan, math.inf, True, "0.5"])
def test_a_strength_that_is_none_is_refused(strength: Any) -> None:
    with pytest.raises(nncodec.InvalidOption, match="is not a number from 0") as caught:
        nncodec.enhance(photo(), strength=strength)
    assert caught.value.option == "strength"
    assert "\n" not in str(caught.value)


def test_strength_may_be_any_kind_of_number() -> None:
    expected = nncodec.enhance(photo(), "restore", strength=1).tobytes()
    assert nncodec.enhance(photo(), "restore", strength=np.float32(1)).tobytes() == expected
    assert expected != nncodec.enhance(photo(), "restore").tobytes()


def test_an_enhancer_without_strengths_ignores_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = registry.open_enhancer("restore")
    monkeypatch.setattr(model, "traits", EnhancerTraits(1, 1, 1, strengths=False))
    given: list[float] = []
    monkeypatch.setattr(model, "enhance", lambda pixels, strength: given.append(strength) or pixels)
    nncodec.enhance(photo(), "restore", strength=0.7)
    assert given == [0]


# --- refused in a line --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [None, 5, object()])
def test_what_is_not_a_picture_is_named(image: Any) -> None:
    with pytest.raises(nncodec.UnsupportedImage, match=r"expected a Pillow image, the path .*, got"):
        nncodec.enhance(image)


def test_several_pictures_are_refused() -> None:
    with pytest.raises(nncodec.UnsupportedImage, match="expected one picture, got 2; they are enhanced one by one"):
        nncodec.enhance([photo(), photo()])  # type: ignore[arg-type]


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(nncodec.UnsupportedImage, match="0 x 5 pixels"):
        nncodec.enhance(Image.new("RGB", (0, 5)))


def test_a_result_of_too_many_pixels_is_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    image = photo(10, 10)
    nncodec.enhance(image, "x4", limits=Limits(pixels=1600))
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(nncodec.UnsupportedImage) as caught:
        nncodec.enhance(image, "x4", limits=Limits(pixels=1599))
    assert str(caught.value) == (
        "sharp/four would make 40 x 40 pixels of it, over the limit of 1,599; enhance parts of it, or raise the limit"
    )
    huge = Image.new("L", (1, 1))
    monkeypatch.setattr(Image.Image, "size", (20_000, 20_000))
    with pytest.raises(nncodec.UnsupportedImage, match="20000 x 20000 pixels"):
        nncodec.enhance(huge, "restore")


def test_a_result_longer_than_what_is_resampled_is_refused() -> None:
    with pytest.raises(nncodec.UnsupportedImage, match="longer than 100 pixels"):
        nncodec.enhance(photo(26, 2), "x4", limits=Limits(resampled_edge=100))
    nncodec.enhance(photo(26, 2), "restore", limits=Limits(resampled_edge=10))


def test_a_codec_enhances_nothing() -> None:
    with pytest.raises(nncodec.ModelError) as caught:
        nncodec.enhance(photo(), "conv/photo")
    expected = "conv/photo is a codec, not an enhancer; choose an enhancer such as restore"
    assert str(caught.value) == expected


def test_an_enhancer_codes_nothing() -> None:
    with pytest.raises(nncodec.ModelError) as caught:
        nncodec.encode(photo(), "x4")
    assert str(caught.value) == "sharp/four is an enhancer, not a codec; choose a codec such as photo"


def test_an_unknown_enhancer_is_refused_with_those_there_are(enhancers: Callable[[], None]) -> None:
    with pytest.raises(nncodec.UnknownModel) as caught:
        nncodec.enhance(photo(), scale=3)
    expected = "no installed enhancer is 'x3'; installed: sharp/double, sharp/four, sharp/keep"
    assert str(caught.value) == f"{expected}; get its model file and install it with 'nncodec models add FILE'"
    enhancers()
    with pytest.raises(nncodec.UnknownModel, match="no installed enhancer is 'x4'; installed: none"):
        nncodec.enhance(photo())


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(nncodec.InvalidOption, match="expected the name of an enhancer, got int"):
        nncodec.enhance(photo(), 4)  # type: ignore[arg-type]


# --- faulty plugins -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "result",
    [None, np.zeros((1, 61, 90, 3)), np.zeros((1, 61, 90), np.uint8), np.zeros((1, 60, 90, 3), np.uint8)],
)
def test_a_result_of_another_kind_is_the_plugins_fault(monkeypatch: pytest.MonkeyPatch, result: object) -> None:
    monkeypatch.setattr(registry.open_enhancer("restore"), "enhance", lambda *_: result)
    with pytest.raises(nncodec.PluginError, match=r"'enhancer_plugin' .* failed with the model 'sharp/keep': "):
        nncodec.enhance(photo(), "restore")


def test_what_an_enhancer_raises_is_the_plugins_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.open_enhancer("restore"), "enhance", lambda *_: 1 / 0)
    with pytest.raises(nncodec.PluginError, match="ZeroDivisionError"):
        nncodec.enhance(photo(), "restore")


def test_a_model_file_that_does_not_fit_is_refused(
    write_sharpener: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(models))
    write_sharpener(models / "bad.safetensors", "mine/bad", 9)
    registry.refresh()
    with pytest.raises(nncodec.BadModelFile, match="factor from 1 to 8"):
        nncodec.enhance(photo(), "mine/bad")
