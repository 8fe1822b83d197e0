"""The contract tests accept a sound model and find every fault they are there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from toys import Checkerboard, SmoothMeans, install, plugin, write_toy

from nncodec.errors import BadModelFile, NncError
from nncodec.nn.exact import exact_network
from nncodec.plugin import registry
from nncodec.plugin.codec import AnySize, CodecModel, FixedSize
from nncodec.plugin.entropy import EntropyModel, QuantizedLatents, Stage, StageContext, Tables, shapes_of
from nncodec.plugin.hooks import ArchitectureSpec
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import ModelFile
from nncodec.testing import CodecModelContract

_FOR_FIXED_SIZES = "test_other_sizes_are_refused_by_a_model_of_fixed_size"
_TESTS = [name for name in dir(CodecModelContract) if name.startswith("test_") and name != _FOR_FIXED_SIZES]


# --- the same codec with latents in quarters, rounded around what is decoded before -------------------------------


class QuartersAroundMeans(Checkerboard):
    """Latents in quarters, whole steps apart from the mean of what is coded; at low quality the last stage is not."""

    def __init__(self, quality: int) -> None:
        self._last_is_coded = quality >= 20

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        context = super().context(stage, known)
        return context if stage < 3 or self._last_is_coded else context._replace(tables=np.array(-1))


def _unrounded(self: SmoothMeans, pixels: Pixels, quality: int, effort: int) -> dict[str, NDArray[np.float32]]:
    return {"y": self.unrounded(pixels, quality).astype(np.float32)}


def _rounded_in_order(
    self: SmoothMeans, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int
) -> Latents:
    entropy = self.entropy(quality)
    known = {"y": np.zeros(latents["y"].shape, np.int32)}
    for number, stage in enumerate(entropy.stages(shapes_of(known))):
        tables, offsets = entropy.context(number, known)
        symbols = np.round((latents["y"][stage.where] * 4 - offsets) / 4).astype(np.int32)
        known["y"][stage.where] = offsets + 4 * np.where(tables < 0, 0, symbols)
    return known


def _from_quarters(self: SmoothMeans, latents: Mapping[str, IntArray], quality: int) -> Pixels:
    return _sound_synthesis(self, {"y": latents["y"] / 4}, quality)  # type: ignore[dict-item]


_sound_synthesis = SmoothMeans.synthesis
_QUARTER_SPECS = (LatentSpec("y", 1, SmoothMeans.BLOCK, -40, 1060, step=4),)
_QUARTERS: dict[str, Any] = {
    "traits": replace(SmoothMeans.traits, latents=_QUARTER_SPECS),
    "entropy": lambda self, quality: QuartersAroundMeans(quality),
    "analysis": _unrounded,
    "quantize": _rounded_in_order,
    "synthesis": _from_quarters,
}


class Contract(CodecModelContract):
    flips_one_in = 0

    @classmethod
    def write_model(cls, folder: Path) -> None:
        write_toy(folder / "smooth.safetensors", "smooth/one", "smooth", {"block": SmoothMeans.BLOCK})


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the codec above the only installed architecture."""
    install(monkeypatch, plugin(monkeypatch, "smooth", [ArchitectureSpec("smooth", "toys:SmoothMeans")]))
    yield
    monkeypatch.undo()
    registry.refresh()


def check(test: str) -> None:
    """Run one test of the contract on the model as it is now; its assertions are what is checked."""
    Contract.setup_class()
    try:
        getattr(Contract(), test)()
    finally:
        Contract.teardown_class()


@pytest.mark.parametrize("test", _TESTS)
def test_a_sound_model_passes(test: str) -> None:
    check(test)


@pytest.mark.parametrize("test", _TESTS)
def test_a_sound_model_that_rounds_around_means_passes(monkeypatch: pytest.MonkeyPatch, test: str) -> None:
    for name, value in _QUARTERS.items():
        monkeypatch.setattr(SmoothMeans, name, value)
    check(test)


