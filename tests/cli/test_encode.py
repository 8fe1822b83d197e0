from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import toys
from PIL import Image

import nncodec
from nncodec.plugin.hooks import ArchitectureSpec, ModelSpec

TINY = ("-m", "tiny/rgb")


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


def test_writes_beside_the_input_and_says_nothing(run, photo, photo_png):
    result = run("encode", photo_png, *TINY, "-q", 100)
    assert (result.exit_code, result.output) == (0, "")
    decoded = nncodec.decode(Path("photo.nnc").read_bytes())
    assert decoded.mode == "RGB"
    assert difference(decoded, photo) < 8


def test_verbose_reports_the_file(run, photo_png):
    result = run("encode", photo_png, *TINY, "-v")
    before, size = photo_png.stat().st_size, Path("photo.nnc").stat().st_size
    rate = f"{8 * size / (96 * 64):.3f} bits per pixel"
    assert result.stderr == f"photo.png -> photo.nnc: {before:,} -> {size:,} bytes, {rate}\n"
    assert result.stdout == ""


def test_quality_effort_coder_and_preview_reach_the_encoder(run, photo_png):
    assert run("encode", photo_png, *TINY, "-q", 7, "-e", 5, "--coder", "stored", "--preview").exit_code == 0
    info = nncodec.inspect(Path("photo.nnc").read_bytes())
    assert (info.quality, info.coder) == (7, "stored")
    assert "preview" in info.chunks


def test_an_alias_names_a_model(run, photo_png):
    assert run("encode", photo_png, "-m", "small").exit_code == 0
    assert nncodec.inspect(Path("photo.nnc").read_bytes()).model == "tiny/rgb"


def test_the_default_model_takes_a_photograph(run, photo, photo_png):
    assert run("encode", photo_png).exit_code == 0
    data = Path("photo.nnc").read_bytes()
    assert len(data) < photo.width * photo.height * 3 / 8
    assert difference(nncodec.decode(data), photo) < 12


def test_stdin_and_stdout(run, photo, photo_png):
    result = run("encode", "-", *TINY, input=photo_png.read_bytes())
    assert nncodec.decode(result.stdout_bytes).size == photo.size
    assert run("encode", photo_png, *TINY, "-o", "-").stdout_bytes == result.stdout_bytes
    assert not list(Path().glob("*.nnc"))


@pytest.mark.parametrize("options", [("-q", "101"), ("-q", "-1"), ("-e", "10"), ("--coder", "gzip"), ("--nonsense",)])
def test_wrong_options_are_usage_errors(run, photo_png, options):
    result = run("encode", photo_png, *TINY, *options)
    assert result.exit_code == 2
    assert options[0] in result.stderr
    assert not Path("photo.nnc").exists()


def test_an_unknown_model_is_a_usage_error_that_lists_the_models(run, photo_png):
    result = run("encode", photo_png, "-m", "nobody/has-it")
    assert result.exit_code == 2
    assert "nobody/has-it" in result.stderr
    assert "tiny/rgb" in result.stderr


def test_a_coder_the_model_cannot_use_fails_in_one_line(run, photo_png):
    result = run("encode", photo_png, *TINY, "--coder", "rans")
    assert result.exit_code in (1, 2)
    assert "rans" in result.stderr
    assert not Path("photo.nnc").exists()


def test_a_colour_picture_for_a_grey_model(run, photo_png):
    result = run("encode", photo_png, "-m", "tiny/grey")
    assert result.exit_code == 1
    assert result.stderr.startswith("nncodec: photo.png: ")
    assert "grey" in result.stderr


def test_one_bad_file_does_not_stop_the_rest(run, photo_png):
    Path("bad.png").write_bytes(b"nothing like a picture")
    Path("cut.png").write_bytes(photo_png.read_bytes()[:3000])
    result = run("encode", "missing.png", "bad.png", "cut.png", photo_png, *TINY)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "nncodec: missing.png: No such file or directory"
    assert lines[1] == "nncodec: bad.png: a text file, not a picture"
    assert lines[2].startswith("nncodec: cut.png: ")
    assert lines[3] == "nncodec: 3 of 4 files failed"
    assert len(lines) == 4
    assert [p.name for p in Path().glob("*.nnc")] == ["photo.nnc"]


