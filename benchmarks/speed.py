"""Speed, waiting times and memory of whole codecs, ours beside Pillow's, in one run.

    python -m benchmarks.speed --output benchmarks/results/speed.json
    NNCODEC_DATA=... python -m benchmarks.speed --kodak --models conv/photo,hyperprior/photo --output speed.json

Pillow runs every codec, ours too: `Image.save` into memory, `Image.open` and `load`, RGB in and RGB out. Peers get the
quality whose PSNR on the pictures of Kodak's size is nearest to the first model's. The record:

- `throughput`: seconds and MP/s at 128 x 128, Kodak's size and 12 MP, warm, medians over alternating rounds with their
  spread, and `cores_used`, processor time over wall time. Every process gets as many cores as `threads` says; AVIF,
  JPEG XL and our models use all of them, JPEG and WebP one.
- `ratios`: how many times as fast each model is as every other codec, from those medians.
- `scaling`: seconds per megapixel from 1 to 50 MP, which should not grow.
- `memory`: peaks at 1 to 50 MP in new processes; `memory_constancy` says how they vary from 4 MP on.
- `cold_start`: whole processes from start to end, and opening files.

`--memory-again RECORD` measures only the memory of a record's codecs again and stores it there: memory does not depend
on what else runs.

Run it on an idle machine: it refuses to start on a busy one without --busy, and records `"idle": false` where other
programs used the processors. It needs Linux for memory, and 4 GB. `measuring/` holds the parts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measuring import memory, peers, pictures, starting, timing
from benchmarks.measuring.data import middle
from benchmarks.measuring.machine import cores
from benchmarks.measuring.process import Worker
from benchmarks.measuring.records import Record, command_line, read_record, write_record
from benchmarks.measuring.timed import add_options, timed
from nncodec.compare.peers import PEERS


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Args:
        small: edge of the small pictures, pixels.
        middle: width and height of the pictures of Kodak's size, pixels.
        mosaics_mp: sizes of the pictures for scaling and memory, megapixels.
        large_mp: the size among them at which peers are timed too.
        constant_from_mp: memory should not grow from this size on.
        photographs: the most to use.
        rounds, memory_rounds: samples of each figure.
        sample_s: shortest sample, seconds.
    """

    small: int = 128
    middle: tuple[int, int] = (768, 512)
    mosaics_mp: tuple[float, ...] = (1, 4, 12, 50)
    large_mp: float = 12
    constant_from_mp: float = 4
    photographs: int = 24
    rounds: int = 5
    memory_rounds: int = 3
    sample_s: float = 0.2


QUICK = Plan(32, (96, 64), (0.02,), 0.02, 0.02, 2, rounds=1, memory_rounds=1, sample_s=0)


def main() -> None:
    """Parse, measure, write."""
    options = _options()
    plan = QUICK if options.quick else Plan()
    if options.rounds:
        plan = replace(plan, rounds=options.rounds, memory_rounds=min(options.rounds, plan.memory_rounds))
    memory.require()
    if options.memory_again:
        memory_again(options.memory_again, plan)
        return
    start = time.perf_counter()

    def say(line: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        record = timed("speed", options, lambda: measure(plan, options, Path(folder), say))
    _show(record)
    if options.output:
        write_record(options.output, record)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=_names, default=("photo",), help="names or aliases, the first sets the PSNR")
    parser.add_argument(
        "--peers", type=_names, default=peers.DEFAULT_PEERS, help="default: jpeg,webp,avif,jxl if installed"
    )
    parser.add_argument("--quality", type=int, default=50, help="of the models, 0 to 100")
    parser.add_argument("--coder", help="entropy coder of the models, instead of their own")
    parser.add_argument("--kodak", action="store_true", help="make all pictures from $NNCODEC_DATA/kodak")
    parser.add_argument("--threads", type=_counts, help="core counts, such as 1,2; default: 1 and all")
    parser.add_argument("--rounds", type=int, help=f"samples of each figure; default: {Plan.rounds}")
    add_options(parser)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--memory-again", type=Path, metavar="RECORD", help="only measure the memory of a record again")
    options = parser.parse_args()
    installed = [name for name, peer in PEERS.items() if peer.installed]
    if unknown := set(options.peers) - set(installed):
        parser.error(f"no peer {min(unknown)} here; choose from {', '.join(installed)}")
    if options.memory_again and not options.memory_again.is_file():
        parser.error(f"there is no record {options.memory_again}")
    if options.output and not options.output.parent.is_dir():
        parser.error(f"there is no folder {options.output.parent}")
    if not options.threads:
        options.threads = (1,) if options.quick else tuple(sorted({1, cores()}))
    if not 1 <= min(options.threads) <= max(options.threads) <= cores():
        parser.error(f"--threads: this process may use {cores()} cores")
    return options


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split(",")))


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(count) for count in text.split(",")}))


