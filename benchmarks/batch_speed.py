"""Pictures per second of a batch with one worker, with two, and with two of Dask, on pictures of 0.4 megapixels.

    NNCODEC_DATA=... python -m benchmarks.batch_speed

Each case encodes the same photographs of 768 x 512 pixels with `photo`. Rounds take the cases in turn. The clock starts
when a few results are there, so workers are started and have opened the model. It refuses to start on a busy machine
without --busy, and records `"idle": false` then. It needs the extra dask.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import pictures
from benchmarks.measuring.data import find_data
from benchmarks.measuring.records import RESULTS, Record, write_record
from benchmarks.measuring.timed import add_options, timed
from nncodec import batch

CASES = {
    "one worker": batch.BatchOptions(workers=1),
    "two workers": batch.BatchOptions(workers=2),
    "two workers of Dask": batch.BatchOptions(workers=2, engine="dask"),
}
WARM = 6
"""Results before the clock starts."""


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=80, help="pictures of each run")
    parser.add_argument("--rounds", type=int, default=3, help="samples of each figure")
    add_options(parser)
    parser.add_argument("--output", type=Path, default=RESULTS / "batch_speed.json")
    options = parser.parse_args()
    count, size = (WARM + 4, (96, 64)) if options.quick else (options.pictures, (768, 512))
    if options.rounds < 1 or count <= WARM:
        parser.error(f"at least one round, and more than {WARM} pictures")
    write_record(options.output, timed("batch_speed", options, lambda: measure(count, size, options.rounds)))


def measure(count: int, size: tuple[int, int], rounds: int) -> Record:
    """Return pictures per second of each case, and what they are relative to one local worker and to two."""
    source = "kodak" if find_data("kodak") else "skimage"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder / "in", source, count, size)
        samples: dict[str, list[float]] = {case: [] for case in CASES}
        for number in range(rounds):
            for case, run in CASES.items():
                samples[case].append(pictures_per_second(folder / "in", folder / f"{case} {number}", run, count))
                print(f"{samples[case][-1]:7.2f} pictures/s  {case}", flush=True)
    speed = {case: statistics.median(own) for case, own in samples.items()}
    one, two, dask = (speed[case] for case in CASES)
    return {
        "pictures": f"{count} of {size[0]} x {size[1]}, made from {pictures.SOURCES[source]}",
        "rounds": rounds,
        "pictures_per_second": {case: round(value, 3) for case, value in speed.items()},
        "samples": {case: [round(value, 3) for value in own] for case, own in samples.items()},
        "two workers over twice one": round(two / (2 * one), 3),
        "Dask over local": round(dask / two, 3),
    }


def write_photographs(folder: Path, source: str, count: int, size: tuple[int, int]) -> None:
    """Write photographs as PNG, mirrored and turned where there are too few, so that none equals another."""
    folder.mkdir()
    fitted = [pictures.fitted(photograph, *size) for photograph in pictures.photographs(source)]
    for number in range(count):
        turn, which = divmod(number, len(fitted))
        pixels = np.asarray(fitted[which])
        changed = np.roll(pixels[:, ::-1] if turn % 2 else pixels, 17 * turn, axis=1)
        Image.fromarray(changed).save(folder / f"{number:04}.png", compress_level=1)


def pictures_per_second(source: Path, dest: Path, run: batch.BatchOptions, count: int) -> float:
    """Return how many pictures a second a run does once its workers have done the first few.

    Raises:
        SystemExit: not all pictures were done.
    """
    times: list[float] = []

    def note(source: str, result: str, outcome: batch.Outcome) -> None:
        times.append(time.perf_counter())

    report = batch.encoding(source, dest, run=run).run(note)
    if report.done != count:
        raise SystemExit(f"{report.done} of {count} pictures were done: {report.errors[:1]}")
    return (count - WARM) / (times[-1] - times[WARM - 1])


if __name__ == "__main__":
    main()