def test_an_nnc_file_is_not_encoded_again(run, photo_nnc):
    result = run("encode", photo_nnc, *TINY, "-o", "again.nnc")
    assert result.exit_code == 1
    assert "already an .nnc file" in result.stderr


def test_large_pictures_are_refused_until_allowed(run, photo_png):
    result = run("encode", photo_png, *TINY, "--max-pixels", 3000)
    assert result.exit_code == 1
    assert "--max-pixels" in result.stderr
    assert run("encode", photo_png, *TINY, "--max-pixels", 96 * 64).exit_code == 0


# --- targets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bound", "size_bytes"), [("3000", 3000), ("3k", 3000), ("3.2kB", 3200), ("0.004M", 4000)])
def test_a_size_chooses_the_quality_and_verbose_says_which(run, photo_png, bound, size_bytes):
    result = run("encode", photo_png, *TINY, "--target-size", bound, "-v")
    data = Path("photo.nnc").read_bytes()
    assert data == nncodec.encode(Image.open(photo_png), "tiny/rgb", target_size=size_bytes)
    rate = f"{photo_png.stat().st_size:,} -> {len(data):,} bytes, {8 * len(data) / (96 * 64):.3f} bits per pixel"
    assert result.stderr == f"photo.png -> photo.nnc: {rate}, quality {nncodec.inspect(data).quality}\n"


@pytest.mark.parametrize(("option", "keyword"), [("--target-bpp", "target_bpp"), ("--target-psnr", "target_psnr")])
def test_a_rate_or_a_fidelity_chooses_the_quality(run, photo, photo_png, option, keyword):
    bound = {"target_bpp": 4.5, "target_psnr": 29.4}[keyword]
    assert run("encode", photo_png, *TINY, option, bound).exit_code == 0
    data = Path("photo.nnc").read_bytes()
    assert data == nncodec.encode(photo, "tiny/rgb", **{keyword: bound})
    assert 0 < nncodec.inspect(data).quality < 100


@pytest.mark.parametrize(
    "options",
    [
        ("-q", 50, "--target-size", "50k"),
        ("--target-size", "50k", "--target-bpp", 1),
        ("--target-bpp", 1, "--target-psnr", 30),
    ],
)
def test_one_of_quality_and_targets_is_enough(run, photo_png, options):
    result = run("encode", photo_png, *TINY, *options)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"--quality and {options[2]}" in result.stderr or f"{options[0]} and {options[2]}" in result.stderr
    assert not Path("photo.nnc").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((option, value) for option in ("--target-bpp", "--target-psnr") for value in ("nan", "inf", "0", "-1")),
        *(("--target-size", value) for value in ("0", "-5", "k", "5T", "1e3", "50 000", "0.0001k", "")),
        ("--target-bpp", "0"),
        ("--target-psnr", "good"),
    ],
)
def test_targets_that_are_no_numbers_are_usage_errors(run, photo_png, option, value):
    result = run("encode", photo_png, *TINY, option, value)
    assert result.exit_code == 2
    assert option in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_no_quality_meets_fails_in_one_line_and_the_rest_goes_on(run, photo_png):
    Image.new("RGB", (96, 64)).save("flat.png")
    result = run("encode", photo_png, "flat.png", *TINY, "--target-size", 200)
    assert result.exit_code == 1
    first, last = result.stderr.splitlines()
    assert first.startswith("nncodec: photo.png: invalid option 'target_size': no quality gives 200 bytes or less; the")
    assert last == "nncodec: 1 of 2 files failed"
    assert Path("flat.nnc").stat().st_size <= 200


# --- recommending an enhancer -------------------------------------------------------------------------------------