def measure(plan: Plan, options: argparse.Namespace, folder: Path, say: Callable[[str], None]) -> Record:
    """Return all measurements; pictures and files go into a folder."""
    asked = (peers.model(name, options.quality, options.coder) for name in options.models)
    models = list({model.name: model for model in asked}.values())  # one model may be asked for by alias and by name
    names = [model.name for model in models]
    source = "kodak" if options.kodak else "skimage"
    files = _make_pictures(plan, source, folder)
    small, kodak_size, *scale = files
    large, most = _mp(plan.large_mp), max(options.threads)
    say("pictures are made")

    with ExitStack() as stack:
        workers = {threads: stack.enter_context(Worker(threads)) for threads in options.threads}
        used = peers.at_equal_psnr(
            models, options.peers, lambda codec: workers[most].call(timing.fidelity, files[kodak_size], codec)
        )
        for matched in used:
            say(str(matched))
        codecs = tuple(matched.codec for matched in used)
        cases = [timing.Case(size, files[size], codecs, options.threads) for size in (small, kodak_size, large)]
        cases += [timing.Case(size, files[size], codecs[: len(models)], (most,)) for size in scale if size != large]
        rows = timing.measure(cases, workers, plan.rounds, plan.sample_s, say)
        picture = pictures.write_png(folder)
        coded = workers[most].call(starting.write_files, picture, codecs)

    mosaics = {size: files[size][0] for size in scale}
    constant = [_mp(megapixels) for megapixels in plan.mosaics_mp if megapixels >= plan.constant_from_mp]
    peaks = memory.measure(mosaics, codecs, most, plan.memory_rounds, say)
    return {
        "rounds": plan.rounds,
        "pictures": {
            "source": pictures.SOURCES[source],
            "small": f"the middles of those of {kodak_size}, not resampled",
            "mosaics": "MP: crops of the photographs, enlarged up to twice, with noise; see measuring/pictures.py",
            "count": {size: len(paths) for size, paths in files.items()},
        },
        "codecs": {matched.codec.name: matched.to_json() for matched in used},
        "throughput": rows,
        "ratios": timing.ratios(rows, names),
        "scaling": timing.scaling(rows, scale, names),
        "memory": peaks,
        "memory_constancy": memory.constancy(peaks, constant, names),
        "cold_start": starting.measure(picture, coded, codecs, most, plan.rounds, say),
    }


def memory_again(path: Path, plan: Plan) -> None:
    """Measure the memory of a record's codecs at its qualities again and replace it there."""
    record = read_record(path)
    codecs = [peers.recorded(name, stored) for name, stored in record["codecs"].items()]
    names = [codec.name for codec in codecs if codec.is_model]
    source = next(name for name, text in pictures.SOURCES.items() if text == record["pictures"]["source"])
    threads = max(row["threads"] for row in record["memory"])
    with tempfile.TemporaryDirectory() as folder:
        mosaics = {size: files[0] for size, files in _make_pictures(plan, source, Path(folder)).items() if "MP" in size}
        constant = [_mp(megapixels) for megapixels in plan.mosaics_mp if megapixels >= plan.constant_from_mp]
        peaks = memory.measure(mosaics, codecs, threads, plan.memory_rounds, lambda line: print(line, flush=True))
    record |= {"memory": peaks, "memory_constancy": memory.constancy(peaks, constant, names)}
    record["memory_command"] = command_line("speed")
    write_record(path, record)


def _make_pictures(plan: Plan, source: str, folder: Path) -> dict[str, tuple[Path, ...]]:
    """Write the pictures of every size and return their files by size: small, middle, then the mosaics."""
    photographs = pictures.photographs(source)
    middles = [pictures.fitted(photograph, *plan.middle) for photograph in photographs[: plan.photographs]]
    sets = {
        f"{plan.small} x {plan.small}": [middle(image, plan.small, plan.small) for image in middles],
        f"{plan.middle[0]} x {plan.middle[1]}": middles,
    }
    files = {size: pictures.write(folder, size, images) for size, images in sets.items()}
    for megapixels in plan.mosaics_mp:
        files[_mp(megapixels)] = pictures.write(folder, _mp(megapixels), [pictures.mosaic(photographs, megapixels)])
    return files


def _mp(megapixels: float) -> str:
    return f"{megapixels:g} MP"


def _show(record: Record) -> None:
    """Print a summary of the record."""
    for row in record["throughput"]:
        print(
            f"{row['size']:>10s}  {row['threads']} threads  {row['operation']} {row['codec']:20s} "
            f"{row['mp_per_s']:9.3g} MP/s  spread {row['spread_percent']:5.1f}%  cores {row['cores_used']:.2f}"
        )
    for row in record["scaling"]:
        per_mp = " ".join(f"{size}: {seconds:.4f}" for size, seconds in row["seconds_per_megapixel"].items())
        print(f"{row['operation']} {row['codec']:20s} s/MP  {per_mp}")
    for row in record["memory"]:
        print(
            f"{row['size']:>10s}  {row['operation']} {row['codec']:20s} peak {row['peak_mib']:7.1f} MiB  "
            f"less input and output {row['less_input_output_mib']:7.1f}  working {row['working_mib']:7.1f}"
        )
    for row in record["memory_constancy"]:
        print(f"{row['operation']} {row['codec']:20s} memory varies by {row['variation_percent']}%")
    for name, figures in record["cold_start"]["processes"].items():
        print(f"{name:40s} {1000 * figures['median_s']:8.1f} ms  spread {figures['spread_percent']:.0f}%")


if __name__ == "__main__":
    main()
