"""Files decode to the same latents, and to pixels within one level, whatever carries out the networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from forged import header
from golden_files import GOLDEN, maker
from PIL import Image
from tiny_hyperprior import tiny_file, tiny_network
from toys import BlockMeans, install, plugin, write_toy

import nncodec
from nncodec.coding import decoder
from nncodec.coding.decoder import open_file_model
from nncodec.coding.grid import Grid
from nncodec.engine import choice
from nncodec.engine.arrays import ArrayLoader
from nncodec.engine.runtime import RuntimeLoader
from nncodec.errors import BadModelFile, FormatError, InvalidOption, ModelError, NncError
from nncodec.format.container import Container, write
from nncodec.format.entropy import coder_by_id, decode_block
from nncodec.plugin import registry
from nncodec.plugin.codec import CodecModel, EngineDecoder
from nncodec.plugin.engine import Loader
from nncodec.plugin.entropy import BlockEntropy, EntropyModel, Shapes, Stage, StageContext, Tables
from nncodec.plugin.hooks import ArchitectureSpec
from nncodec.plugin.latents import IntArray
from nncodec.plugin.model_file import ModelFile, read_model
from nncodec.plugin.self_test import block_latents as latents_to_code
from nncodec.plugin.self_test import contexts_of

# Small files of each model that decodes without torch; benchmarks.backends takes Kodak's pictures.
NAMES = ("hyper-q35", "hyper-q100", "hyper-grey", "psnr-q35", "photo-q50", "photo-frames", "photo-reduced")
NAMES += ("digits", "fashion", "fashion-stack")


@pytest.fixture(params=["numpy", "onnx"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Choose an engine for the test, or skip where it is not installed."""
    name: str = request.param
    if name == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    monkeypatch.setenv(choice.ENGINE_VARIABLE, name)
    return name


@pytest.fixture
def loader(engine: str) -> Loader:
    """Return what makes networks ready for the engine."""
    return {"numpy": ArrayLoader(), "onnx": RuntimeLoader()}[engine]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("engine")
def test_a_golden_file_decodes_as_it_does_in_torch(name: str) -> None:
    path = GOLDEN / "v1" / f"{name}.nnc"
    model = open_file_model(Container(path.read_bytes()))
    assert isinstance(model, EngineDecoder)
    index = json.loads((GOLDEN / "v1" / "index.json").read_text())
    assert maker().latents_digest(path.read_bytes()) == index[name]["latents_sha256"]
    for number, frame in enumerate(nncodec.decode_frames(path.read_bytes())):
        with Image.open(path.with_name(f"{name}-{number}.png")) as expected:
            assert (frame.mode, frame.size) == (expected.mode, expected.size)
            assert np.abs(np.asarray(frame, int) - np.asarray(expected, int)).max() <= 1


def _tiny(gain: float, *, plain: bool) -> ModelFile:
    """Return a small model; a plain one has no detail channels and is padded with zeros."""
    model_file = tiny_file(tiny_network(gain))
    if not plain:
        return model_file
    config = {key: value for key, value in model_file.config.items() if key not in ("padding", "detail_quality")}
    tensors = {name: value for name, value in model_file.tensors.items() if ".detail_" not in name}
    wide = sum(model_file.config["groups"])
    for name, shape in {"analysis_down.weight": (wide, 192, 2, 2), "synthesis_up.weight": (wide, 192, 2, 2)}.items():
        tensors[f"network.transforms.{name}"] = np.resize(tensors[f"network.transforms.{name}"], shape)
    for name, value in tensors.items():
        if name.startswith(("network.transforms.analysis_coarse", "network.transforms.synthesis_coarse")):
            tensors[name] = np.resize(value, tuple(_widened(size, wide) for size in value.shape))
    tensors["network.transforms.analysis_down.bias"] = np.zeros(wide, np.float16)
    return replace(model_file, config=config, tensors=tensors)


def _widened(size: int, wide: int) -> int:
    return {4: wide, 8: 2 * wide}.get(size, size)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("gain", [1.0, 40.0])
def test_a_small_model_computes_what_it_does_in_torch(loader: Loader, gain: float, plain: bool) -> None:
    model_file = _tiny(gain, plain=plain)
    codec = registry.build_model(model_file)
    assert isinstance(codec, CodecModel)
    own = registry.build_decoder(model_file, loader)
    assert replace(codec.traits, efforts=(0,), seconds_per_megapixel=()) == own.traits
    for quality in (0, 29, 30, 77, 100):
        latents = latents_to_code(codec.entropy(quality), codec.traits.latents, (2, 96, 64))
        expected = contexts_of(codec.entropy(quality), latents)
        for found, wanted in zip(contexts_of(own.entropy(quality), latents), expected, strict=True):
            np.testing.assert_array_equal(found[0], wanted[0])
            np.testing.assert_array_equal(found[1], wanted[1])
        latents["y"] %= 64
        pixels = own.synthesis(latents, quality)
        assert pixels.dtype == np.uint8
        with nncodec.precision("float32"):
            wanted_pixels = codec.synthesis(latents, quality)
        assert np.abs(pixels.astype(int) - wanted_pixels).max() <= 1


