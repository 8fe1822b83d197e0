"""The contract tests accept a sound enhancer and find every fault they are there for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncodec.coding import enhancing
from nncodec.errors import NncError
from nncodec.plugin import registry
from nncodec.plugin.enhancer import EnhancerTraits
from nncodec.plugin.latents import Pixels
from nncodec.testing import EnhancerContract

TESTS = [name for name in dir(EnhancerContract) if name.startswith("test_")]
TRAITS = EnhancerTraits(2, 1, 1, strengths=True)


@pytest.fixture
def contract(enhancers: object, write_sharpener: Callable[..., Path]) -> Callable[[str], None]:
    """Return how to run one test of the contract on the enhancer of `docs/examples` as it is now."""

    class Contract(EnhancerContract):
        @classmethod
        def write_model(cls, folder: Path) -> None:
            write_sharpener(folder / "sharp.safetensors", "sharp/other", 2, (1.0, 3.0))

    def check(test: str) -> None:
        Contract.setup_class()
        try:
            getattr(Contract(), test)()
        finally:
            Contract.teardown_class()

    return check


@pytest.fixture
def sharpener(enhancers: object) -> type[Any]:
    """The class of the enhancer."""
    registry.open_enhancer("x2")
    found: type[Any] = sys.modules["enhancer_plugin"].Sharpener
    return found


@pytest.mark.parametrize("test", TESTS)
def test_a_sound_enhancer_passes(contract: Callable[[str], None], test: str) -> None:
    contract(test)


def test_tiles_are_tested_without_changing_core(
    contract: Callable[[str], None], sharpener: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, edges = sharpener.enhance, set()

    def enhance(self: Any, pixels: Pixels, strength: float) -> Pixels:
        edges.add(enhancing.WINDOW_EDGE)
        result: Pixels = sound(self, pixels, strength)
        return result

    monkeypatch.setattr(sharpener, "enhance", enhance)
    contract("test_tiles_and_whole_agree")
    assert edges == {enhancing.WINDOW_EDGE}


def _enhance(change: Callable[[Pixels, float, Pixels], Any]) -> dict[str, Any]:
    return {"enhance": change}


def _overwrite(pixels: Pixels, strength: float, result: Pixels) -> Pixels:
    pixels += 1
    return result


_LAST: list[float] = [0.0]


def _of_the_last_call(pixels: Pixels, strength: float, result: Pixels) -> Pixels:
    last, _LAST[0] = _LAST[0], strength
    return result ^ np.uint8(last == 1)


_COUNTER = iter(range(10**9))
_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("test_traits_are_consistent", {"traits": replace(TRAITS, factor=17)}),
    ("test_traits_are_consistent", {"traits": replace(TRAITS, halo=-1)}),
    ("test_traits_are_consistent", {"traits": replace(TRAITS, multiple=4, halo=6)}),
    ("test_traits_are_consistent", {"traits": replace(TRAITS, halo=600)}),
    ("test_strength_means_what_the_traits_say", {"traits": replace(TRAITS, strengths=False)}),
    ("test_strength_means_what_the_traits_say", _enhance(lambda p, s, r: np.zeros_like(r))),
    ("test_it_returns_pixels_of_the_declared_size", _enhance(lambda p, s, r: r.astype(np.float32))),
    ("test_it_returns_pixels_of_the_declared_size", _enhance(lambda p, s, r: r[:, 1:])),
    ("test_a_picture_does_not_depend_on_its_batch", _enhance(lambda p, s, r: r // np.uint8(len(p)))),
    ("test_equal_input_gives_equal_output", _enhance(lambda p, s, r: r ^ np.uint8(next(_COUNTER) & 1))),
    ("test_equal_input_gives_equal_output", _enhance(_of_the_last_call)),
    ("test_views_are_taken_and_left_unchanged", _enhance(_overwrite)),
    ("test_views_are_taken_and_left_unchanged", _enhance(lambda p, s, r: r ^ np.uint8(4 * p.flags.c_contiguous))),
    ("test_tiles_and_whole_agree", {"traits": replace(TRAITS, halo=0)}),
    ("test_tiles_and_whole_agree", _enhance(lambda p, s, r: r ^ np.uint8(p.shape[1] + p.shape[2] & 255))),
    ("test_pictures_of_every_size_and_mode_come_back_larger", _enhance(lambda p, s, r: r[:, ::-1][:, 1:])),
    ("test_a_picture_goes_through_as_the_model_has_it", _enhance(lambda p, s, r: r ^ np.uint8(4 * next(_COUNTER)))),
    ("test_a_model_file_that_lacks_a_tensor_is_refused", {"from_file": None}),
    ("test_a_model_file_with_a_tensor_of_another_shape_is_refused", {"from_file": None}),
]


@pytest.mark.parametrize(("test", "fault"), _FAULTS, ids=[f"{test}-{n}" for n, (test, _) in enumerate(_FAULTS)])
def test_a_fault_is_found(
    contract: Callable[[str], None],
    sharpener: type[Any],
    monkeypatch: pytest.MonkeyPatch,
    test: str,
    fault: dict[str, Any],
) -> None:
    if "from_file" in fault:
        monkeypatch.setattr(sharpener, "from_file", lambda file: sharpener(2, np.array([1, 3], np.float32)))
    if change := fault.get("enhance"):
        sound = sharpener.enhance
        monkeypatch.setattr(sharpener, "enhance", lambda self, p, s: change(p, s, sound(self, p, s)))
    if traits := fault.get("traits"):
        monkeypatch.setattr(sharpener, "traits", property(lambda self: traits, lambda self, _: None), raising=False)
    with pytest.raises((AssertionError, NncError, ValueError)):
        contract(test)


def test_a_config_that_would_end_the_program_is_refused(
    contract: Callable[[str], None], sharpener: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = sharpener.from_file

    def from_file(file: Any) -> Any:
        if file.config != {"factor": 2}:
            raise SystemExit(1)
        return sound(file)

    monkeypatch.setattr(sharpener, "from_file", from_file)
    contract("test_a_hostile_config_opens_or_is_refused")
