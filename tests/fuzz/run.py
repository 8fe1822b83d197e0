"""Fuzz for a long time.

python tests/fuzz/run.py --runs 1000000                  # every target, inputs made by the mutators from a seed
python tests/fuzz/run.py header rans --runs 100000       # some of them
python tests/fuzz/run.py --state FOLDER --minutes 600    # round after round; the same command again goes on
python tests/fuzz/run.py pillow --runs 100000 --atheris --state FOLDER  # guided by coverage; needs the extra `fuzz`

An input that breaks the contract of `contract.py` is written to `corpus/TARGET/` (with --state to FOLDER/TARGET/), and
the run ends with status 1. The lines that the inputs reach, in percent, of all that reads bytes from others:

coverage run --include='nncodec/format/*,nncodec/plugin/model_file.py,formats/*' tests/fuzz/run.py --runs 1000
coverage report --fail-under=95
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT), str(ROOT / "plugins"), str(ROOT / "formats")]

from fuzz.contract import MEMORY_BYTES, SECONDS, Target  # noqa: E402 (paths first)
from fuzz.mutators import spliced  # noqa: E402
from fuzz.targets import make_targets, toy_models  # noqa: E402

_ROUND_RUNS = 2000


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


def fuzz(name: str, target: Target, seed: int, runs: int, found: Path = CORPUS) -> int:
    """Run a target many times and return how often; an input that breaks the contract is kept in the folder `found`."""
    count = 0
    for data in inputs(name, target, seed, runs):
        count += 1
        try:
            run_one(target, data)
        except Finding as finding:
            path = found / name / hashlib.sha256(data).hexdigest()[:12]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"{name}: {finding} with {path}", flush=True)
            raise
    return count


def fuzz_in_rounds(targets: dict[str, Target], folder: Path, minutes: float) -> bool:
    """Fuzz all targets in whole rounds until the time is over; return whether nothing was found.

    Args:
        targets: by name.
        folder: for counts, from which the rounds go on, and for findings.
        minutes: how long, at least one round.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "counts.json"
    counts = json.loads(record.read_text()) if record.exists() else {"rounds": 0, "runs": {}, "cpu_s": {}}
    end, is_sound = time.monotonic() + 60 * minutes, True
    while True:
        counts["rounds"] += 1
        for name, target in targets.items():
            begun = time.process_time()
            try:
                done = fuzz(name, target, counts["rounds"], _ROUND_RUNS // target.cost, folder)
            except Finding:
                is_sound, done = False, 0
            counts["runs"][name] = counts["runs"].get(name, 0) + done
            counts["cpu_s"][name] = counts["cpu_s"].get(name, 0) + time.process_time() - begun
        record.write_text(json.dumps(counts))
        total, spent = sum(counts["runs"].values()), sum(counts["cpu_s"].values())
        print(f"{counts['rounds']} rounds, {total} inputs in {spent / 3600:.2f} CPU hours", flush=True)
        if time.monotonic() >= end:
            return is_sound


def fuzz_with_atheris(name: str, target: Target, seed: int, runs: int, found: Path) -> None:
    """Run a target with inputs that Atheris keeps for the lines they reach, below `found`; ends the process."""
    import atheris

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        return target.mutate(random.Random(seed), data)[:max_size]

    kept, seeds = found / name, found / f"{name}-seeds"
    for folder, inputs in ((kept, []), (seeds, [*target.seeds, *corpus_of(name)])):
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (folder / str(number)).write_bytes(data)
    for function in gc.get_objects():
        if isinstance(function, FunctionType) and (function.__module__ or "").startswith("nncodec"):
            atheris.instrument_func(function)  # all functions, torch's included, would take minutes
    options = [f"-runs={runs}", f"-seed={seed or 1}", "-max_len=4096", "-timeout=100", f"-artifact_prefix={kept}/"]
    arguments = [sys.argv[0], *options, str(kept), str(seeds)]
    atheris.Setup(arguments, lambda data: run_one(target, data), custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, help="folder for counts and findings of rounds")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long rounds are run")
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args()
    if options.atheris and not (options.state and len(options.targets) == 1):
        parser.error("--atheris needs one target, and --state for the inputs that it keeps")
    with toy_models() as folder:
        made = make_targets(folder)
        targets = {name: made[name] for name in options.targets or made}
        limit_memory()
        if options.state and not options.atheris:
            return 0 if fuzz_in_rounds(targets, options.state, options.minutes) else 1
        for name, target in targets.items():
            if options.atheris:
                fuzz_with_atheris(name, target, options.seed, options.runs, options.state)
            started = time.process_time()
            try:
                count = fuzz(name, target, options.seed, options.runs // target.cost)
            except Finding:
                return 1
            print(f"{name}: {count} inputs in {time.process_time() - started:.0f} CPU seconds, no finding", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
