"""Speed of lossless coding, ours beside PNG, WebP and JPEG XL, in one run of about a minute.

    NNCODEC_DATA=... python -m benchmarks.lossless_speed

Pillow runs every codec: `Image.save` into memory, `Image.open` and `load`, RGB in and RGB out. Two pictures of
768 x 512 pixels are one block each, and are timed with one core and with all; the mosaic of 2 MP has four blocks, which
are coded in parallel. Rows hold medians over alternating rounds with everything loaded, and `cores_used`, processor
time over wall time. It refuses to start on a busy machine without --busy, and records `"idle": false` then.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring import pictures, timing
from benchmarks.measuring.data import find_data
from benchmarks.measuring.machine import cores
from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.process import Worker
from benchmarks.measuring.records import RESULTS, Record, write_record
from benchmarks.measuring.timed import add_options, timed

CODECS = (
    PillowCodec("nncodec", "NNC", {"lossless": True}, ("nncodec_pillow",), is_model=True),
    PillowCodec("PNG", "PNG", {}),
    PillowCodec("WebP", "WEBP", {"lossless": True}),
    PillowCodec("JPEG XL", "JXL", {"lossless": True, "effort": 7}, ("pillow_jxl",)),
)
SIZE, MOSAIC_MP, PICTURES = (768, 512), 2.0, 2
QUICK_SIZE, QUICK_MOSAIC_MP = (40, 30), 0.003


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="samples of each figure")
    add_options(parser)
    parser.add_argument("--output", type=Path, default=RESULTS / "lossless_speed.json")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    write_record(options.output, timed("lossless_speed", options, lambda: measure(options.quick, options.rounds)))


def measure(quick: bool, rounds: int) -> Record:
    """Return all measurements."""
    size, mosaic_mp = (QUICK_SIZE, QUICK_MOSAIC_MP) if quick else (SIZE, MOSAIC_MP)
    source = "kodak" if find_data("kodak") and not quick else "skimage"
    photographs = pictures.photographs(source)
    counts = (1,) if quick else tuple(sorted({1, cores()}))
    names = f"{size[0]} x {size[1]}", f"{mosaic_mp:g} MP"
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        small = [pictures.fitted(photograph, *size) for photograph in photographs[:PICTURES]]
        files = pictures.write(Path(folder), names[0], small)
        large = pictures.write(Path(folder), names[1], [pictures.mosaic(photographs, mosaic_mp)])
        workers = {threads: stack.enter_context(Worker(threads)) for threads in counts}
        cases = [timing.Case(names[0], files, CODECS, counts), timing.Case(names[1], large, CODECS, counts[-1:])]
        rows = timing.measure(cases, workers, rounds, 0, lambda line: print(line, flush=True))
    return {
        "rounds": rounds,
        "pictures": pictures.SOURCES[source],
        "codecs": {codec.name: codec.to_json() for codec in CODECS},
        "throughput": rows,
    }


if __name__ == "__main__":
    main()
