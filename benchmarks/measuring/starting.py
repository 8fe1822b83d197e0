"""Waiting times from a cold start: imports, help, and one picture.

Every figure is the median over rounds of whole processes. Rounds alternate between the commands, and files are in the
disk cache. `nncodec encode` and `decode` stand beside Pillow's codecs, which save and open in a new Python.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.process import Worker, confine, fresh, output_of
from benchmarks.measuring.timing import significant, summary

_OPENS = 500


def measure(
    picture: Path,
    files: Mapping[str, Path],
    codecs: Sequence[PillowCodec],
    threads: int,
    rounds: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Return the waiting times of new processes, and of opening files (headers only) in a warm one.

    Args:
        picture: a PNG to encode.
        files: what `write_files` made of it.
        codecs: models and peers.
        threads: cores that each process may use.
        rounds: processes for each figure.
        say: called with a line of progress.
    """
    commands = _commands(picture, codecs, files)
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with Worker(threads) as worker:  # a small new one; its child processes keep to the same cores
        for number in range(rounds):
            for name, command in commands.items():
                seconds[name].append(worker.call(_time_of, command))
            say(f"cold start, round {number + 1} of {rounds} done")
    warm_open_s = {}
    for codec in codecs:
        request = {"codec": codec.to_json(), "source": str(files[codec.name]), "threads": threads}
        warm_open_s[codec.name] = fresh("starting", request)["seconds"]
    with Image.open(picture) as image:
        width, height = image.size
    return {
        "picture": f"{width} x {height}",
        "threads": threads,
        "processes": {
            name: summary(taken) | {"seconds": [significant(value) for value in taken]}
            for name, taken in seconds.items()
        },
        "warm_open_s": warm_open_s,
    }


def write_files(picture: Path, codecs: Sequence[PillowCodec]) -> dict[str, Path]:
    """Write a picture in the format of each codec, beside it; return the files by the codecs' names."""
    return {codec.name: _written(picture, codec) for codec in codecs}


def _written(picture: Path, codec: PillowCodec) -> Path:
    """Write the picture in the codec's format and return the file."""
    codec.register()
    path = picture.with_name(f"{codec.name.replace('/', '-').replace(' ', '-')}.{codec.format.lower()}")
    with Image.open(picture) as image:
        path.write_bytes(codec.encode(image))
    return path


def _time_of(command: Sequence[str]) -> float:
    """Return the seconds that a command takes."""
    start = time.perf_counter()
    output_of(command)
    return time.perf_counter() - start


def _commands(picture: Path, codecs: Sequence[PillowCodec], files: Mapping[str, Path]) -> dict[str, list[str]]:
    nncodec = [sys.executable, "-m", "nncodec"]
    out = str(picture.with_name("out"))
    commands = {
        "python -c pass": _python("pass"),
        "import PIL.Image": _python("import PIL.Image"),
        "import nncodec": _python("import nncodec"),
        "import torch": _python("import torch"),
        "nncodec --help": [*nncodec, "--help"],
    }
    for codec in codecs:
        path = files[codec.name]
        imports = "".join(f"import {module}\n" for module in codec.needs) + "from PIL import Image\n"
        if codec.is_model:
            options = ["-m", codec.save_options["model"], "-q", str(codec.save_options["quality"])]
            if "coder" in codec.save_options:
                options += ["--coder", codec.save_options["coder"]]
            commands["nncodec info"] = [*nncodec, "info", str(path)]
            commands[f"nncodec encode, {codec.name}"] = [
                *(*nncodec, "encode", "-f", *options),
                *(str(picture), "-o", f"{out}.nnc"),
            ]
            commands[f"nncodec decode, {codec.name}"] = [*nncodec, "decode", "-f", str(path), "-o", f"{out}.png"]
        else:
            encoded = json.dumps(codec.save_options)
            save = f"import json\nimage.save({out + path.suffix!r}, {codec.format!r}, **json.loads({encoded!r}))"
            commands[f"Image.save, {codec.name}"] = _python(f"{imports}image = Image.open({str(picture)!r})\n{save}")
        commands[f"Image.open and load, {codec.name}"] = _python(f"{imports}Image.open({str(path)!r}).load()")
    return commands


def _python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def main() -> None:
    """Answer one request in a new process: the median time of opening a file repeatedly."""
    request = json.loads(sys.argv[1])
    confine(request["threads"])
    PillowCodec.from_json(request["codec"]).register()
    times = []
    for _ in range(_OPENS):
        start = time.perf_counter()
        with Image.open(request["source"]):
            pass
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": significant(statistics.median(times))}))


if __name__ == "__main__":
    main()