def test_a_written_model_is_gone_afterwards() -> None:
    check("test_traits_are_consistent")
    assert not registry.catalog().models


# --- faults -------------------------------------------------------------------------------------------------------


def _analysis(change: Callable[[Pixels, Latents], Latents]) -> dict[str, Any]:
    sound = SmoothMeans.analysis

    def analysis(self: SmoothMeans, pixels: Pixels, quality: int, effort: int) -> Latents:
        return change(pixels, sound(self, pixels, quality, effort))

    return {"analysis": analysis}


def _synthesis(change: Callable[[Mapping[str, IntArray], Pixels], Any]) -> dict[str, Any]:
    sound = SmoothMeans.synthesis

    def synthesis(self: SmoothMeans, latents: Mapping[str, IntArray], quality: int) -> Any:
        return change(latents, sound(self, latents, quality))

    return {"synthesis": synthesis}


def _quantize(change: Callable[[Latents, Pixels, Mapping[str, NDArray[Any]]], Latents]) -> dict[str, Any]:
    def quantize(
        self: SmoothMeans, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int
    ) -> Latents:
        return change(_rounded_in_order(self, latents, pixels, quality, effort), pixels, latents)

    return {**_QUARTERS, "quantize": quantize}


def _in_quarters(change: Callable[[NDArray[np.float32]], Any]) -> dict[str, Any]:
    def analysis(self: SmoothMeans, pixels: Pixels, quality: int, effort: int) -> dict[str, Any]:
        return {"y": change(_unrounded(self, pixels, quality, effort)["y"])}

    return {**_QUARTERS, "analysis": analysis}


def _traits(**changes: Any) -> dict[str, Any]:
    return {"traits": replace(SmoothMeans.traits, **changes)}


def _spec(**changes: Any) -> dict[str, Any]:
    return _traits(latents=(replace(SmoothMeans.traits.latents[0], **changes),))


def _entropy(**members: Any) -> dict[str, Any]:
    changed = type("Changed", (Checkerboard,), members)
    return {"entropy": lambda self, quality: changed()}


def _context(tables: Any, offsets: Any = 0) -> dict[str, Any]:
    return _entropy(context=lambda self, stage, known: StageContext(tables, offsets))


def _plus_one_step_at_the_end(array: IntArray) -> IntArray:
    changed = array.copy()
    changed[..., -1, -1] += 4
    return changed


def _overwrite(array: NDArray[Any], result: Any) -> Any:
    array += 1
    return result


def _peek(self: EntropyModel, stage: int, known: Mapping[str, IntArray]) -> StageContext:
    return StageContext(np.array(0), known["y"].max(keepdims=True))


def _write_known(self: EntropyModel, stage: int, known: Mapping[str, IntArray]) -> StageContext:
    known["y"][...] = 1
    return StageContext(np.array(0))


def _mean_of_all_frames(self: EntropyModel, stage: int, known: Mapping[str, IntArray]) -> StageContext:
    return StageContext(np.array(0), known["y"][:, :, ::2, ::2].mean(keepdims=True).astype(np.int32))


def _code_nothing(self: EntropyModel, stage: int, known: Mapping[str, IntArray]) -> StageContext:
    return StageContext(np.array(-1))


_ANYTHING_GOES = classmethod(lambda cls, file: cls())
_COUNTER = iter(range(10**9))

