"""Standard streams that are closed, as daemons and `2>&-` leave them."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def open_closed_streams() -> None:
    """Give messages a place where stderr is closed, and let no other file take the number of a closed stream.

    The next file to be opened would: a picture that is being written would hold what a library prints. stdin and stdout
    stay closed for Python, so that a command that needs them says so.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # as long as the process lives
