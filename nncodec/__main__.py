"""The command line as a module: `python -m nncodec ...`, and `torchrun --nproc-per-node N -m nncodec train ...`."""

from __future__ import annotations

import os
import sys

from nncodec.cli import main


def _main() -> None:
    if os.environ.get("WORLD_SIZE", "1") == "1":
        main(prog_name="nncodec")
    else:
        _run_one_of_several()


def _run_one_of_several() -> None:
    """Run the command in one of the processes that torchrun has started."""
    # DistributedDataParallel warns on stderr that no parameter is unused, and about the memory layout of 1 x 1
    # convolutions; a user can act on neither. torch reads the variable when it is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        main(prog_name="nncodec")
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        # Threads of gloo that still hold Python objects while the interpreter finalizes sometimes abort the process,
        # and torchrun then ends the others (pytorch/pytorch#179291). Everything is written by now: leave at once.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


if __name__ == "__main__":
    _main()
