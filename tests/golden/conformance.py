"""Write `conformance.json`: what a second implementation of docs/format.md must find in files, valid and invalid.

python tests/golden/conformance.py

Valid files are the golden files of `v1/`. Invalid ones follow in hex; each has right checksums except where a checksum
is what is wrong. The exception is that of `nncodec.format.container.Container(data).check()`.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from forged import CHUNKS, DISPLAY, EXACT, FRAMES, GRID, crc, forge, small_file

from nncodec.errors import FormatError
from nncodec.format.container import Container

HERE = Path(__file__).parent
TARGET = HERE / "conformance.json"


def main() -> None:
    """Replace the vectors."""
    index = json.loads((HERE / "v1" / "index.json").read_text())
    valid = {path.stem: described(path.read_bytes()) for path in sorted((HERE / "v1").glob("*.nnc"))}
    for name, entry in valid.items():
        if entry["samples"]:
            entry["samples_sha256"] = index[name]["samples_sha256"]
            continue
        entry["latents_sha256"] = index[name]["latents_sha256"]
        frames = [np.asarray(Image.open(path)) for path in sorted((HERE / "v1").glob(f"{name}-[0-9]*.png"))]
        entry["pixels_sha256"] = [hashlib.sha256(frame.tobytes()).hexdigest() for frame in frames]
        entry["tolerance_levels"] = 1
    invalid = [{"file": data.hex(), "exception": exception_of(data)} for data in invalid_files()]
    vectors = {"valid": valid, "invalid": [entry for entry in invalid if entry["exception"]]}
    TARGET.write_text(json.dumps(vectors, indent=0) + "\n")


def described(data: bytes) -> dict[str, Any]:
    """Return the fields of a valid file's header, and its chunks and blocks."""
    container = Container(data)
    container.check()
    header = container.header
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "mode": int(header.mode),
        "coder": int(header.coder),
        "quality": header.quality,
        "model_id": header.model_id.hex(),
        "samples": header.samples and asdict(header.samples),
        "size": [header.width, header.height],
        "display_size": list(header.display_size),
        "frames": header.frames,
        "frames_per_block": header.frames_per_block,
        "block_edge_log2": header.block_edge_log2,
        "chunks": {f"{entry.type:02x}": entry.size_bytes for entry in container.chunk_table},
        "blocks": [len(container.block(number)) for number in range(container.block_count)],
    }


def exception_of(data: bytes) -> str | None:
    """Return the name of the exception for a file, or None for a valid one."""
    try:
        Container(data).check()
    except FormatError as error:
        return type(error).__name__
    return None


def invalid_files() -> list[bytes]:
    """Return files that break one rule each."""
    size, whole = b"\x03\x02", small_file()
    files = [b"", whole[:3], b"\x8fNNC" + whole[4:], b"GIF89a"]
    files += [whole[:length] for length in range(4, len(whole), 2)]
    files += [whole + b"\0", whole + whole]
    files += [
        whole[:place] + bytes((whole[place] ^ 1 << place % 8,)) + whole[place + 1 :] for place in range(len(whole))
    ]
    files += [forge(size + b"\x01", version=version) for version in (0, 2, 255)]
    files += [forge(size + b"\x01", kind=kind) for kind in (0x0F, 0x1E, 0x90, 0xF0)]
    files += [forge(size + b"\x01", flags=flags) for flags in (0x40, 0x80, 0xC0)]
    files += [forge(size + b"\x01", quality=quality) for quality in (101, 150, 254)]
    files += [forge(b"\x00\x02\x01"), forge(b"\x03\x00\x01"), forge(b"\x83\x00\x02\x01"), forge(size + b"\x00")]
    files += [forge(b"\xff\xff\xff\xff\xff\x02\x01"), forge(b"\x80\x80\x01\x80\x80\x01\x01")]
    files += [forge(size + size + b"\x01", flags=DISPLAY), forge(size + b"\x00\x02\x01", flags=DISPLAY)]
    files += [forge(size + b"\x01\x01", flags=FRAMES), forge(size + b"\x81\x80\x40\x01", flags=FRAMES)]
    files += [
        forge(size + tail, flags=GRID) for tail in (b"\x00\x01\x01", b"\x02\x01\x01", b"\x01\x19\x01", b"\x01\x05\x01")
    ]
    tables = (
        b"\x00",
        b"\x02\x03\x00" + bytes(4) + b"\x03\x00" + bytes(4),
        b"\x02\x03\x00" + bytes(4) + b"\x01\x00" + bytes(4),
        b"\x01\x80\x00" + bytes(4),
        b"\x01\x01\x80\x00" + bytes(4),
        b"\x01\x01\x81\x80\x80\x08" + bytes(4),
        b"\x01\x01\x01" + crc(b"other"),
    )
    files += [forge(size + b"\x01" + table, flags=CHUNKS) for table in tables]
    # Modes, bits, permitted errors and planes; then quality, display size, model and chunks of an exact picture.
    fields = [
        (0, b"\x00\x00"),
        (0, b"\x11\x00"),
        (0, b"\x08\x80\x02"),
        (1, b"\x07\x00"),
        (4, b"\x08\x01"),
        (5, b"\x01\x01"),
    ]
    fields += [(7, b"\x08\x00\x00"), (7, b"\x08\x00\x21"), (8, b"\x08\x00")]
    files += [forge(head + size + b"\x01", kind=0x30 | mode, flags=EXACT, quality=255) for mode, head in fields]
    exact = b"\x08\x00" + size
    files += [
        forge(exact + b"\x01", kind=0x30, flags=EXACT),
        forge(exact + b"\x01", kind=0x34, flags=EXACT, quality=255),
    ]
    files += [forge(exact + size + b"\x01", kind=0x30, flags=EXACT | DISPLAY, quality=255)]
    files += [forge(exact + b"\x01", kind=kind, flags=flags) for kind, flags in ((0x20, EXACT), (0x30, 0), (0x12, 0))]
    alpha, palette = (b"\x01" + kind + b"\x01" + crc(b"x") for kind in (b"\x81", b"\x82"))
    for mode, head, table in ((2, b"\x08\x00", alpha), (0, b"\x09\x00", alpha), (0, b"\x08\x00", palette)):
        files.append(forge(head + size + b"\x01" + table, kind=0x30 | mode, flags=EXACT | CHUNKS, quality=255))
    large = b"\x10\x00\x20" + b"\xff\xff\x01" + b"\xff\x1f" + b"\x01"
    files.append(forge(large, kind=0x37, flags=EXACT, quality=255))
    rng = random.Random(21)
    for _ in range(120):
        fields = rng.choice((size + b"\x01", size + b"\x01\x01\x06\x04"))
        files.append(
            forge(fields + rng.randbytes(rng.randrange(4)), flags=rng.choice((0, DISPLAY, FRAMES, GRID, CHUNKS)))
        )
    return list(dict.fromkeys(files))


if __name__ == "__main__":
    main()
