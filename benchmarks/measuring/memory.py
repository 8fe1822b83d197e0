"""Peak memory of encoding or decoding one picture, each in a new process.

The process codes a tiny picture to load libraries and model, reads its picture (or file), and codes it. Its peak is the
kernel's high-water mark of the resident set, VmHWM. `getrusage` has the same as ru_maxrss, but Linux passes ru_maxrss
from parent to child, so a child of a program with large pictures would report those. There are three figures, in MiB:

- `peak`: the whole process, with Python and libraries.
- `less_input_output`: the peak minus the picture as Pillow holds it (4 bytes per pixel) and minus the file.
- `working`: the peak minus what the process held just before, that is libraries, model and input.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.process import confine, fresh

_MIB = 1 << 20
_STATUS = Path("/proc/self/status")
_FIGURES = ("peak", "less_input_output", "working")


def require() -> None:
    """Exit with one line if memory cannot be measured here."""
    if not _STATUS.exists():
        sys.exit(f"memory is read from {_STATUS}, which only Linux has")


def measure(
    pictures: Mapping[str, Path],
    codecs: Sequence[PillowCodec],
    threads: int,
    rounds: int,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Return a row for each picture, codec and operation, with medians over rounds.

    Args:
        pictures: by name of size, files that Pillow reads without extra memory (PPM).
        codecs: what to measure.
        threads: cores that each process may use.
        rounds: processes for each row; peaks vary by a few percent with the timing of threads.
        say: called with a line of progress.
    """
    answers: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for number in range(rounds):
        for size, picture in pictures.items():
            for codec in codecs:
                coded = picture.with_name(f"{picture.stem} {codec.name.replace('/', ' ')}")
                for operation, source in (("encode", picture), ("decode", coded)):
                    request = {
                        "codec": codec.to_json(),
                        "operation": operation,
                        "source": str(source),
                        "target": str(coded),
                        "threads": threads,
                    }
                    answers.setdefault((size, codec.name, operation), []).append(fresh("memory", request))
        say(f"memory, round {number + 1} of {rounds} done")
    return [
        {
            "size": size,
            "codec": codec,
            "operation": operation,
            "threads": threads,
            "picture_mib": round(given[0]["picture"] / _MIB, 1),
            "file_mib": round(given[0]["file"] / _MIB, 3),
            **{f"{name}_mib": round(statistics.median(_figures(a)[name] for a in given), 1) for name in _FIGURES},
            "peaks_mib": [round(answer["peak"] / _MIB, 1) for answer in given],
        }
        for (size, codec, operation), given in answers.items()
    ]


def _figures(answer: dict[str, Any]) -> dict[str, float]:
    peak, before = answer["peak"], answer["before"]
    less = peak - answer["picture"] - answer["file"]
    return {"peak": peak / _MIB, "less_input_output": less / _MIB, "working": (peak - before) / _MIB}


def constancy(rows: Sequence[dict[str, Any]], sizes: Sequence[str], models: Sequence[str]) -> list[dict[str, Any]]:
    """Return the variation of `less_input_output` over some sizes, and the largest peak, by model and operation.

    Args:
        rows: what `measure` returned.
        sizes: names of sizes over which memory should be constant.
        models: names of codecs.
    """
    constancies = []
    for model in models:
        for operation in ("encode", "decode"):
            chosen = [r for r in rows if r["codec"] == model and r["operation"] == operation and r["size"] in sizes]
            less = [row["less_input_output_mib"] for row in chosen]
            constancies.append(
                {
                    "codec": model,
                    "operation": operation,
                    "sizes": list(sizes),
                    "variation_percent": round(100 * (max(less) / min(less) - 1), 1),
                    "largest_peak_mib": max(row["peak_mib"] for row in chosen),
                }
            )
    return constancies


def main() -> None:
    """Answer one request in a new process."""
    request = json.loads(sys.argv[1])
    confine(request["threads"])
    codec = PillowCodec.from_json(request["codec"])
    codec.register()
    codec.decode(codec.encode(Image.new("RGB", (64, 64))))
    source = Path(request["source"])
    image: Image.Image
    if request["operation"] == "encode":
        image = Image.open(source)
        image.load()
        before = resident("VmRSS")
        data = codec.encode(image)
        peak = resident("VmHWM")
        Path(request["target"]).write_bytes(data)
    else:
        data = source.read_bytes()
        before = resident("VmRSS")
        image = codec.decode(data)
        peak = resident("VmHWM")
    picture = 4 * image.width * image.height
    print(json.dumps({"before": before, "peak": peak, "picture": picture, "file": len(data)}))


def resident(name: str) -> int:
    """Return a memory figure of this process, bytes."""
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{_STATUS} has no {name}")


if __name__ == "__main__":
    main()