# --- hostile files ------------------------------------------------------------------------------------------------


def _changed(model_file: ModelFile) -> Iterator[tuple[str, ModelFile]]:
    tensors, config = model_file.tensors, model_file.config
    mean, gain = "exact.prior.hyper_decoder.mean.weight", "network.transforms.log_gain"
    for name in ("grind", "network.grind", "exact.grind", "tables.grind"):
        yield name, replace(model_file, tensors={**tensors, name: np.zeros(1, np.float16)})
    for name in (mean, gain, "tables.range", "tables.certain"):
        yield f"without {name}", replace(model_file, tensors={k: v for k, v in tensors.items() if k != name})
    for name, value in {
        mean: np.full_like(tensors[mean], 32767),
        gain: np.full_like(tensors[gain], np.nan),
        "network.transforms.synthesis_up.weight": tensors["network.transforms.synthesis_up.weight"][:1],
        "exact.prior.contexts.0.here.weight": tensors["exact.prior.contexts.0.here.weight"].astype(np.int32),
        "tables.hyper_choice": tensors["tables.hyper_choice"] + np.uint8(200),
        "tables.certain": np.array([64], np.int32),
    }.items():
        yield f"another {name}", replace(model_file, tensors={**tensors, name: value})
    for key, value in {"grind": 1, "hidden": 1 << 40, "groups": [4, -8], "fine_blocks": 17, "padding": "odd"}.items():
        yield f"config {key}", replace(model_file, config={**config, key: value})


def test_a_hostile_model_file_is_refused_as_it_is_in_torch(loader: Loader) -> None:
    for _, model_file in _changed(tiny_file(tiny_network())):
        with pytest.raises(BadModelFile) as refused:
            registry.build_model(model_file)
        with pytest.raises(BadModelFile) as also_refused:
            registry.build_decoder(model_file, loader)
        assert "\n" not in str(refused.value) + str(also_refused.value)


class _Recorded(EntropyModel):
    """An entropy model that remembers the contexts it gave."""

    def __init__(self, model: EntropyModel) -> None:
        self._model = model
        self.digest = hashlib.sha256()

    @property
    def tables(self) -> Tables | None:
        return self._model.tables

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return self._model.stages(shapes)

    def begin_block(self, shapes: Shapes) -> BlockEntropy:
        self._contexts = self._model.begin_block(shapes).context
        return super().begin_block(shapes)

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        context = self._contexts(stage, known)
        for part in context:
            self.digest.update(np.asarray(part, np.int32).tobytes())
        return context


def _outcome(container: Container, payload: bytes, loader: Loader | None) -> tuple[str, str]:
    """Return how decoding a payload ends, and a hash of all contexts on the way."""
    header = container.header
    model = registry.open_decoder(registry.catalog().find_by_id(header.model_id), loader)
    specs, entropy = model.traits.latents, _Recorded(model.entropy(header.quality or 0))
    cell = Grid.of(header, model.traits).cell(0, 0, 0)
    shapes = {spec.name: spec.shape(1, cell.rows.size, cell.columns.size) for spec in specs}
    try:
        decode_block(coder_by_id(header.coder), payload, entropy, specs, shapes)
    except FormatError as error:
        return str(error), entropy.digest.hexdigest()
    return "", entropy.digest.hexdigest()


def test_a_forged_payload_has_the_same_outcome_as_in_torch(loader: Loader) -> None:
    container = Container((GOLDEN / "v1" / "hyper-q35.nnc").read_bytes())
    payload, random, outcomes = container.block(0), np.random.default_rng(7), set()
    for _ in range(12):
        forged = bytearray(payload)
        forged[random.integers(len(forged) - 1)] ^= 1 << random.integers(8)
        own = _outcome(container, bytes(forged), loader)
        assert own == _outcome(container, bytes(forged), None)
        outcomes.add(own)
    assert len(outcomes) > 6


