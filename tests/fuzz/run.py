"""Fuzz for a long time.

python tests/fuzz/run.py --runs 1000000                  # every target, inputs made by the mutators from a seed
python tests/fuzz/run.py header rans --runs 100000       # some of them
python tests/fuzz/run.py pillow --runs 100000 --atheris  # guided by coverage; needs the extra `fuzz`

An input that breaks the contract of `targets.py` is written to `corpus/TARGET/`, and the run ends with status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT), str(ROOT / "plugins"), str(ROOT / "formats")]

from fuzz.mutators import spliced  # noqa: E402 (paths first)
from fuzz.targets import MEMORY_BYTES, SECONDS, Target, make_targets, toy_models  # noqa: E402


class Finding(Exception):
    """An input broke the contract."""


def corpus_of(name: str) -> list[bytes]:
    """Return the inputs that were found for a target."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def limit_memory() -> tuple[int, int]:
    """Limit this process to `MEMORY_BYTES` more than it has; return the limits before."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, before[1]))
    return before


def run_one(target: Target, data: bytes) -> None:
    """Run a target on an input; raises Finding if it breaks the contract."""
    started = time.process_time()
    try:
        target.run(data)
    except target.documented:
        pass
    except Exception as error:
        raise Finding(f"{type(error).__name__}: {error}") from error
    if time.process_time() - started > SECONDS:
        raise Finding(f"took more than {SECONDS} seconds")


def inputs(name: str, target: Target, seed: int, runs: int) -> Iterator[bytes]:
    """Yield the seeds, the corpus, and inputs made from them."""
    seeds = [*target.seeds, *corpus_of(name)]
    yield from seeds
    rng = random.Random(seed)
    for _ in range(runs):
        yield spliced(rng, target.mutate, seeds)


def fuzz(name: str, target: Target, seed: int, runs: int) -> int:
    """Run a target many times and return how often; an input that breaks the contract is kept in the corpus."""
    count = 0
    for data in inputs(name, target, seed, runs):
        count += 1
        try:
            run_one(target, data)
        except Finding as finding:
            path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"{name}: {finding} with {path}")
            raise
    return count


def fuzz_with_atheris(name: str, target: Target, seed: int, runs: int) -> None:
    """Run a target with inputs that Atheris keeps for the lines they reach; ends the process."""
    import atheris

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        return target.mutate(random.Random(seed), data)[:max_size]

    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    atheris.instrument_all()
    arguments = [sys.argv[0], f"-runs={runs}", f"-seed={seed or 1}", "-max_len=4096", "-timeout=10", str(folder)]
    atheris.Setup(arguments, lambda data: run_one(target, data), custom_mutator=mutate)
    for data in target.seeds:
        run_one(target, data)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    with toy_models() as folder:
        targets = make_targets(folder)
        limit_memory()
        for name in options.targets or targets:
            if options.atheris:
                fuzz_with_atheris(name, targets[name], options.seed, options.runs)
            started = time.process_time()
            try:
                count = fuzz(name, targets[name], options.seed, options.runs)
            except Finding:
                return 1
            print(f"{name}: {count} inputs in {time.process_time() - started:.0f} CPU seconds, no finding", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
