"""Files that are either whole or not there."""

from __future__ import annotations

import secrets
from pathlib import Path


def write_file(target: Path, data: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that it is never half there.

    Raises:
        OSError: it cannot be written.
    """
    if target.exists() and not target.is_file():
        target.write_bytes(data)  # a device or a pipe is written into, never replaced
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".nncodec-{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
