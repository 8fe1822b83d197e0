"""A picture is stored exactly where that takes no more bytes than a codec, unless the user forbids it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import toys
from numpy.typing import NDArray
from PIL import Image

import nncodec
from nncodec.coding import exact_encoder
from nncodec.errors import InvalidOption
from nncodec.plugin import registry


@pytest.fixture(scope="module", autouse=True)
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        toys.install_zipped(monkeypatch, tmp_path_factory.mktemp("models"))
        yield
    registry.refresh()


def random() -> np.random.Generator:
    return np.random.default_rng(3)


def smooth(height: int = 64, width: int = 96) -> Image.Image:
    """A photograph-like picture: the codec's file is far smaller than an exact one."""
    return Image.fromarray(random().integers(60, 200, (9, 13, 3)).astype(np.uint8)).resize((width, height))


def page(height: int = 90, width: int = 120) -> Image.Image:
    """Rows of equal letters: an exact file is smaller than that of the wasteful codec."""
    letter = random().choice(np.array([0, 255], np.uint8), (9, 8))
    return Image.fromarray(np.tile(letter, (height // 9, width // 8))).convert("RGB")


def array_of(image: Image.Image) -> NDArray[Any]:
    return np.asarray(image).astype(int)


def test_a_page_is_exact_and_a_photograph_is_not() -> None:
    exact = nncodec.encode(page(), "means/waste", quality=90)
    assert nncodec.inspect(exact).lossless
    assert nncodec.decode(exact).tobytes() == page().tobytes()
    lossy = nncodec.encode(smooth(), quality=50)
    assert (nncodec.inspect(lossy).max_error, nncodec.inspect(lossy).quality) == (None, 50)
    assert lossy == nncodec.encode(smooth(), quality=50, lossless=False)


def test_an_exact_file_is_only_written_if_it_is_no_larger() -> None:
    for image, model in ((page(), "means/waste"), (smooth(), "means/rgb")):
        for quality in (0, 40, 80, 95):
            chosen = nncodec.encode(image, model, quality)
            codec = nncodec.encode(image, model, quality, lossless=False)
            exact = nncodec.encode(image, lossless=True)
            assert len(chosen) == min(len(codec), len(exact))
            assert nncodec.inspect(codec).model == model


@pytest.mark.parametrize(
    "options", [{"lossless": False}, {"coder": "zstd"}, {"downscale": 2}, {"coder": "stored", "lossless": "auto"}]
)
def test_options_of_codecs_forbid_it(options: dict[str, Any]) -> None:
    assert nncodec.inspect(nncodec.encode(page(), "means/waste", quality=100, **options)).max_error is None


def test_without_a_lossless_model_a_codec_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncodec.coding.choice.DEFAULT_LOSSLESS", "no-such-model")
    assert nncodec.inspect(nncodec.encode(page(), "means/waste", quality=100)).quality == 100


@pytest.mark.parametrize("edge", [24, 96])
def test_the_estimate_spares_photographs_an_exact_encoding(monkeypatch: pytest.MonkeyPatch, edge: int) -> None:
    noise = random().integers(0, 256, (edge, edge, 3)).astype(np.uint8)

    def write(*_: object) -> bytes:
        raise AssertionError("it was encoded")

    monkeypatch.setattr(exact_encoder.ExactEncoder, "write", write)
    assert nncodec.inspect(nncodec.encode(noise, quality=0)).quality == 0


# --- the top of the scale -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "exact"), [("L", False), ("RGB", False), ("RGBA", False), ("RGBA", True)])
def test_quality_100_is_off_by_at_most_2(mode: str, exact: bool) -> None:
    noise = Image.fromarray(random().integers(0, 256, (40, 50, 4)).astype(np.uint8)).convert(mode)
    model = "means/l" if mode == "L" else "means/rgb"
    told: list[tuple[int, int]] = []
    data = nncodec.encode(noise, model, 100, exact=exact, on_progress=lambda *step: told.append(step))
    assert nncodec.inspect(data).max_error == 2
    assert (told[0], told[-1]) == ((0, 1), (1, 1))
    errors = array_of(nncodec.decode(data)) - array_of(noise)
    if mode == "RGBA" and not exact:
        errors = errors[array_of(noise)[..., 3] > 0]
    assert abs(errors).max() == 2
    if mode == "RGBA":
        assert not errors[..., 3].any()
        errors = errors[..., :3]
    assert 10 * np.log10(255**2 / np.square(errors).mean()) > 45
    assert nncodec.encode_batch([noise], model, 100, exact=exact)[0] == data


def test_quality_100_of_few_colours_is_exact() -> None:
    assert nncodec.inspect(nncodec.encode(page(), "means/waste", quality=100)).lossless


@pytest.mark.parametrize(
    ("picture", "model"), [(page(), "means/waste"), (smooth(), "means/rgb")], ids=["page", "smooth"]
)
def test_psnr_never_falls_with_quality(picture: Image.Image, model: str) -> None:
    errors = []
    for quality in range(0, 101, 20):
        found = nncodec.decode(nncodec.encode(picture, model, quality))
        errors.append(np.square(array_of(found) - array_of(picture)).mean())
    assert errors == sorted(errors, reverse=True)


# --- targets ------------------------------------------------------------------------------------------------------


def test_a_target_that_an_exact_file_keeps_needs_no_search() -> None:
    exact = nncodec.encode(page(), lossless=True)
    assert nncodec.encode(page(), "means/waste", target_size=len(exact)) == exact
    assert nncodec.encode(page(), "means/waste", target_bpp=8 * len(exact) / (90 * 120)) == exact
    with pytest.raises(InvalidOption, match="smallest file"):
        nncodec.encode(page(), "means/waste", target_size=len(exact) - 1)


def test_a_psnr_beyond_the_codec_is_reached_by_a_smaller_error() -> None:
    noise = random().integers(0, 256, (40, 50, 3)).astype(np.uint8)
    errors = [nncodec.inspect(nncodec.encode(noise, target_psnr=db)).max_error for db in (44, 48, 90)]
    assert errors == [2, 1, 0]
    with pytest.raises(InvalidOption, match=r"no quality reaches 90 dB.*goes further"):
        nncodec.encode(noise, target_psnr=90, lossless=False)
