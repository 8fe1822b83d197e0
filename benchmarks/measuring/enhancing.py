"""Time and memory of enhancing a picture in a new process; figures as in `measuring.memory`."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.measuring.memory import resident
from benchmarks.measuring.process import confine, fresh


def measure(enhancer: str, picture: Path, threads: int, rounds: int) -> dict[str, Any]:
    """Return the median seconds of enhancing a picture, and the peak of the process, MiB.

    Args:
        enhancer: name.
        picture: a file that Pillow reads without extra memory (PPM).
        threads: cores that the process may use.
        rounds: repetitions, after a tiny picture that is not counted.
    """
    return fresh("enhancing", {"enhancer": enhancer, "picture": str(picture), "threads": threads, "rounds": rounds})


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.argv[1])
    confine(request["threads"])
    import nncodec  # torch reads the number of cores when it is imported

    def enhance(image: Image.Image) -> Image.Image:
        return nncodec.enhance(image, enhancer=request["enhancer"])

    image = Image.open(request["picture"])
    image.load()
    result = enhance(image.crop((0, 0, 64, 64)))
    seconds = []
    for _ in range(request["rounds"]):
        start = time.perf_counter()
        result = enhance(image)
        seconds.append(time.perf_counter() - start)
    answer = {
        "input": list(image.size),
        "output": list(result.size),
        "seconds": round(statistics.median(seconds), 5),
        "peak_mib": round(resident("VmHWM") / (1 << 20), 1),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
