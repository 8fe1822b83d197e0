"""Prints, as JSON, hashes of the latents of files, and how far their pixels are from stored ones; takes a request.

The request holds a folder with files NAME.nnc and pixels NAME.npy; and "conditions": whether to compute latents alone,
once for each setting of PyTorch that `nncodec.testing.exactness` knows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

import nncodec
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.format.container import Container
from nncodec.format.latent_checksums import latents_checksum


def main() -> None:
    """Answer the request."""
    request = json.loads(sys.argv[1])
    paths = sorted(Path(request["folder"]).glob("*.nnc"))
    results: dict[str, dict[str, list[Any]]] = {}
    for name, condition in _conditions(several=request["conditions"]):
        with condition:
            results[name] = {path.name: [latents_hash(path.read_bytes())] for path in paths}
    if not request["conditions"]:
        for path in paths:
            results[""][path.name].append(largest_difference(path))
    print(json.dumps(results))


def _conditions(*, several: bool) -> Iterator[tuple[str, AbstractContextManager[Any]]]:
    if not several:
        yield "", nullcontext()
        return
    import torch  # noqa: F401 (the conditions are settings of it)

    from nncodec.testing.exactness import backends

    yield "as it is", nullcontext()
    yield from backends()


def latents_hash(data: bytes) -> str:
    """Return the checksums of a file's latents, block by block."""
    container = Container(data)
    model = open_file_model(container)
    specs = model.traits.latents
    blocks = (block_latents(container, model, index) for index in range(container.block_count))
    return b"".join(latents_checksum(latents[spec.name] for spec in specs) for latents in blocks).hex()


def largest_difference(path: Path) -> int:
    """Return by how many levels the samples of a file are from the stored ones at most."""
    decoded = np.asarray(nncodec.decode(path.read_bytes(), precision="float32"), np.int16)
    return int(np.abs(decoded - np.load(path.with_suffix(".npy"))).max())


if __name__ == "__main__":
    main()
