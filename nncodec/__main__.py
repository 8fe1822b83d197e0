"""The command line as a module: `python -m nncodec ...`, and `torchrun --nproc-per-node N -m nncodec train ...`."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended


def _main() -> None:
    is_one_of_several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if is_one_of_several:
        # DistributedDataParallel warns on stderr that no parameter is unused, and about the memory layout of 1 x 1
        # convolutions; a user can act on neither. torch reads the variable when it is imported.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        from nncodec.cli import main

        main(prog_name="nncodec")
    except KeyboardInterrupt:  # while the command line was being imported
        sys.stderr.write("nncodec: interrupted\n")
        sys.exit(_INTERRUPTED)
    except SystemExit as end:
        if not is_one_of_several or not isinstance(end.code, int | None):
            raise
        # Threads of gloo that still hold Python objects while the interpreter finalizes sometimes abort the process,
        # and torchrun then ends the others (pytorch/pytorch#179291). Everything is written by now: leave at once.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


if __name__ == "__main__":
    _main()
