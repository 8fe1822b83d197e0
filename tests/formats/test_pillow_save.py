"""Saving: options, metadata, frames, and errors that write nothing."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, GifImagePlugin, Image, ImageCms, ImageOps, ImageSequence

import nncodec
import nncodec_pillow
from nncodec import InvalidOption, Limits, UnknownModel, UnsupportedImage

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><title>Cat</title></x:xmpmeta>'
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Ada"
    return exif


def _reopened(image: Image.Image, **options: object) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "NNC", **options)
    return Image.open(out)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_every_mode_comes_back_with_alpha_exact(photo: Image.Image, mode: str) -> None:
    image = photo.convert(mode)
    if mode.endswith("A"):
        image.putalpha(photo.convert("L"))
    with _reopened(image) as again:
        assert (again.mode, again.size) == (mode, photo.size)
        again.load()
        if mode.endswith("A"):
            assert again.getchannel("A").tobytes() == photo.convert("L").tobytes()


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "I;16", "F", "YCbCr"])
def test_other_modes_are_refused(photo: Image.Image, mode: str) -> None:
    with pytest.raises(OSError, match=f"cannot write mode {mode} as NNC") as caught:
        Image.new(mode, (28, 28)).save(io.BytesIO(), "NNC")
    assert isinstance(caught.value.__cause__, UnsupportedImage)


def test_options_reach_the_encoder(photo: Image.Image, greys: list[Image.Image]) -> None:
    def info(image: Image.Image, **options: object) -> nncodec.FileInfo:
        out = io.BytesIO()
        image.save(out, "NNC", **options)
        return nncodec.inspect(out.getvalue())

    assert info(photo, quality=3).quality == 3
    assert info(greys[0], model="dense/fashion", coder="stored").coder == "stored"
    assert info(photo, downscale=2).coded_size == (24, 16)
    assert info(photo, preview=16).chunks["preview"] > 0
    assert info(photo, record_settings=True, effort=0).settings["effort"] == 0
    stack = info(greys[0], append_images=greys[1:4], model="dense/fashion", frames_per_block=2)
    assert (stack.frames, stack.blocks) == (4, (2, 1, 1))


def test_defaults_can_be_set_and_a_call_overrides_them(photo: Image.Image) -> None:
    nncodec_pillow.register_nnc_opener(quality=20)
    nncodec_pillow.register_nnc_opener(preview=16)
    with _reopened(photo) as image, _reopened(photo, quality=30) as other:
        assert (image.info["quality"], other.info["quality"]) == (20, 30)
        assert image.draft(None, (8, 8)) is not None
    nncodec_pillow.register_nnc_opener(quality=None)
    with _reopened(photo) as image:
        assert image.info["quality"] == 50


def test_a_name_that_ends_in_nnc_chooses_the_format(photo: Image.Image, tmp_path: Path) -> None:
    photo.save(tmp_path / "x.nnc", quality=10)
    with Image.open(tmp_path / "x.nnc") as image:
        assert image.format == "NNC"


# --- metadata -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["JPEG", "WEBP", "PNG"])
def test_metadata_is_inherited_from_the_picture(photo: Image.Image, source: str) -> None:
    out = io.BytesIO()
    photo.save(out, source, exif=_exif(), icc_profile=ICC, **({} if source == "PNG" else {"xmp": XMP}))
    with Image.open(out) as origin, _reopened(origin) as image:
        assert dict(image.getexif()) == {ExifTags.Base.Orientation: 6, ExifTags.Base.Artist: "Ada"}
        assert image.info["icc_profile"] == ICC
        assert image.info.get("xmp") == (None if source == "PNG" else XMP)
        assert image.size == photo.size
        assert ImageOps.exif_transpose(image).size == photo.size[::-1]


@pytest.mark.parametrize("exif", [_exif(), _exif().tobytes(), _exif().tobytes().removeprefix(b"Exif\0\0")])
def test_exif_is_taken_as_bytes_or_as_an_object(photo: Image.Image, exif: Image.Exif | bytes) -> None:
    with _reopened(photo, exif=exif) as image:
        assert image.getexif()[ExifTags.Base.Artist] == "Ada"


def test_metadata_of_the_call_wins_and_nothing_strips(photo: Image.Image) -> None:
    image = photo.copy()
    image.info = {"exif": _exif().tobytes(), "icc_profile": ICC, "xmp": XMP}
    with _reopened(image, exif=b"", icc_profile=None, xmp=b"") as bare:
        assert bare.info.keys() == {"model", "quality"}
    with _reopened(image, xmp="<x/>") as other:
        assert other.info["xmp"] == b"<x/>"
        assert other.info["icc_profile"] == ICC


def test_getxmp_reads_what_was_saved(photo: Image.Image) -> None:
    pytest.importorskip("defusedxml")
    with _reopened(photo, xmp=XMP) as image:
        assert image.getxmp() == {"xmpmeta": {"title": "Cat"}}


# --- options that are not ours ------------------------------------------------------------------------------------


def test_an_unknown_option_is_named_in_a_warning_where_save_was_called(photo: Image.Image) -> None:
    with pytest.warns(UserWarning, match="no save option 'method'") as caught:
        photo.save(io.BytesIO(), "NNC", method=6)
    assert [Path(one.filename) for one in caught] == [Path(__file__)]


def test_passing_on_the_info_of_another_format_warns_of_nothing(photo: Image.Image) -> None:
    out = io.BytesIO()
    photo.save(out, "JPEG", dpi=(300, 300), comment="cat", icc_profile=ICC)
    with Image.open(out) as jpeg, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "its comment is not kept", nncodec.NncWarning)  # a loss, not an option
        with _reopened(jpeg, **jpeg.info) as image:
            assert image.info["icc_profile"] == ICC
        with pytest.raises(UserWarning, match="'comment'"):
            _reopened(jpeg, comment="another")


def test_passing_on_the_info_of_our_own_file_repeats_its_model_and_quality(
    photo: Image.Image, greys: list[Image.Image]
) -> None:
    with _reopened(photo, quality=33) as image, _reopened(image, **image.info) as again:
        assert again.info == image.info
    with _reopened(greys[0], model="dense/fashion") as image, _reopened(image, **image.info) as again:
        assert again.info == image.info


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 101},
        {"quality": "keep"},
        {"effort": -1},
        {"coder": "gzip"},
        {"preview": 1000},
        {"preview": "large"},
        {"downscale": 0},
        {"model": 3},
        {"exif": 5},
        {"append": True},
    ],
    ids=str,
)
def test_a_bad_value_is_refused_and_nothing_is_written(
    photo: Image.Image, tmp_path: Path, options: dict[str, object]
) -> None:
    (name,) = options
    with pytest.raises(InvalidOption, match=f"'{name}'"):
        photo.save(out := io.BytesIO(), "NNC", **options)
    assert out.getvalue() == b""
    with pytest.raises((InvalidOption, FileNotFoundError)):  # Pillow itself wants a file for append=True
        photo.save(tmp_path / "x.nnc", **options)
    assert not (tmp_path / "x.nnc").exists()


@pytest.mark.parametrize("model", ["no/model", "", "00", "deadbeef"])
def test_an_unknown_model_is_an_oserror(photo: Image.Image, model: str) -> None:
    with pytest.raises(OSError, match="no installed model") as caught:
        photo.save(io.BytesIO(), "NNC", model=model)
    assert isinstance(caught.value.__cause__, UnknownModel)


def test_a_picture_that_does_not_suit_the_model_is_an_oserror(photo: Image.Image) -> None:
    with pytest.raises(OSError, match="28 x 28"):
        photo.save(io.BytesIO(), "NNC", model="dense/fashion")


# --- several frames -----------------------------------------------------------------------------------------------


def _nearest(image: Image.Image, others: list[Image.Image]) -> int:
    return int(np.argmin([np.abs(np.asarray(image, float) - np.asarray(other, float)).mean() for other in others]))


def test_save_all_takes_every_frame_of_every_picture(stack: bytes, greys: list[Image.Image]) -> None:
    with Image.open(io.BytesIO(stack)) as image:
        image.seek(3)
        with _reopened(image, save_all=True, append_images=iter([greys[0], image]), model="dense/fashion") as again:
            assert again.n_frames == 11
            assert [_nearest(frame, greys) for frame in ImageSequence.Iterator(again)] == [
                0,
                1,
                2,
                3,
                4,
                0,
                0,
                1,
                2,
                3,
                4,
            ]
        assert image.tell() == 3


def test_without_save_all_only_the_chosen_frame_is_saved(stack: bytes, greys: list[Image.Image]) -> None:
    with Image.open(io.BytesIO(stack)) as image:
        image.seek(2)
        with _reopened(image, model="dense/fashion") as again, _reopened(image.copy(), model="dense/fashion") as copied:
            assert again.n_frames == 1
            assert again.tobytes() == copied.tobytes()
        with _reopened(image, save_all=False, append_images=greys, model="dense/fashion") as again:
            assert again.n_frames == 1


def test_frames_that_differ_are_refused(photo: Image.Image) -> None:
    with pytest.raises(OSError, match="all frames of a file must agree: crop or resize them"):
        photo.save(io.BytesIO(), "NNC", append_images=[photo.resize((8, 8))])


def test_too_many_pixels_at_once_are_refused_before_any_frame_is_read(stack: bytes) -> None:
    nncodec_pillow.register_nnc_opener(limits=Limits(pixels=5 * 28 * 28 - 1))
    with Image.open(io.BytesIO(stack)) as image, pytest.raises(OSError, match="5 frames of 3920 pixels together"):
        image.save(io.BytesIO(), "NNC", save_all=True, model="dense/fashion")


def test_a_stack_can_be_saved_over_itself(stack: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    path.write_bytes(stack)
    with Image.open(path) as image:
        image.save(path, save_all=True, model="dense/fashion")
    with Image.open(path) as image:
        assert image.n_frames == 5
        image.verify()


@pytest.fixture(params=["itself", "hard link", "symbolic link"])
def names(request: pytest.FixtureRequest, stack: bytes, tmp_path: Path) -> tuple[Path, Path]:
    """Two names of a file with several frames."""
    path, other = tmp_path / "x.nnc", tmp_path / "y.nnc"
    path.write_bytes(stack)
    if request.param == "itself":
        return path, path
    if request.param == "hard link":
        other.hardlink_to(path)
    else:
        other.symlink_to(path)
    return path, other


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_stack_can_be_saved_over_itself_by_any_of_its_names(
    names: tuple[Path, Path], greys: list[Image.Image], is_stream: bool
) -> None:
    path, other = names
    with path.open("rb") as stream, Image.open(stream if is_stream else path) as image:
        image.save(other, save_all=True, model="dense/fashion")
    for name in names:
        assert [_nearest(frame, greys) for frame in nncodec.decode_frames(name)] == [0, 1, 2, 3, 4]


def test_frames_are_saved_over_the_file_that_they_are_appended_from(
    names: tuple[Path, Path], greys: list[Image.Image]
) -> None:
    path, other = names
    with Image.open(path) as image:
        greys[1].save(other, save_all=True, append_images=[image], model="dense/fashion")
    assert [_nearest(frame, greys) for frame in nncodec.decode_frames(path)] == [1, 0, 1, 2, 3, 4]
    with Image.open(path) as image, Image.open(path) as again:
        image.save(other, save_all=True, append_images=[greys[3], again], model="dense/fashion")
    assert [_nearest(frame, greys) for frame in nncodec.decode_frames(path)] == [1, 0, 1, 2, 3, 4, 3, 1, 0, 1, 2, 3, 4]


def test_a_single_picture_is_appended_to_the_file_that_it_comes_from(greys: list[Image.Image], tmp_path: Path) -> None:
    path = tmp_path / "x.nnc"
    greys[2].save(path, model="dense/fashion")
    with Image.open(path) as image:
        greys[0].save(path, save_all=True, append_images=[image], model="dense/fashion")
    assert [_nearest(frame, greys) for frame in nncodec.decode_frames(path)] == [0, 2]


# --- targets ------------------------------------------------------------------------------------------------------


def _saved(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "NNC", **options)
    return out.getvalue()


@pytest.mark.parametrize("target", [{"target_size": 400}, {"target_bpp": 2.5}, {"target_psnr": 26}], ids=str)
def test_a_target_chooses_the_quality(photo: Image.Image, target: dict[str, float]) -> None:
    data = _saved(photo, **target)
    assert data == nncodec.encode(photo, **target)  # type: ignore[arg-type]
    nncodec_pillow.register_nnc_opener(**target)  # type: ignore[arg-type]
    assert _saved(photo) == data


def test_a_call_that_says_quality_or_target_puts_what_was_set_aside(photo: Image.Image) -> None:
    nncodec_pillow.register_nnc_opener(target_size=400, preview=16)
    assert nncodec.inspect(_saved(photo, quality=70)).quality == 70
    assert _saved(photo, target_bpp=2.5) == nncodec.encode(photo, target_bpp=2.5, preview=16)
    assert _saved(photo, quality=None) == nncodec.encode(photo, target_size=400, preview=16)
    nncodec_pillow.register_nnc_opener(quality=20)
    assert nncodec.inspect(_saved(photo)).quality == 20
    nncodec_pillow.register_nnc_opener(quality=None)
    assert nncodec.inspect(_saved(photo)).quality == 50


def test_quality_and_targets_exclude_each_other(photo: Image.Image) -> None:
    with pytest.raises(InvalidOption, match=r"'target_size'.*'quality'"):
        photo.save(out := io.BytesIO(), "NNC", quality=50, target_size=400)
    assert out.getvalue() == b""
    with pytest.raises(InvalidOption, match=r"'target_size'.*'quality'"):
        nncodec_pillow.register_nnc_opener(quality=50, target_size=400)
    assert nncodec.inspect(_saved(photo)).quality == 50


def test_a_target_that_no_quality_meets_writes_nothing(photo: Image.Image) -> None:
    with pytest.raises(InvalidOption, match="the smallest file has"):
        photo.save(out := io.BytesIO(), "NNC", target_size=30)
    assert out.getvalue() == b""


# --- quality="keep" -------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(photo: Image.Image, tmp_path: Path) -> Path:
    """A file of quality 90 with EXIF."""
    path = tmp_path / "q90.nnc"
    photo.save(path, quality=90, exif=_exif())
    return path


def test_keep_copies_an_unchanged_file_without_decoding_it(opened: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, target = opened.read_bytes(), opened.with_name("s.nnc")
    monkeypatch.setattr(nncodec_pillow.NncImageFile, "load", lambda self: pytest.fail("decoded"))
    with Image.open(opened) as image:
        image.getexif()  # looking changes nothing
        image.save(target, quality="keep")
        assert target.read_bytes() == before
        out = io.BytesIO()
        image.save(out, "NNC", quality="keep")
        assert out.getvalue() == before
        image.save(opened, quality="keep")  # onto itself
    assert opened.read_bytes() == before


def test_keep_copies_a_stack_whole(stack: bytes) -> None:
    out = io.BytesIO()
    with Image.open(io.BytesIO(stack)) as image:
        image.save(out, "NNC", quality="keep", save_all=True)
        assert out.getvalue() == stack
        alone = io.BytesIO()
        image.seek(2)
        image.save(alone, "NNC", quality="keep")
    assert nncodec.inspect(alone.getvalue()).frames == 1
    assert nncodec.inspect(alone.getvalue()).model == "dense/fashion"


def test_keep_encodes_a_changed_picture_at_the_quality_of_its_file(opened: Path) -> None:
    out = io.BytesIO()
    with Image.open(opened) as image:
        image.save(out, "NNC", quality="keep", exif=None)
    kept = nncodec.inspect(out.getvalue())
    assert (kept.quality, kept.chunks.get("exif")) == (90, None)
    for change in (lambda i: i.rotate(90), lambda i: i.crop((0, 0, 20, 20)), lambda i: i.load() and i):
        # A part may be so small that an exact file takes fewer bytes, which has no quality.
        with Image.open(opened) as image, _reopened(change(image), quality="keep", lossless=False) as again:
            assert again.info["quality"] == 90
    with Image.open(opened) as image:
        image.getexif()[ExifTags.Base.Artist] = "Grace"
        with _reopened(image, quality="keep") as again:
            assert (again.getexif()[ExifTags.Base.Artist], again.info["quality"]) == ("Grace", 90)


def test_keep_uses_the_model_of_the_file(greys: list[Image.Image]) -> None:
    nncodec_pillow.register_nnc_opener(model="photo")
    with _reopened(greys[0], model="dense/fashion") as image:
        assert image.info["model"] == "dense/fashion"
        image.load()
        with _reopened(image, quality="keep") as again:
            assert again.info["model"] == "dense/fashion"


def test_keep_of_a_damaged_file_writes_nothing(opened: Path) -> None:
    data = bytearray(opened.read_bytes())
    data[-6] ^= 1
    opened.write_bytes(data)
    target = opened.with_name("s.nnc")
    with Image.open(opened) as image, pytest.raises(nncodec.FormatError, match="damaged"):
        image.save(target, quality="keep")
    assert not target.exists()


def test_keep_needs_a_picture_from_such_a_file(photo: Image.Image) -> None:
    with pytest.raises(InvalidOption, match=r"'keep' needs an image from an .nnc file"):
        photo.save(io.BytesIO(), "NNC", quality="keep")


@pytest.mark.parametrize("edge", [16, 600])
def test_info_names_the_model_in_small_and_large_files(photo: Image.Image, edge: int) -> None:
    out = io.BytesIO()
    image = photo.resize((edge, edge))
    image.save(out, "NNC", quality=90)
    assert ("model_name" in nncodec.inspect(out.getvalue()).chunks) == (edge == 600)
    with Image.open(out) as again:
        assert again.info["model"] == "hyperprior/photo"
    assert nncodec.decode(out.getvalue()).info["model"] == "hyperprior/photo"


# --- animations and damage of other formats -------------------------------------------------------------------------


def test_a_gif_of_one_frame_is_saved_like_one_of_several() -> None:
    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").quantize(8).save(file, "GIF")
    with Image.open(file) as gif:
        out = io.BytesIO()
        gif.save(out, "NNC", save_all=True)
        with Image.open(out) as again:
            assert (again.mode, again.size) == ("RGB", gif.size)


def _gif(loading: GifImagePlugin.LoadingStrategy, monkeypatch: pytest.MonkeyPatch) -> Image.Image:
    """Return an open GIF of two frames with a palette each."""
    monkeypatch.setattr(GifImagePlugin, "LOADING_STRATEGY", loading)
    first, second = (Image.new("RGB", (16, 16), colour).quantize(4) for colour in ("red", "blue"))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[second], duration=[30, 70], loop=2)
    return Image.open(file)


@pytest.mark.parametrize("loading", GifImagePlugin.LoadingStrategy)
@pytest.mark.parametrize("exactly", [{}, {"lossless": True}])
def test_a_gif_is_saved_with_all_frames_whatever_mode_they_open_in(
    loading: GifImagePlugin.LoadingStrategy, exactly: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    with _gif(loading, monkeypatch) as gif:
        file = io.BytesIO()
        gif.save(file, "NNC", save_all=True, **exactly)
        assert gif.tell() == 0
        expected = [frame.convert("RGB").getpixel((8, 8)) for frame in ImageSequence.Iterator(gif)]
    with Image.open(file) as opened:
        frames = [
            (frame.convert("RGB").getpixel((8, 8)), frame.info["duration"]) for frame in ImageSequence.Iterator(opened)
        ]
        assert opened.info["loop"] == 2
    assert frames == list(zip(expected, (30, 70), strict=True))


class _Broken(Image.Image):
    """A picture whose further frames cannot be counted, as of a damaged PSD."""

    @property
    def n_frames(self) -> int:
        raise ValueError("math domain error")


def test_frames_that_cannot_be_counted_are_one_clear_error_and_only_if_they_are_wanted(tmp_path: Path) -> None:
    image = _Broken()._new(Image.new("L", (8, 8)).im)
    image.__class__ = _Broken
    image.save(tmp_path / "a.nnc")
    file = io.BytesIO()
    with pytest.raises(OSError, match=r"^Pillow cannot read it: the file is damaged, .* \(math domain error\)$"):
        image.save(file, "NNC", save_all=True)
    assert not file.getvalue()
