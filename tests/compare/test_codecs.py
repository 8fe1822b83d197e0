"""Codecs by name: peers with their options, any format of Pillow, models."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from PIL import Image, features

import nncodec
from nncodec.compare import PEERS, default_codecs, open_codec
from nncodec.errors import InvalidOption


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A photograph, 96 x 64 pixels."""
    return Image.fromarray(skimage.data.chelsea()[80:144, 100:196])


def direct(image: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


# --- peers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_peer_encodes_and_decodes_at_every_end_of_its_range(name: str, mode: str, photo: Image.Image) -> None:
    if not PEERS[name].installed:
        pytest.skip(f"needs {PEERS[name].package}")
    codec, image = open_codec(name), photo.convert(mode)
    sizes = []
    for quality in (codec.qualities[0], codec.qualities[len(codec.qualities) // 2], codec.qualities[-1]):
        data = codec.encode(image, quality)
        decoded = codec.decode(data).convert(mode)
        assert decoded.size == image.size
        sizes.append(len(data))
    assert sizes[0] < sizes[1] < sizes[2]
    assert float(np.abs(np.asarray(decoded, int) - np.asarray(image, int)).mean()) < 3
    assert set(codec.ladder) <= set(codec.qualities)
    assert list(codec.ladder) == sorted(set(codec.ladder))
    assert not codec.info.learned


def test_the_options_of_peers_are_those_that_are_documented(photo: Image.Image) -> None:
    common = {"optimize": True, "progressive": True}
    assert open_codec("jpeg").encode(photo, 40) == direct(photo, "JPEG", quality=40, subsampling="4:2:0", **common)
    assert open_codec("jpeg444").encode(photo, 40) == direct(photo, "JPEG", quality=40, subsampling="4:4:4", **common)
    assert open_codec("webp").encode(photo, 40) == direct(photo, "WEBP", quality=40, method=6)
    with Image.open(io.BytesIO(open_codec("jpeg").encode(photo, 40))) as image:
        assert image.info["progressive"]
    if features.check("avif"):
        settings = {"quality": 40, "speed": 6}
        assert open_codec("avif").encode(photo, 40) == direct(photo, "AVIF", subsampling="4:2:0", **settings)
        tuned = direct(photo, "AVIF", subsampling="4:4:4", advanced={"tune": "psnr"}, **settings)
        assert open_codec("avif-psnr").encode(photo, 40) == tuned
        seen = direct(photo, "AVIF", subsampling="4:2:0", advanced={"tune": "ssimulacra2"}, **settings)
        assert open_codec("avif-ssimulacra2").encode(photo, 40) == seen


def test_a_peer_that_is_not_installed_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(PEERS["jxl"], module="there_is_no_such_module")
    monkeypatch.setitem(PEERS, "jxl", missing)
    with pytest.raises(InvalidOption, match="jxl is not available here; it needs pillow-jxl-plugin"):
        open_codec("jxl")
    assert "jxl" not in default_codecs()
    assert default_codecs()[:3] == ("photo", "jpeg", "webp")


# --- any format of Pillow -----------------------------------------------------------------------------------------


def test_any_format_with_a_quality_is_a_peer(photo: Image.Image) -> None:
    codec = open_codec("pillow:WEBP")
    data = codec.encode(photo, 30)
    assert data == direct(photo, "WEBP", quality=30)
    assert codec.decode(data).size == photo.size
    assert (codec.info.name, codec.info.label) == ("pillow:WEBP", "WEBP")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pillow:PNG", "Pillow writes PNG files without a quality"),
        ("pillow:PDF", "does not write and read 'PDF'"),
        ("pillow:NNC", "does not write and read 'NNC'"),
        ("pillow:webp", "does not write and read 'webp' files; it does .*WEBP"),
    ],
)
def test_other_formats_are_refused(name: str, told: str) -> None:
    with pytest.raises(InvalidOption, match=told):
        open_codec(name)


# --- models -------------------------------------------------------------------------------------------------------


def test_a_model_is_named_as_everywhere_else_and_takes_options(photo: Image.Image) -> None:
    codec = open_codec("photo:effort=3:coder=zstd")
    assert codec.encode(photo, 40) == nncodec.encode(photo, "photo", 40, effort=3, coder="zstd")
    assert codec.info.learned
    assert codec.info.name == "photo:effort=3:coder=zstd"
    assert codec.info.label == "hyperprior/photo, effort 3, coder zstd"
    assert open_codec("photo", effort=3).info.label == "hyperprior/photo, effort 3"
    assert open_codec("photo:effort=3", effort=5).info.label == "hyperprior/photo, effort 3"
    assert (codec.qualities, list(codec.ladder)) == (range(101), list(range(0, 101, 10)))


def test_a_model_without_qualities_has_one() -> None:
    codec = open_codec("dense/fashion")
    assert len(codec.qualities) == 1
    assert list(codec.ladder) == list(codec.qualities)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("jpg", "no codec is called 'jpg'; peers are jpeg, jpeg444, webp.*; models are .*conv/photo"),
        ("webp:method=4", "no codec is called 'webp:method=4'"),
        ("photo:effort=10", "come effort=0..9 and coder=NAME, not 'effort=10'"),
        ("photo:", "come effort=0..9 and coder=NAME, not ''"),
        ("photo:speed=1", "not 'speed=1'"),
    ],
)
def test_unknown_names_say_what_there_is(name: str, told: str) -> None:
    with pytest.raises(InvalidOption, match=told):
        open_codec(name)
