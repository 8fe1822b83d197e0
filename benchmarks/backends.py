"""Whether files decode to the same latents, and to pixels within one level, whatever computes them.

    python -m benchmarks.backends

Each model that chooses probabilities from decoded latents encodes the Kodak pictures ($NNCODEC_DATA/kodak) at three
qualities. Fresh processes then decode all files: in PyTorch under the settings of `nncodec.testing.exactness`, without
vector instructions, and in NumPy and ONNX Runtime with as many threads as there are cores; where Chromium is installed,
it decodes them in the page of `nncodec viewer`. Where a setting would multiply float32 as bfloat16 or TF32, exact
layers compute in float64. The record is benchmarks/results/backends.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nncodec
from benchmarks.measuring import browser_latents
from benchmarks.measuring.data import kodak, open_rgb
from benchmarks.measuring.machine import machine, versions
from benchmarks.measuring.process import output_of
from benchmarks.measuring.records import RESULTS, ROOT, Record, command_line, read_record, write_record
from nncodec.plugin import registry

MODELS = ("hyperprior/photo", "hyperprior/photo-psnr", "conv/photo")
QUALITIES = (10, 50, 90)
ENGINES = ("numpy", "onnx")
_AT_ONCE = 6
PLAIN = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the models that are asked for; write the record after a few pictures, and go on from it another time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--pictures", type=int, default=24, help="how many of Kodak's pictures")
    parser.add_argument("--output", type=Path, default=RESULTS / "backends.json")
    options = parser.parse_args(arguments)
    record: Record = read_record(options.output) if options.output.exists() else {}
    record |= {"command": command_line("backends", []), "machine": machine(), "versions": versions()}
    models = record.setdefault("models", {})
    wanted = {"numpy"} | ({"chromium"} if browser_latents.find() else set())  # earlier records lack it
    for model in options.models.split(","):
        digest = registry.catalog().find(model).digest
        if models.get(model, {}).get("digest") != digest:
            models[model] = {"digest": digest, "qualities": QUALITIES, "pictures": {}}
        pictures = models[model]["pictures"]
        names = list(kodak())[: options.pictures]
        waiting = [name for name in names if not wanted <= pictures.get(name, {}).keys()]
        for start in range(0, len(waiting), _AT_ONCE):
            pictures |= compare(model, {name: kodak()[name] for name in waiting[start : start + _AT_ONCE]})
            models[model]["files"] = len(pictures) * len(QUALITIES)
            models[model]["backends"] = totals(pictures.values())
            write_record(options.output, record)


def compare(model: str, pictures: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Encode pictures with a model, and compare every backend with PyTorch as it is; return results for each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {picture: [folder / f"{picture}-{quality}.nnc" for quality in QUALITIES] for picture in pictures}
        for picture, path in pictures.items():
            image = open_rgb(path)
            for quality, target in zip(QUALITIES, files[picture], strict=True):
                target.write_bytes(nncodec.encode(image, model, quality, lossless=False))
                decoded = nncodec.decode(target, precision="float32")
                np.save(target.with_suffix(".npy"), np.asarray(decoded))
        found = {f"torch {name}": result for name, result in _decoded(folder, {}, conditions=True).items()}
        for engine in ENGINES:
            found[engine] = _decoded(folder, {"NNCODEC_ENGINE": engine}, conditions=False)[""]
        if browser_latents.find():
            found["chromium"] = browser_latents.decoded(folder)
        found["torch without vector instructions"] = _decoded(folder, PLAIN, conditions=False)[""]
    expected = found["torch as it is"]
    return {
        picture: {
            backend: {
                "files_with_other_latents": sum(result[own.name][0] != expected[own.name][0] for own in files[picture]),
                "largest_difference": max(
                    (one for own in files[picture] for one in result[own.name][1:]), default=None
                ),
            }
            for backend, result in found.items()
        }
        for picture in pictures
    }


def totals(pictures: Iterable[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return, for each backend, how many files have other latents, and by how many levels pixels differ at most."""
    sums: dict[str, dict[str, Any]] = {}
    for backends in pictures:
        for backend, result in backends.items():
            known = sums.setdefault(backend, {"files_with_other_latents": 0, "largest_difference": None})
            known["files_with_other_latents"] += result["files_with_other_latents"]
            levels = [n for n in (known["largest_difference"], result["largest_difference"]) if n is not None]
            known["largest_difference"] = max(levels, default=None)
    return sums


def _decoded(folder: Path, variables: Mapping[str, str], *, conditions: bool) -> dict[str, Any]:
    request = json.dumps({"folder": str(folder), "conditions": conditions})
    command = [sys.executable, "-m", "benchmarks.measuring.latents", request]
    environment = {**os.environ, "NNCODEC_ENGINE": "torch", **variables}
    answer: dict[str, Any] = json.loads(output_of(command, cwd=ROOT, env=environment))
    return answer


if __name__ == "__main__":
    main()