def test_absurd_weights_give_pixels_without_a_warning(loader: Loader) -> None:
    model_file = tiny_file(tiny_network())
    huge = {
        name: np.full_like(value, 60_000) if ".synthesis_" in name and value.dtype == np.float16 else value
        for name, value in model_file.tensors.items()
    }
    own = registry.build_decoder(replace(model_file, tensors=huge), loader)
    latents = latents_to_code(own.entropy(50), own.traits.latents, (1, 64, 64))
    assert own.synthesis(latents, 50).shape == (1, 64, 64, 3)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_of_onnx_runtime_change_no_latent(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    monkeypatch.setenv(choice.ENGINE_VARIABLE, "onnx")
    monkeypatch.setattr("nncodec.engine.runtime.allowed_threads", lambda: threads)
    registry.refresh()
    index = json.loads((GOLDEN / "v1" / "index.json").read_text())
    for name in ("hyper-q100", "psnr-q35"):
        assert maker().latents_digest((GOLDEN / "v1" / f"{name}.nnc").read_bytes()) == index[name]["latents_sha256"]
    registry.refresh()


def test_bundled_models_pass_their_self_test(loader: Loader) -> None:
    for name in ("hyperprior/photo", "hyperprior/photo-psnr", "conv/photo"):
        model_info = registry.catalog().find(name)
        assert isinstance(registry.open_decoder(model_info, loader), EngineDecoder)


@pytest.mark.usefixtures("engine")
def test_a_machine_that_computes_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncodec_hyperprior.exact_networks.ACTIVATION_LIMIT", 3)
    registry.refresh()
    try:
        with pytest.raises(ModelError, match="self-test"):
            nncodec.decode((GOLDEN / "v1" / "hyper-q35.nnc").read_bytes())
    finally:
        registry.refresh()


# --- the choice ---------------------------------------------------------------------------------------------------


def test_small_files_decode_in_numpy_until_torch_is_loaded_or_would_have_been_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(choice.ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(choice._Count, "pixels", 0)
    assert choice.chosen_loader(1) is None  # torch is loaded here
    monkeypatch.delitem(choice.sys.modules, "torch")
    assert choice.chosen_loader(choice.PIXELS_WITHOUT_TORCH + 1) is None
    assert isinstance(choice.chosen_loader(choice.PIXELS_WITHOUT_TORCH), ArrayLoader)
    choice.count_without_torch(choice.PIXELS_WITHOUT_TORCH)
    assert choice.chosen_loader(1) is None


def test_many_frames_of_a_pixel_are_no_small_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(decoder, "chosen_loader", lambda pixels: asked.append(pixels))
    digest = registry.catalog().find("hyperprior/photo").id_bytes[:4]
    fields = header(model_id=digest, width=1, height=33, frames=2000)
    open_file_model(Container(write(fields, {}, [b"1"] * 2000)))
    assert asked == [32 * 64 * 2000]


@pytest.mark.usefixtures("engine")
def test_decoding_counts_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice._Count, "pixels", 0)
    data = (GOLDEN / "v1" / "photo-q50.nnc").read_bytes()
    width, height = nncodec.decode(data).size
    nncodec.decode_batch([data, data])
    assert choice._Count.pixels >= 2 * width * height


def test_a_model_without_a_decoder_ignores_the_choice(loader: Loader, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        install(patched, plugin(patched, "blocks", [ArchitectureSpec("blocks", "toys:BlockMeans")]))
        patched.setenv("NNCODEC_MODELS", str(tmp_path))
        path = write_toy(tmp_path / "blocks.safetensors", "blocks/one", "blocks", {})
        registry.refresh()
        assert isinstance(registry.open_decoder(registry.catalog().find("blocks/one"), loader), BlockMeans)
        with pytest.raises(ModelError, match="models of architecture blocks decode with PyTorch only"):
            registry.build_decoder(read_model(path), loader)
    registry.refresh()


@pytest.mark.usefixtures("engine")
def test_an_enhancer_takes_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Loader | None] = []
    monkeypatch.setattr(decoder, "_open", lambda container, loader: used.append(loader))
    data = (GOLDEN / "v1" / "hyper-recommending.nnc").read_bytes()
    with pytest.raises(AttributeError):  # there is no model to go on with
        nncodec.decode(data, enhancer="recommended")
    assert used == [None]


def test_an_unknown_engine_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.ENGINE_VARIABLE, "tensorflow")
    with pytest.raises(InvalidOption, match="'NNCODEC_ENGINE': 'tensorflow' is not torch or numpy or onnx"):
        nncodec.decode((GOLDEN / "v1" / "photo-q50.nnc").read_bytes())


def test_onnx_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.ENGINE_VARIABLE, "onnx")
    monkeypatch.setitem(choice.sys.modules, "onnxruntime", None)
    registry.refresh()
    try:
        with pytest.raises(NncError, match=r'onnxruntime, which is not installed; pip install "nncodec-image\[onnx\]"'):
            nncodec.decode((GOLDEN / "v1" / "photo-q50.nnc").read_bytes())
    finally:
        registry.refresh()
