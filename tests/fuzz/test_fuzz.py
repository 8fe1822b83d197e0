"""A short run of every fuzz target from a fixed seed; `run.py` runs them for as long as you like."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator

import pytest
from fuzz.run import CORPUS, fuzz, limit_memory
from fuzz.targets import Target, make_targets, toy_models

NAMES = ("header", "pillow", "decode", "alpha", "preview", "metadata", "model", "save")
CODERS = ("stored", "planar", "sorted", "rans")
RUNS = {"save": 25, "pillow": 60, "decode": 120}


@pytest.fixture(scope="module")
def targets() -> Iterator[dict[str, Target]]:
    """All targets, with toy models installed."""
    with toy_models() as folder:
        yield make_targets(folder)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited with Linux's means")
@pytest.mark.parametrize("name", [*NAMES, *CODERS])
def test_mutated_inputs_give_a_result_or_a_documented_exception(targets: dict[str, Target], name: str) -> None:
    before = limit_memory()
    try:
        assert fuzz(name, targets[name], seed=1, runs=RUNS.get(name, 300)) > 0
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_every_target_is_tested_and_every_corpus_has_a_target(targets: dict[str, Target]) -> None:
    assert targets.keys() == {*NAMES, *CODERS}
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= targets.keys()
