"""How long a user waits before anything happens: imports, help, opening a file, encoding and decoding from cold.

    python benchmarks/startup.py --output benchmarks/results/startup.json

Each figure is the median of several fresh processes (or, for warm opening, of many opens in one), with Pillow's WebP
measured the same way beside it. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skimage.data
from PIL import Image

import nncodec

PROCESSES = 7
WARM_OPENS = 500
_WARM = """
import time, statistics, sys
from PIL import Image
import nncodec_pillow
times = []
for _ in range({count}):
    start = time.perf_counter()
    with Image.open({path!r}) as image:
        image.size
    times.append(time.perf_counter() - start)
print(statistics.median(times))
"""


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder))
    for name, seconds in results.items():
        print(f"{name:42s} {1000 * seconds:9.2f} ms")
    if options.output:
        record = {
            "command": " ".join(["python", *sys.argv]),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "seconds": {name: round(seconds, 5) for name, seconds in results.items()},
        }
        options.output.write_text(json.dumps(record, indent=1) + "\n")


def measure(folder: Path) -> dict[str, float]:
    """Return the median seconds of every case."""
    image = Image.fromarray(skimage.data.chelsea())
    image.save(folder / "cat.png")
    image.save(folder / "cat.webp")
    (folder / "cat.nnc").write_bytes(nncodec.encode(image))
    png, nnc, webp = (str(folder / f"cat.{suffix}") for suffix in ("png", "nnc", "webp"))
    out_nnc, out_png = str(folder / "out.nnc"), str(folder / "out.png")
    python = [sys.executable, "-c"]
    command = [sys.executable, "-m", "nncodec"]
    return {
        "python -c pass": cold([*python, "pass"]),
        "import PIL.Image": cold([*python, "import PIL.Image"]),
        "import nncodec": cold([*python, "import nncodec"]),
        "import torch": cold([*python, "import torch"]),
        "nncodec --help": cold([*command, "--help"]),
        "nncodec info": cold([*command, "info", nnc]),
        "nncodec encode (451 x 300, cold)": cold([*command, "encode", "-f", png, "-o", out_nnc]),
        "nncodec decode (451 x 300, cold)": cold([*command, "decode", "-f", nnc, "-o", out_png]),
        "Image.open of .nnc, warm": warm(nnc),
        "Image.open of .webp, warm": warm(webp),
    }


def cold(command: list[str]) -> float:
    """Return the median wall time of a command in fresh processes, after one that warms the disk cache."""
    times = []
    for _ in range(PROCESSES + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def warm(path: str) -> float:
    """Return the median time of opening a file (header only) again and again in one process."""
    code = _WARM.format(count=WARM_OPENS, path=path)
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(run.stdout)


if __name__ == "__main__":
    main()
