"""A short run of every fuzz target from a fixed seed; `run.py` runs them for as long as you like."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz.contract import Target
from fuzz.run import CORPUS, fuzz, fuzz_in_rounds, limit_memory
from fuzz.targets import make_targets, toy_models

FILES = ("header", "decode", "zarr", "pillow", "save", "resave", "options")
MODELS = ("model", "record", "log", "checkpoint")
CHUNKS = ("alpha", "exact_alpha", "preview", "metadata")
CODERS = ("stored", "planar", "sorted", "escaped", "rans", "lossless", "synthetic", "natural")
NAMES = (*FILES, *MODELS, *CHUNKS, *CODERS)
RUNS = 200


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, Target]]:
    """All targets, with toy models installed."""
    with toy_models() as folder:
        yield make_targets(folder)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited with Linux's means")
@pytest.mark.parametrize("name", NAMES)
def test_mutated_inputs_give_a_result_or_a_documented_exception(targets: dict[str, Target], name: str) -> None:
    before = limit_memory()
    try:
        assert fuzz(name, targets[name], seed=1, runs=RUNS // targets[name].cost) > 0
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_every_target_is_tested_and_every_corpus_has_a_target(targets: dict[str, Target]) -> None:
    assert targets.keys() == {*NAMES}
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= targets.keys()


def test_rounds_keep_findings_and_counts_and_go_on(
    targets: dict[str, Target], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(data: bytes) -> None:
        if len(data) > 4:
            raise RuntimeError(f"{len(data)} bytes")

    chosen = {"bad": Target(fail, (b"abcd",), ()), "alpha": targets["alpha"]}
    for rounds in (1, 2):
        assert not fuzz_in_rounds(chosen, tmp_path, 0)
        counts = json.loads((tmp_path / "counts.json").read_text())
        assert counts["rounds"] == rounds
        assert counts["runs"] == {"bad": 0, "alpha": rounds * (2000 + len(targets["alpha"].seeds))}
    assert list((tmp_path / "bad").iterdir())
    assert "bad: RuntimeError" in capsys.readouterr().out
