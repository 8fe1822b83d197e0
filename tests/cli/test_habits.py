"""What users of other programs type: outputs without -o, links, help, and names that are nearly right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

import nncodec
import nncodec.cli.encode

TINY = ("-m", "tiny/rgb")
links = pytest.mark.skipif(os.name != "posix", reason="links as on POSIX")


# --- outputs without -o -------------------------------------------------------------------------------------------


def test_in_and_out_are_understood(run, photo_png):
    assert run("encode", photo_png, "small.nnc", *TINY).exit_code == 0
    assert run("decode", "small.nnc", "back.bmp").exit_code == 0
    with Image.open("back.bmp") as image:
        assert image.format == "BMP"
    assert sorted(p.name for p in Path().iterdir() if p.is_file()) == ["back.bmp", "photo.png", "small.nnc"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("encode", "photo.png", "there.nnc", *TINY), "there.nnc is already there; name the output with -o"),
        (("encode", "photo.png", "photo.png", "new.nnc", *TINY), "several files do not go into new.nnc"),
        (("encode", "photo.png", "new.jpg", *TINY), "new.jpg does not exist; if it is the output, name it with -o"),
        (("decode", "there.nnc", "photo.png"), "photo.png is already there; name the output with -o"),
        (("decode", "there.nnc", "new.xyz"), "new.xyz does not exist; if it is the output, name it with -o"),
        (("encode", "photo.png", "folder", *TINY), "folder is a folder; use -r to take the files in it, or -o"),
    ],
)
def test_other_outputs_without_o_are_a_hint_and_nothing_is_written(run, photo_png, photo, arguments, says):
    Path("there.nnc").write_bytes(nncodec.encode(photo, "tiny/rgb"))
    Path("folder").mkdir()
    before = sorted(Path().iterdir())
    result = run(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("output", ["out.jpg", "out.PNG", "new/out.pdf", "out.svg", "out.heic", "out.CR2", "out.psd"])
def test_encode_writes_no_file_that_is_named_like_a_picture(run, photo_png, output):
    result = run("encode", photo_png, *TINY, "-o", output)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "encode writes .nnc files" in result.stderr
    assert not Path(output).exists()


@pytest.mark.parametrize(
    "options", [("-f",), ("--update",), ("-o", ".", "-f"), ("-r", ".", "-o", "../" + "{here}", "-f")]
)
def test_the_original_survives_decode(run, photo_png, options):
    original = photo_png.read_bytes()
    assert run("encode", photo_png, *TINY).exit_code == 0
    result = run("decode", "photo.nnc", *(option.format(here=Path.cwd().name) for option in options))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "name it with -o" in result.stderr
    assert photo_png.read_bytes() == original
    assert run("decode", "photo.nnc", "-o", "photo.png", "-f").exit_code == 0
    assert photo_png.read_bytes() != original


# --- links --------------------------------------------------------------------------------------------------------


@links
def test_a_dangling_link_is_refused_unless_forced(run, photo_png):
    Path("link.nnc").symlink_to("nowhere.nnc")
    for options in ((), ("--update",), ("--skip-existing",)):
        result = run("encode", photo_png, *TINY, "-o", "link.nnc", *options)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "link.nnc is a link to a file that does not exist" in result.stderr
    assert Path("link.nnc").is_symlink()
    assert not Path("nowhere.nnc").exists()
    assert run("encode", photo_png, *TINY, "-o", "link.nnc", "-f").exit_code == 0
    assert Path("link.nnc").is_file()


@links
def test_a_link_to_a_file_is_written_through(run, photo_png):
    Path("real").mkdir()
    Path("real/file.nnc").write_bytes(b"old")
    Path("link.nnc").symlink_to("real/file.nnc")
    assert run("encode", photo_png, *TINY, "-o", "link.nnc").exit_code == 1
    assert run("encode", photo_png, *TINY, "-o", "link.nnc", "-f").exit_code == 0
    assert Path("link.nnc").is_symlink()
    assert nncodec.inspect(Path("real/file.nnc").read_bytes()).width == 96


# --- streams ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "batch encode . -",
        "batch decode - out",
        "batch check . -",
        "batch pack . -",
        "batch pack . out --beside -",
        "viewer -",
        "export-onnx dense/fashion -o -",
        "compare photo.png --report -",
        "train dense . -o m.safetensors --run -",
    ],
)
def test_no_stream_becomes_a_file_of_that_name(run, photo_png, command):
    result = run(*command.split())
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "'-' (stdin or stdout) is not possible here; give the name of a file or folder" in result.stderr
    assert list(Path().iterdir()) == [photo_png]


# --- help and names -----------------------------------------------------------------------------------------------


def test_help_and_version(run):
    assert run("help").stdout == run("--help").stdout
    assert run("help", "encode").stdout == run("encode", "--help").stdout
    assert run("help", "models", "add").stdout == run("models", "add", "--help").stdout
    assert run("-V").stdout == run("--version").stdout
    result = run("help", "squash")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "no such command 'squash'" in result.stderr.lower()


def test_wrong_options_before_the_command_are_one_line_too(run):
    result = run("--sharpen", "encode")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("nncodec: ")
    assert result.stderr.endswith("; see 'nncodec --help'\n") or "--help'" in result.stderr


def test_an_unknown_model_says_what_to_do(run, photo_png):
    result = run("encode", photo_png, "-m", "tiny/rbg")
    assert "did you mean tiny/rgb" in result.stderr
    result = run("encode", photo_png, "-m", "nobody/has-it")
    assert "nncodec models add" in result.stderr
    with pytest.raises(nncodec.UnknownModel, match="did you mean photo"):
        nncodec.encode(Image.new("RGB", (8, 8)), "foto")


def test_train_with_a_folder_alone_says_what_to_add(run, photo_png):
    Path("pictures").mkdir()
    result = run("train", "pictures", "-o", "m.safetensors")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "add an architecture before pictures" in result.stderr
    assert "hyperprior" in result.stderr
    assert "--from photo" in result.stderr


@pytest.mark.parametrize(("typed", "option"), [("tiny/r", "-m"), ("tiny/k", "--enhancer")])
def test_shells_complete_the_names_of_models(run, start, typed, option):
    words = f"nncodec encode {option} {typed}"
    process = start(_NNCODEC_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="3")
    out, _ = process.communicate(timeout=120)
    expected = {"tiny/r": b"plain,tiny/rgb", "tiny/k": b"plain,tiny/keep"}[typed]
    assert out.split() == [expected]


# --- long work ----------------------------------------------------------------------------------------------------


def test_a_single_large_file_shows_its_blocks_on_a_terminal(photo, watched):
    photo.resize((5200, 48)).save("large.png")
    done, shown = watched("encode", "large.png", *TINY)
    assert done.returncode == 0
    assert b"loading the model" in shown
    assert b"/6 [" in shown
    done, shown = watched("decode", "large.nnc", "out.bmp")
    assert done.returncode == 0
    assert b"/6 [" in shown
    done, shown = watched("encode", "large.png", *TINY, "-f", "--quiet")
    assert (done.returncode, shown) == (0, b"")


def test_a_long_encoding_states_its_time_before_it_starts(run, monkeypatch):
    Image.new("RGB", (2000, 1000)).save("large.png")
    begun = []
    monkeypatch.setattr(nncodec.api, "encode", lambda *_, **__: begun.append(1) or b"nothing")
    monkeypatch.setattr(nncodec.cli.encode, "complain", lambda line: begun.append(line))
    run("encode", "large.png", "-e", 9)
    line, ran = begun
    assert ran == 1
    assert line.startswith("effort 9 takes about 5 min for 2.0 megapixels, by estimate")
    begun.clear()
    run("encode", "large.png", "-e", 0, "-f")
    run("encode", "large.png", "-e", 9, "-f", "--quiet")
    assert begun == [1, 1]
