"""`python -m nncodec.training` is `nncodec train`; `torchrun --nproc-per-node N -m nncodec.training ...` starts it."""

from __future__ import annotations

import os
import sys

from nncodec.cli import run_command


def _main() -> None:
    # DistributedDataParallel warns on stderr that no parameter is unused, and about the memory layout of 1 x 1
    # convolutions; neither is anything a user could act on. It is read when torch is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    try:
        run_command("train")
    except SystemExit as end:
        if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not isinstance(end.code, int | None):
            raise
        # Threads of gloo that still hold Python objects when the interpreter goes abort the process, at times, and
        # torchrun then ends the others (pytorch/pytorch#179291). All is written by now: leave at once.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


if __name__ == "__main__":
    _main()
