"""The contract tests that the author of a lossless model inherits; see `nncodec.testing`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np

import nncodec
from nncodec.errors import FormatError
from nncodec.plugin import registry
from nncodec.plugin.lossless import LosslessModel, Samples
from nncodec.plugin.model_file import ModelInfo
from nncodec.plugin.traits import problem_with_traits
from nncodec.testing.model_file import ModelFileContract

_SHAPES = ((1, 1, 1), (1, 1, 9), (1, 13, 1), (2, 3, 5), (1, 33, 47), (3, 16, 16))  # (N, H, W)
_SLACK_BYTES = 32
_DAMAGES = 60


class LosslessContract(ModelFileContract):
    """What core relies on in every lossless model; subclass it and name a model, see `FileUnderTest`."""

    model: ClassVar[LosslessModel]

    @classmethod
    def _open(cls, name_or_info: str | ModelInfo) -> LosslessModel:
        return registry.open_lossless(name_or_info)

    # --- traits -----------------------------------------------------------------------------------------------

    def test_traits_are_consistent(self) -> None:
        """They are checked when the model opens, and must stay as they were then."""
        problem = problem_with_traits(self.model.traits)
        assert problem is None, problem

    # --- blocks -----------------------------------------------------------------------------------------------

    def test_every_depth_number_of_planes_and_size_comes_back(self) -> None:
        for bits in self._depths():
            for planes in self._planes():
                for shape in _SHAPES:
                    for samples in self._blocks((*shape, planes), bits):
                        self._check(samples, bits, self.model.traits.efforts[0])

    def test_every_effort_comes_back(self) -> None:
        bits = min(8, self.model.traits.max_bits)
        for effort in self.model.traits.efforts:
            for samples in self._blocks((1, 40, 50, min(3, self.model.traits.max_planes)), bits):
                self._check(samples, bits, effort)

    def test_threads_do_not_disturb_one_another(self) -> None:
        bits = min(8, self.model.traits.max_bits)
        blocks = [samples for seed in range(3) for samples in self._blocks((1, 30, 40, 1), bits, seed)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda samples: self._check(samples, bits, self.model.traits.efforts[0]), blocks))

    # --- damage -----------------------------------------------------------------------------------------------

    def test_a_damaged_payload_is_a_value_error_or_samples_in_range(self) -> None:
        rng = np.random.default_rng(0)
        bits = min(8, self.model.traits.max_bits)
        shape = (1, 12, 17, 1)
        for samples in self._blocks(shape, bits):
            payload = self.model.encode(samples, bits, self.model.traits.efforts[0])
            for _ in range(_DAMAGES):
                damaged = bytearray(payload)
                damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
                self._survive(bytes(damaged), shape, bits)
                self._survive(payload[: rng.integers(len(payload))], shape, bits)
            self._survive(payload + b"\0", shape, bits)
            self._survive(payload, (1, 12, 16, 1), bits)

    def test_a_damaged_file_is_refused(self) -> None:
        data = nncodec.encode(self._picture(), self.model_info.name)
        for place in range(0, len(data), 3):
            damaged = data[:place] + bytes((data[place] ^ 0x10,)) + data[place + 1 :]
            try:
                nncodec.decode(damaged, as_array=True)
            except FormatError:
                continue
            raise AssertionError(f"a file with a changed byte at {place} was decoded")

    # --- files ------------------------------------------------------------------------------------------------

    def test_files_come_back(self) -> None:
        array = self._picture()
        data = nncodec.encode(array, self.model_info.name)
        assert nncodec.inspect(data).lossless
        assert np.array_equal(nncodec.decode(data, as_array=True), array)
        assert len(data) <= array.nbytes + 64 + _SLACK_BYTES

    # --- what the tests share -----------------------------------------------------------------------------------

    def _depths(self) -> list[int]:
        most = self.model.traits.max_bits
        return sorted({1, min(2, most), min(8, most), min(12, most), most})

    def _planes(self) -> list[int]:
        most = self.model.traits.max_planes
        return sorted({1, min(3, most), min(4, most), most})

    @staticmethod
    def _blocks(shape: tuple[int, int, int, int], bits: int, seed: int = 0) -> Iterator[Samples]:
        """Yield noise, a gradient, and two colours, uint16 of a shape and depth."""
        rng = np.random.default_rng(seed)
        top = (1 << bits) - 1
        yield rng.integers(0, top, shape, np.uint16, endpoint=True)
        slope = np.add.outer(np.arange(shape[1]), np.arange(shape[2]))[None, :, :, None]
        yield np.broadcast_to((slope * (top + 1) // (shape[1] + shape[2])).astype(np.uint16), shape).copy()
        yield np.where(rng.random(shape) < 0.1, top, 0).astype(np.uint16)
        yield np.full(shape, top, np.uint16)

    @staticmethod
    def _picture() -> np.ndarray:
        return np.random.default_rng(1).integers(0, 256, (9, 11)).astype(np.uint8)

    def _check(self, samples: Samples, bits: int, effort: int) -> None:
        given = samples.copy()
        payload = self.model.encode(samples, bits, effort)
        assert np.array_equal(samples, given), "encode changed the samples that it was given"
        assert isinstance(payload, bytes), f"encode returned {type(payload).__name__}"
        raw_bytes = -(-samples.size * bits // 8)
        assert 0 < len(payload) <= raw_bytes + _SLACK_BYTES, f"{len(payload)} bytes for {raw_bytes} of raw samples"
        found = self.model.decode(payload, samples.shape, bits)
        assert found.dtype == np.uint16, f"decode returned {found.dtype}"
        what = f"{bits} bits, shape {samples.shape}, effort {effort}"
        assert np.array_equal(found, samples), f"the samples did not come back: {what}"

    def _survive(self, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> None:
        """Decode what may be damaged: samples of the right kind or a ValueError of one line."""
        try:
            found = self.model.decode(payload, shape, bits)
        except ValueError:
            return
        assert found.dtype == np.uint16, f"it decoded {found.dtype}"
        assert found.shape == shape, f"it decoded shape {found.shape}"
        assert not found.max() >> bits, "it decoded samples with too many bits"