_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("test_traits_are_consistent", _traits(modes=())),
    ("test_traits_are_consistent", _traits(modes=("CMYK",))),
    ("test_traits_are_consistent", _traits(size=AnySize(3, 3))),
    ("test_traits_are_consistent", _traits(size=AnySize(4, 6))),
    ("test_traits_are_consistent", _traits(size=FixedSize(0, 8))),
    ("test_traits_are_consistent", _traits(efforts=(3, 1))),
    ("test_traits_are_consistent", _traits(efforts=(0, 10))),
    ("test_traits_are_consistent", _traits(coder="gzip")),
    ("test_traits_are_consistent", _traits(latents=())),
    ("test_traits_are_consistent", _traits(latents=SmoothMeans.traits.latents * 2)),
    ("test_traits_are_consistent", _spec(channels=0)),
    ("test_traits_are_consistent", _spec(minimum=255)),
    ("test_traits_are_consistent", _spec(stride=8)),
    ("test_analysis_returns_the_declared_arrays", _analysis(lambda p, y: {"y": y["y"].astype(np.int64)})),
    ("test_analysis_returns_the_declared_arrays", _analysis(lambda p, y: {"z": y["y"]})),
    ("test_analysis_returns_the_declared_arrays", _analysis(lambda p, y: {"y": y["y"][..., 1:]})),
    ("test_analysis_returns_the_declared_arrays", _spec(maximum=254)),
    ("test_synthesis_returns_pixels_for_any_latents_in_range", _synthesis(lambda y, p: p.astype(np.float32))),
    ("test_synthesis_returns_pixels_for_any_latents_in_range", _synthesis(lambda y, p: p[:, 1:])),
    ("test_a_picture_does_not_depend_on_its_batch", _analysis(lambda p, y: {"y": y["y"] - y["y"].min() + len(p)})),
    ("test_a_picture_does_not_depend_on_its_batch", _analysis(lambda p, y: {"y": y["y"][:1].repeat(len(p), axis=0)})),
    ("test_a_picture_does_not_depend_on_its_batch", _synthesis(lambda y, p: (p // len(p)).astype(np.uint8))),
    ("test_equal_input_gives_equal_output", _analysis(lambda p, y: {"y": y["y"] ^ (next(_COUNTER) & 1)})),
    ("test_equal_input_gives_equal_output", _synthesis(lambda y, p: p ^ (next(_COUNTER) & 1))),
    ("test_encoding_twice_gives_the_same_bytes", _analysis(lambda p, y: {"y": y["y"] ^ (next(_COUNTER) & 1)})),
    ("test_views_are_taken_and_left_unchanged", _analysis(lambda p, y: _overwrite(p, y))),
    ("test_views_are_taken_and_left_unchanged", _synthesis(lambda y, p: _overwrite(y["y"], p))),
    ("test_quality_means_what_the_traits_say", _traits(qualities=False)),
    ("test_quality_means_what_the_traits_say", {"synthesis": lambda self, y, q: _flat_pixels(y)}),
    ("test_tiles_and_whole_agree", _traits(size=AnySize(4, 0))),
    ("test_tiles_and_whole_agree", _synthesis(lambda y, p: p + np.uint8(p.shape[1] % 7))),
    ("test_a_picture_larger_than_a_block_comes_back", _synthesis(lambda y, p: p ^ np.uint8(sum(p.shape) & 255))),
    (
        "test_files_decode_to_what_synthesis_gives",
        _entropy(stages=lambda self, shapes: Checkerboard().stages(shapes)[:3]),
    ),
    ("test_every_quality_and_effort_makes_a_file", _synthesis(lambda y, p: p + np.uint8(16 * next(_COUNTER)))),
    ("test_grey_pictures_go_through", _entropy(stages=lambda self, shapes: Checkerboard().stages(shapes)[:3])),
    ("test_stages_cover_every_symbol_once", _entropy(stages=lambda self, shapes: Checkerboard().stages(shapes)[:3])),
    ("test_stages_cover_every_symbol_once", _entropy(stages=lambda self, shapes: [*Checkerboard().stages(shapes)] * 2)),
    ("test_stages_cover_every_symbol_once", _entropy(stages=lambda self, shapes: [Stage("z", (slice(None),) * 4)])),
    ("test_contexts_fit_their_stages", _context(np.array(2))),
    ("test_contexts_fit_their_stages", _context(np.array(-2))),
    ("test_contexts_fit_their_stages", _entropy(tables=None, context=_code_nothing)),
    ("test_contexts_fit_their_stages", _context(np.array(0), np.array(1 << 30))),
    ("test_contexts_fit_their_stages", _context(np.array(0), np.array(-1 << 30))),
    ("test_contexts_fit_their_stages", _context(np.array(0.0))),
    ("test_contexts_fit_their_stages", _context(np.array(0), np.array(0.5))),
    ("test_contexts_fit_their_stages", _entropy(tables=None)),
    ("test_contexts_depend_on_coded_symbols_only", _entropy(context=_peek)),
    ("test_contexts_depend_on_coded_symbols_only", _entropy(context=_write_known)),
    (
        "test_any_latents_in_range_survive_coding",
        _entropy(stages=lambda self, shapes: Checkerboard().stages(shapes)[:3]),
    ),
    ("test_any_latents_in_range_survive_coding", _context(np.array(-1), np.array(256))),
    ("test_any_latents_in_range_survive_coding", {**_spec(step=512), **_context(np.array(0), np.array(300))}),
    (
        "test_contexts_that_quantization_gives_are_those_of_a_decoder",
        _quantize(lambda y, p, f: QuantizedLatents(y, [StageContext(np.array(0))] * 4)),
    ),
    (
        "test_contexts_that_quantization_gives_are_those_of_a_decoder",
        _quantize(lambda y, p, f: QuantizedLatents(y, [StageContext(np.array(0))])),
    ),
    ("test_traits_are_consistent", _spec(step=256)),
    ("test_analysis_returns_the_declared_arrays", _in_quarters(lambda y: y > 0)),
    ("test_analysis_returns_the_declared_arrays", _in_quarters(lambda y: y[..., 1:])),
    ("test_analysis_returns_the_declared_arrays", {**_QUARTERS, "analysis": lambda self, p, q, e: {}}),
    ("test_analysis_returns_the_declared_arrays", _quantize(lambda y, p, f: {"y": y["y"].astype(np.int64)})),
    ("test_analysis_returns_the_declared_arrays", _quantize(lambda y, p, f: {"y": y["y"] + 10**6})),
    ("test_a_picture_does_not_depend_on_its_batch", _quantize(lambda y, p, f: {"y": y["y"] + 4 * len(p)})),
    ("test_a_picture_does_not_depend_on_its_batch", _in_quarters(lambda y: y + np.float32(0.01) * y.mean())),
    ("test_equal_input_gives_equal_output", _quantize(lambda y, p, f: {"y": y["y"] + 4 * (next(_COUNTER) & 1)})),
    ("test_views_are_taken_and_left_unchanged", _quantize(lambda y, p, f: _overwrite(p, y))),
    ("test_views_are_taken_and_left_unchanged", _quantize(lambda y, p, f: _overwrite(f["y"], y))),
    ("test_views_are_taken_and_left_unchanged", _quantize(lambda y, p, f: {"y": y["y"] + 8 * f["y"].data.contiguous})),
    ("test_quality_means_what_the_traits_say", {**_QUARTERS, **_traits(latents=_QUARTER_SPECS, qualities=False)}),
    ("test_tiles_and_whole_agree", {**_QUARTERS, **_traits(latents=_QUARTER_SPECS, size=AnySize(4, 0))}),
    ("test_files_decode_to_what_synthesis_gives", _quantize(lambda y, p, f: {"y": y["y"] + 1})),
    ("test_files_of_a_batch_decode_to_what_synthesis_gives", {**_QUARTERS, **_entropy(context=_mean_of_all_frames)}),
    ("test_every_quality_and_effort_makes_a_file", _quantize(lambda y, p, f: {"y": _plus_one_step_at_the_end(y["y"])})),
    ("test_a_model_file_that_lacks_a_tensor_is_refused", {"from_file": _ANYTHING_GOES}),
    (
        "test_a_model_file_with_a_tensor_of_another_shape_is_refused",
        {"from_file": _ANYTHING_GOES},
    ),
]


def _flat_pixels(latents: Mapping[str, IntArray]) -> Pixels:
    frames, _, height, width = latents["y"].shape
    return np.zeros((frames, height * SmoothMeans.BLOCK, width * SmoothMeans.BLOCK, 1), np.uint8)


@pytest.mark.parametrize(("test", "fault"), _FAULTS, ids=[f"{test}-{n}" for n, (test, _) in enumerate(_FAULTS)])
def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch, test: str, fault: dict[str, Any]) -> None:
    for name, value in fault.items():
        monkeypatch.setattr(SmoothMeans, name, value)
    with pytest.raises((AssertionError, NncError)):
        check(test)


def test_a_halo_that_is_too_small_is_told_with_the_one_that_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmoothMeans, "traits", replace(SmoothMeans.traits, size=AnySize(4, 0)))
    with pytest.raises(AssertionError, match="the halo is 0, a halo of 4 would do"):
        check("test_tiles_and_whole_agree")
    change = _analysis(lambda p, y: {"y": (y["y"] + p.mean()).clip(0, 255).astype(np.int32)})
    monkeypatch.setattr(SmoothMeans, "analysis", change["analysis"])
    with pytest.raises(AssertionError, match="the halo is 0, no halo up to 128 would do"):
        check("test_tiles_and_whole_agree")


