"""What a model declares wrongly is said in one line when it opens, and not by something else later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import Checkerboard, Negative, SmoothMeans, Zipped, install, plugin, write_toy

from nncodec.coding.enhancing import WINDOW_EDGE
from nncodec.coding.grid import TILE_EDGE
from nncodec.errors import BadModelFile
from nncodec.format.samples import MAX_BITS, MAX_PLANES
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize, FixedSize
from nncodec.plugin.enhancer import EnhancerTraits
from nncodec.plugin.entropy import StageContext
from nncodec.plugin.hooks import ArchitectureSpec
from nncodec.plugin.latents import LatentSpec
from nncodec.plugin.lossless import LosslessTraits
from nncodec.plugin.traits import LARGEST_EDGE, problem_with_traits

SOUND = SmoothMeans.traits
SPEC = SOUND.latents[0]
CODEC_FAULTS = [
    ({"size": AnySize(8, 4)}, "its halo is 4, not a multiple of 8; round it up to 8"),
    ({"size": AnySize(12, 12)}, "its multiple is 12, not a power of two"),
    ({"size": AnySize(2048, 0)}, "its multiple is 2048, not 1 to 1024"),
    ({"size": AnySize(8.0, 8)}, "its multiple is 8.0, not 1 to 1024"),
    ({"size": AnySize(4, 2048)}, "its halo is 2048, not 0 to 1024"),
    ({"size": AnySize(4, -4)}, "its halo is -4, not 0 to 1024"),
    ({"size": AnySize(4, 4, whole=True)}, "it needs the whole picture, and has a halo of 4"),
    ({"size": FixedSize(0, 8)}, "its size is 0 x 8, not whole numbers of pixels above 0"),
    ({"size": (8, 8)}, "its size is tuple, not AnySize or FixedSize"),
    ({"modes": ("RGBA",)}, "it declares the colour mode 'RGBA'; a codec takes 'L', 'RGB' or both, core handles"),
    ({"modes": "RGB"}, "its colour modes are 'RGB', not a tuple such as"),
    ({"modes": ()}, "its colour modes are (), not a tuple such as"),
    ({"efforts": (3, 1)}, "its efforts are (3, 1), not a tuple of numbers that ascend within 0..9"),
    ({"efforts": (0, 10)}, "its efforts are (0, 10), not a tuple"),
    ({"seconds_per_megapixel": (1.0, 2.0)}, "it gives 2 times for 1 efforts"),
    ({"coder": "gzip"}, "its coder is 'gzip'; it can be 'zstd' or 'rans'"),
    ({"qualities": "yes"}, "its qualities are 'yes', not True or False"),
    ({"latents": (replace(SPEC, name=7),)}, "the name of its latents is 7, not a text"),
    ({"latents": (replace(SPEC, channels=1 << 40),)}, "its latents 'y' have 1099511627776 channels"),
    ({"latents": ()}, "its latents are not a tuple of LatentSpecs"),
    ({"latents": (SPEC, SPEC)}, "two arrays of its latents have one name"),
    ({"latents": (replace(SPEC, channels=0),)}, "its latents 'y' have 0 channels and a stride of 4, not 1 or more"),
    ({"latents": (replace(SPEC, minimum=255),)}, "its latents 'y' have a single value"),
    ({"latents": (replace(SPEC, maximum=9.5),)}, "the range or step of its latents 'y' is not whole numbers"),
    ({"latents": (replace(SPEC, stride=8),)}, "the stride 8 of its latents 'y' does not divide its multiple, 4"),
]
OTHER_FAULTS = [
    (EnhancerTraits(0, 1, 0), "its factor is 0, not 1 to 16"),
    (EnhancerTraits(1, 0, 0), "its multiple is 0, not 1 to 1024"),
    (EnhancerTraits(1, 4, 6), "its halo is 6, not a multiple of 4; round it up to 8"),
    (EnhancerTraits(1, 1, -1), "its halo is -1, not 0 to 1024"),
    (EnhancerTraits(4, 1, 512), "its multiple or halo, times its factor, is above 1024 pixels"),
    (LosslessTraits(max_bits=17), "it takes 17 bits a sample, not 1 to 16"),
    (LosslessTraits(max_planes=0), "it takes 0 planes, not 1 to 32"),
    (LosslessTraits(efforts=()), "its efforts are (), not a tuple"),
    (None, "its traits are NoneType, not CodecTraits, EnhancerTraits or LosslessTraits"),
]


@pytest.mark.parametrize(("change", "problem"), CODEC_FAULTS)
def test_a_codec_with_impossible_traits_does_not_open(
    change: dict[str, object], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SmoothMeans, "traits", replace(SOUND, **change))  # type: ignore[arg-type]
    assert_refused(tmp_path, monkeypatch, problem)


@pytest.mark.parametrize(("traits", "problem"), OTHER_FAULTS)
def test_other_models_have_traits_that_can_be(traits: object, problem: str) -> None:
    found = problem_with_traits(traits)
    assert found is not None
    assert found.startswith(problem)


def test_sound_traits_pass_with_the_whole_numbers_of_numpy() -> None:
    spec = LatentSpec("y", np.int64(1), 4, np.int16(0), 255)  # type: ignore[arg-type]
    assert problem_with_traits(replace(SOUND, latents=(spec,))) is None
    assert problem_with_traits(Negative(2, 4, 8).traits) is None
    assert problem_with_traits(Zipped().traits) is None


def test_the_bounds_are_those_of_the_rooms_that_rely_on_them() -> None:
    assert LARGEST_EDGE == TILE_EDGE == WINDOW_EDGE
    assert problem_with_traits(LosslessTraits(MAX_BITS, MAX_PLANES)) is None
    assert problem_with_traits(LosslessTraits(MAX_BITS + 1)) is not None
    assert problem_with_traits(LosslessTraits(MAX_BITS, MAX_PLANES + 1)) is not None


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        (StageContext(np.array(0.0)), "stage 0 has table indices of type float64, not integers"),
        (StageContext(np.array(0), np.array(0.5)), "stage 0 has offsets of type float64, not integers"),
        (StageContext(np.array(2)), "stage 0 chooses a table that does not exist"),
        (StageContext(np.zeros((7, 5), int)), "could not be broadcast"),
    ],
)
def test_contexts_that_code_nothing_are_found_when_a_model_opens(
    context: StageContext, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkerboard, "context", lambda self, stage, known: context)
    assert_refused(tmp_path, monkeypatch, problem)


def test_a_range_coder_needs_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmoothMeans, "traits", replace(SOUND, coder="rans"))
    monkeypatch.setattr(Checkerboard, "tables", None)
    assert_refused(tmp_path, monkeypatch, "its coder is 'rans', but it has no probability tables")


def assert_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, problem: str) -> None:
    """Check that the toy codec, as it is now, neither opens nor can be installed, for a reason of one line."""
    install(monkeypatch, plugin(monkeypatch, "smooth", [ArchitectureSpec("smooth", "toys:SmoothMeans")]))
    path = write_toy(folder / "smooth.safetensors", "smooth/one", "smooth", {"block": SmoothMeans.BLOCK})
    with pytest.raises(BadModelFile) as refused:
        registry.install_model(path)
    registry.use_model(path)
    with pytest.raises(BadModelFile) as caught:
        registry.open_model("smooth/one")
    for error in (refused, caught):
        assert problem in str(error.value)
        assert "\n" not in str(error.value)