def test_an_enhancer_is_recommended(run, photo_png):
    options = ("-m", "tiny/rgb", "--downscale", 3, "--enhancer", "x3", "--enhancer-strength", 0.5)
    assert run("encode", photo_png, *options).exit_code == 0
    info = nncodec.inspect(Path("photo.nnc").read_bytes())
    assert (info.coded_size, info.width, info.height) == ((32, 22), 96, 64)
    assert (info.enhancer.name, info.enhancer.strength) == ("tiny/triple", 0.5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ("--enhancer", "nope"),
            "no installed enhancer is 'nope'; installed: srgan/restore, srgan/x4, tiny/keep, tiny/triple",
        ),
        (("--enhancer", "tiny/rgb"), "tiny/rgb is a codec, not an enhancer"),
        (("--enhancer-strength", "0.5"), "--enhancer-strength needs --enhancer"),
        (("--enhancer", "tiny/keep", "--enhancer-strength", "2"), "2.0 is not a number from 0"),
        (("--enhancer", "tiny/keep", "--enhancer-strength", "nan"), "nan is not a number from 0"),
        (("-m", "tiny/keep"), "tiny/keep is an enhancer, not a codec"),
        (("--downscale", "9"), "9 is not in the range"),
    ],
)
def test_what_cannot_be_recommended_is_wrong_usage(run, photo_png, options, says):
    result = run("encode", photo_png, *options)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_what_enlarges_is_not_recommended_for_what_is_not_reduced(run, photo_png):
    result = run("encode", photo_png, "-m", "tiny/rgb", "--enhancer", "tiny/triple")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "which needs a picture that is stored reduced" in result.stderr
    assert not Path("photo.nnc").exists()


def test_keep_copies_a_file_or_encodes_it_again_at_its_quality(run, photo):
    Path("in").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    data = nncodec.encode(photo, TINY[1], 70, exif=exif)
    Path("in/a.nnc").write_bytes(data)
    assert run("encode", "-q", "keep", "-r", "in", "-o", "out").exit_code == 0
    assert Path("out/a.nnc").read_bytes() == data
    result = run("encode", "-q", "keep", "in/a.nnc", "b.nnc", "--strip", "--never-lossless")
    assert (result.exit_code, result.stderr) == (0, "")
    info = nncodec.inspect("b.nnc")
    assert (info.quality, info.model, info.width, info.height) == (70, TINY[1], photo.height, photo.width)
    assert "exif" not in info.chunks
    assert run("encode", "-q", "keep", "in/a.nnc").exit_code == 2  # it would replace its input


def test_keep_needs_a_file_of_this_format(run, photo_png):
    result = run("encode", "-q", "keep", photo_png)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "'keep' needs an .nnc file; give a number" in result.stderr
    assert "is not a valid integer" in run("encode", "-q", "kept", photo_png).stderr


# --- models without qualities -------------------------------------------------------------------------------------


@pytest.fixture
def one_rate(monkeypatch, tmp_path):
    """Install a grey model that has no qualities, and write two pictures for it."""
    path = toys.write_toy(tmp_path / "rate.safetensors", "one/rate", "one")
    specs = [ArchitectureSpec("one", "toys:RecordedMeans")], [ModelSpec("one/rate", path)]
    toys.install(monkeypatch, toys.plugin(monkeypatch, "one", *specs))
    for name in ("a.png", "b.png"):
        Image.linear_gradient("L").resize((24, 16)).save(name)
    return "one/rate"


def test_a_quality_that_a_model_has_not_is_told_once(run, one_rate):
    result = run("encode", "a.png", "b.png", "-m", one_rate, "-q", 30)
    assert (result.exit_code, result.stderr) == (0, "nncodec: one/rate has no qualities, so quality 30 is not used\n")
    assert run("encode", "a.png", "b.png", "-m", one_rate, "-f").stderr == ""
    assert run("encode", "a.png", "b.png", "-m", one_rate, "-q", 30, "-f", "--quiet").stderr == ""


def test_python_warns_of_a_quality_that_a_model_has_not(one_rate):
    image = Image.open("a.png")
    with pytest.warns(nncodec.NncWarning, match="one/rate has no qualities, so quality 30 is not used"):
        data = nncodec.encode(image, one_rate, 30)
    with pytest.warns(nncodec.NncWarning, match="one/rate has no qualities"):
        assert nncodec.encode_batch([image], one_rate, 30) == [data]
    assert nncodec.encode(image, one_rate) == data