def test_a_shape_that_does_not_broadcast_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmoothMeans, "entropy", _context(np.zeros((7, 5), np.int32))["entropy"])
    with pytest.raises(BadModelFile, match="broadcast"):
        check("test_contexts_fit_their_stages")


def test_a_config_that_would_end_the_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = SmoothMeans.from_file.__func__  # type: ignore[attr-defined]

    def from_file(cls: type[SmoothMeans], file: ModelFile) -> CodecModel:
        if file.config != {"block": SmoothMeans.BLOCK}:
            raise SystemExit(1)
        return sound(cls, file)  # type: ignore[no-any-return]

    monkeypatch.setattr(SmoothMeans, "from_file", classmethod(from_file))
    check("test_a_hostile_config_opens_or_is_refused")


def test_tests_that_do_not_apply_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmoothMeans, "traits", replace(SmoothMeans.traits, size=FixedSize(8, 12)))
    check(_FOR_FIXED_SIZES)
    with pytest.raises(pytest.skip.Exception):
        check("test_tiles_and_whole_agree")


# --- contexts in floating point -----------------------------------------------------------------------------------


class FloatContexts(Checkerboard):
    """Means and scales of the later stages come from a network in float32, which is not exact."""

    def __init__(self, *, guarded: bool = False, exact: bool = False) -> None:
        torch.manual_seed(0)
        layers = [nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()]
        network = nn.Sequential(*layers, nn.Conv2d(64, 2, 1)).requires_grad_(False)
        self._network = exact_network(network) if exact else network
        self._guarded = guarded
        frequencies = np.full((64, 256), 1, np.uint32)
        frequencies[:, 0] = (1 << 16) - 255
        self.tables = Tables(frequencies, -128, 16)

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        with torch.inference_mode(), torch.autocast("cpu", enabled=False) if self._guarded else nullcontext():
            result = self._network(torch.from_numpy(known["y"].astype(np.float32)))
            index, mean = (result * 1000).round().int().chunk(2, 1)
        where = self.stages(shapes_of(known))[stage].where
        return StageContext((index % 64).numpy()[where], mean.numpy()[where] % 100)


@pytest.mark.parametrize(
    ("guarded", "test"),
    [
        (False, "test_contexts_are_the_same_on_every_backend"),
        (True, "test_contexts_of_a_larger_block_are_the_same_without_kernels_of_the_processor"),
    ],
)
def test_contexts_in_floating_point_are_refused(monkeypatch: pytest.MonkeyPatch, guarded: bool, test: str) -> None:
    contexts = FloatContexts(guarded=guarded)
    monkeypatch.setattr(SmoothMeans, "entropy", lambda self, quality: contexts)
    with pytest.raises(AssertionError, match="files would be unreadable there; compute them in integers"):
        check(test)


def test_a_network_made_exact_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = FloatContexts(exact=True)
    monkeypatch.setattr(SmoothMeans, "entropy", lambda self, quality: contexts)
    check("test_contexts_are_the_same_on_every_backend")
