"""The most expensive small file that we know: a thousandth of it, and all on request; SECURITY.md states its cost."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import header
from numpy.typing import NDArray

import nncodec
from nncodec.coding.grid import Grid
from nncodec.format.container import write
from nncodec.format.entropy import coder_by_id, decode_block
from nncodec.format.entropy.base import Alphabet, Coder, StageSymbols, SymbolReader
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header
from nncodec.format.samples import SampleFormat
from nncodec.limits import DEFAULT_LIMITS
from nncodec.plugin import registry
from nncodec.plugin.latents import IntArray

PER_BLOCK = 1 << 13


class _Zeros(Coder, SymbolReader):
    """Decodes only zeros, and notes with which tables, so that they can be encoded."""

    id = CoderId.ZSTD

    def __init__(self) -> None:
        self.stages: list[StageSymbols] = []

    def encode(self, stages: Any, alphabet: Alphabet) -> bytes:
        raise NotImplementedError

    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        self.alphabet = alphabet
        return self

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        self.stages.append(StageSymbols(np.zeros(tables.size, np.int32), np.array(tables)))
        return self.stages[-1].symbols

    def finish(self) -> None:
        """Do nothing."""


def worst_header(frames: int) -> Header:
    """Return the header of a file of frames of 1 x 1, which the model computes as 32 x 32 pixels each."""
    digest = registry.catalog().find("photo").id_bytes[:4]
    return header(model_id=digest, width=1, height=1, frames=frames, frames_per_block=min(frames, PER_BLOCK))


def worst_payload(fields: Header) -> bytes:
    """Return the smallest payload of its first block that decodes."""
    model = registry.open_model("photo")
    entropy, specs = model.entropy(fields.quality or 0), model.traits.latents
    cell = Grid.of(fields, model.traits).cell(0, 0, 0)
    shapes = {spec.name: spec.shape(cell.frames.size, cell.rows.size, cell.columns.size) for spec in specs}
    zeros = _Zeros()
    decode_block(zeros, b"", entropy, specs, shapes)
    return coder_by_id(CoderId.ZSTD).encode(zeros.stages, zeros.alphabet)


def test_the_worst_small_file_costs_what_is_stated() -> None:
    computed = DEFAULT_LIMITS.computed_pixels
    most = computed // 32**2
    payload = worst_payload(worst_header(PER_BLOCK // 32))
    one_more = write(worst_header(most + 1), {}, [payload] * -(-(most + 1) // PER_BLOCK))
    with pytest.raises(nncodec.LimitExceeded) as caught:
        nncodec.decode(one_more)
    assert caught.value.limit == computed
    part = PER_BLOCK // 32
    started = time.process_time()
    frames = sum(1 for _ in nncodec.decode_frames(write(worst_header(part), {}, [payload])))
    spent = time.process_time() - started
    assert frames == part
    # 3 minutes on two cores for all of it; the factor of 2 is for slower machines.
    assert spent < 2 * 360 * part / most


def slowest_file() -> bytes:
    """Return all of it."""
    most = DEFAULT_LIMITS.computed_pixels // 32**2
    full, rest = worst_payload(worst_header(PER_BLOCK)), worst_payload(worst_header(most % PER_BLOCK))
    return write(worst_header(most), {}, [*[full] * (most // PER_BLOCK), rest])


def largest_file() -> bytes:
    """Return an exact picture of one colour, as large as the limits allow, with alpha that is an exact file, too."""
    edge = int(DEFAULT_LIMITS.pixels**0.5)
    alpha = _flat_file(edge, ColourMode.L, {})
    return _flat_file(edge, ColourMode.RGB, {ChunkType.ALPHA: alpha})


def _flat_file(edge: int, mode: ColourMode, chunks: dict[int, bytes]) -> bytes:
    model = registry.catalog().find("lossless/any")
    samples = SampleFormat(8, mode.planes)
    identity: dict[str, Any] = {"model_id": model.id_bytes[:4], "quality": None, "coder": CoderId.LOSSLESS}
    fields = header(mode=mode, width=edge, height=edge, block_edge_log2=11, samples=samples, **identity)

    @functools.cache
    def block(rows: int, columns: int) -> bytes:
        flat = np.full((1, rows, columns, mode.planes), 90, np.uint16)
        return registry.open_lossless(model).encode(flat, samples.bits, 0)

    cells = Grid(fields, 1, 0).cells()
    return write(fields, chunks, [block(cell.rows.size, cell.columns.size) for cell in cells])


def largest_shown_file() -> bytes:
    """Return a file of a single pixel that is shown as large as the limits allow, with alpha."""
    edge = int((DEFAULT_LIMITS.pixels * 4 / 5) ** 0.5) - 2
    fields = worst_header(1)
    chunks = {ChunkType.ALPHA: _flat_file(edge, ColourMode.L, {})}
    return write(replace(fields, display_size=(edge, edge)), chunks, [worst_payload(fields)])


WHOLE = """
import re, sys, time, nncodec
from pathlib import Path
if sys.argv[2:]:
    pixels = nncodec.decode(sys.argv[1], as_array=True)[..., 0].size
else:
    pixels = sum(image.width * image.height for image in nncodec.decode_frames(sys.argv[1]))
# Unlike `ru_maxrss`, this does not begin with what the parent process took.
peak_kib = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(pixels, time.process_time(), 1024 * int(peak_kib))
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as on Linux")


def cost_of(path: Path, *arguments: str) -> tuple[int, float, int]:
    """Return pixels, processor seconds, and peak memory, bytes, of decoding a file in a process of its own."""
    command = [sys.executable, "-c", WHOLE, path, *arguments]
    pixels, cpu_s, peak_rss_bytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(pixels), float(cpu_s), int(peak_rss_bytes)


@linux
def test_an_array_takes_no_second_copy_of_the_picture(tmp_path: Path) -> None:
    edge = 3 << 11  # whole blocks: all alike, and encoded once
    alpha = _flat_file(edge, ColourMode.L, {})
    (tmp_path / "large.nnc").write_bytes(_flat_file(edge, ColourMode.RGB, {ChunkType.ALPHA: alpha}))
    pixels, _, peak_rss_bytes = cost_of(tmp_path / "large.nnc", "array")
    assert pixels == edge**2
    assert peak_rss_bytes < 150_000_000 + 5 * pixels  # of it 4 bytes a pixel for the array, one for alpha


@linux
@pytest.mark.slow
@pytest.mark.skipif("NNCODEC_WORST_FILES" not in os.environ, reason="minutes and 1.2 GB; set NNCODEC_WORST_FILES")
@pytest.mark.parametrize(
    ("make", "shown", "arguments"),
    [
        (slowest_file, 262_143, ()),
        (largest_file, 13_377**2, ()),
        (largest_file, 13_377**2, ("array",)),
        (largest_shown_file, 11_963**2, ()),
        (largest_shown_file, 11_963**2, ("array",)),
    ],
)
def test_the_worst_small_files_decode_to_their_end_within_the_bounds(
    make: Callable[[], bytes], shown: int, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "worst.nnc"
    path.write_bytes(make())
    assert path.stat().st_size < 4096
    pixels, cpu_s, peak_rss_bytes = cost_of(path, *arguments)
    assert pixels == shown
    assert cpu_s < 360
    assert peak_rss_bytes < 1_200_000_000
